//! The test's own log of all published events. From this log, the tests know which events and snapshots each
//! client must get.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::checker::Verdict;

/// The names of the kinds of event, as they appear in frames.
pub const KINDS: [&str; 3] = ["trade", "quote", "bar"];

/// The names of the channels, in the order of the kinds in [`KINDS`].
pub const CHANNELS: [&str; 3] = ["trades", "quotes", "bars"];

/// The key of an event: a symbol, and the index of a kind in [`KINDS`]. A newer event replaces an unsent
/// older event with the same key.
pub type Key<'a> = (&'a str, usize);

/// All published events, grouped by epoch.
#[derive(Default)]
pub struct PublishedLog(Vec<Epoch>);

/// The events and seeks of one epoch, which is one run of the server's process.
#[derive(Default)]
pub struct Epoch {
    pub name: String,
    /// The published events. The first event of an epoch has the sequence number 1.
    events: Vec<PublishedEvent>,
    /// For each symbol and kind, the sequence numbers of the events.
    seqs: BTreeMap<String, [Vec<u64>; KINDS.len()]>,
    seeks: Vec<Seek>,
}

/// A seek of the feed.
pub struct Seek {
    /// The sequence number of the newest event before the seek.
    pub after: u64,
    /// For each symbol and kind, the market frame with the last value at the position of the seek. The feed
    /// did not publish the events of these frames.
    folded: BTreeMap<String, [Option<Map<String, Value>>; KINDS.len()]>,
}

/// A published event and its market frame.
pub struct PublishedEvent {
    pub symbol: String,
    pub kind: usize,
    pub frame: Map<String, Value>,
    /// The simulated time at which the event was published.
    pub at: Duration,
}

/// A client's subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub all: bool,
    /// The names of the subscribed symbols, in sorted order.
    pub names: Vec<String>,
    /// The subscribed kinds, as sorted indexes in [`KINDS`].
    pub kinds: Vec<usize>,
}

impl PublishedLog {
    /// Begins a new epoch, and returns the name of the epoch.
    pub fn begin(&mut self) -> String {
        let name = format!("run{}", self.0.len());
        self.0.push(Epoch { name: name.clone(), ..Epoch::default() });
        name
    }

    /// Adds an event to the current epoch. Returns the sequence number of the event.
    pub fn publish(&mut self, mut event: PublishedEvent) -> u64 {
        let epoch = self.0.last_mut().expect("there is an epoch");
        let seq = epoch.head() + 1;
        event.frame.insert("seq".to_owned(), seq.into());
        epoch.seqs.entry(event.symbol.clone()).or_default()[event.kind].push(seq);
        epoch.events.push(event);
        seq
    }

    /// Adds a seek to the current epoch. The `events`, which are not published, set the last values at the
    /// position of the seek. Returns the number of seeks in the epoch so far.
    pub fn seek(&mut self, events: Vec<PublishedEvent>) -> usize {
        let epoch = self.0.last_mut().expect("there is an epoch");
        let after = epoch.head();
        let mut folded: BTreeMap<String, [Option<Map<String, Value>>; KINDS.len()]> = BTreeMap::new();
        for mut event in events {
            event.frame.insert("seq".to_owned(), after.into());
            folded.entry(event.symbol).or_default()[event.kind] = Some(event.frame);
        }
        epoch.seeks.push(Seek { after, folded });
        epoch.seeks.len()
    }

    pub fn epoch(&self, name: &str) -> Option<&Epoch> {
        self.0.iter().find(|epoch| epoch.name == name)
    }

    pub fn newest(&self) -> &Epoch {
        self.0.last().expect("there is an epoch")
    }
}

impl Epoch {
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    pub fn at(&self, seq: u64) -> Option<&PublishedEvent> {
        self.events.get(index(seq.checked_sub(1)?))
    }

    /// Returns how many events with `after < seq <= until` are due according to `is_due`.
    pub fn count(&self, after: u64, until: u64, is_due: impl Fn(u64, &PublishedEvent) -> bool) -> u64 {
        self.span(after, until).filter(|(seq, event)| is_due(*seq, event)).count() as u64
    }

    /// Returns the sequence number of the first event after `seq` that is due according to `is_due`.
    pub fn next(&self, seq: u64, is_due: impl Fn(u64, &PublishedEvent) -> bool) -> Option<u64> {
        self.span(seq, self.head()).find(|(seq, event)| is_due(*seq, event)).map(|(seq, _)| seq)
    }

    /// Returns the newest event of each key, among the events with `after < seq <= until` that are due
    /// according to `is_due`.
    pub fn newest_in(
        &self,
        after: u64,
        until: u64,
        is_due: impl Fn(u64, &PublishedEvent) -> bool,
    ) -> BTreeMap<Key<'_>, u64> {
        let due = self.span(after, until).filter(|(seq, event)| is_due(*seq, event));
        due.map(|(seq, event)| ((event.symbol.as_str(), event.kind), seq)).collect()
    }

    /// Returns the events with `after < seq <= until`.
    fn span(&self, after: u64, until: u64) -> impl Iterator<Item = (u64, &PublishedEvent)> {
        (after + 1..).zip(self.events[..index(until)].iter().skip(index(after)))
    }

    /// Returns the number of seeks in this epoch so far.
    pub fn seeks(&self) -> usize {
        self.seeks.len()
    }

    /// Returns the sequence number of the newest event before seek number `seeks`, or 0 if `seeks` is 0.
    pub fn head_at_seek(&self, seeks: usize) -> u64 {
        seeks.checked_sub(1).map_or(0, |last| self.seeks[last].after)
    }

    /// Returns the sequence number of the newest event before seek number `seeks + 1`, or `u64::MAX` if there
    /// was no seek with that number.
    pub fn head_at_next_seek(&self, seeks: usize) -> u64 {
        self.seeks.get(seeks).map_or(u64::MAX, |seek| seek.after)
    }

    /// Returns the subscribed symbols that have values at one point: after `seeks` seeks and all events up to
    /// `seq`.
    pub fn symbols(&self, wanted: &Subscription, seeks: usize, seq: u64) -> BTreeSet<String> {
        let published = self.seqs.keys();
        let folded = seeks.checked_sub(1).map(|last| self.seeks[last].folded.keys());
        let named = published.chain(folded.into_iter().flatten()).filter(|symbol| wanted.names(symbol));
        named.filter(|symbol| self.snapshot(symbol, seeks, seq).is_some()).cloned().collect()
    }

    /// Returns the snapshot of a symbol after `seeks` seeks and all events up to `seq`. Returns `None` if the
    /// symbol has no values at that point.
    ///
    /// The snapshot contains the newest event of each kind, even for channels that the client has not
    /// subscribed to.
    pub fn snapshot(&self, symbol: &str, seeks: usize, seq: u64) -> Option<Map<String, Value>> {
        let sought = seeks.checked_sub(1).map(|last| &self.seeks[last]);
        let after = self.head_at_seek(seeks);
        let mut snapshot = Map::new();
        for (kind, name) in KINDS.iter().enumerate() {
            let published = self.seqs.get(symbol).and_then(|kinds| {
                let count = kinds[kind].partition_point(|published| *published <= seq);
                kinds[kind][..count].last().filter(|published| **published > after)
            });
            let folded = || sought?.folded.get(symbol)?[kind].as_ref();
            let latest = published.map(|seq| &self.events[index(*seq) - 1].frame).or_else(folded);
            if let Some(mut inner) = latest.cloned() {
                inner.remove("type");
                inner.remove("symbol");
                snapshot.insert((*name).to_owned(), inner.into());
            }
        }
        (!snapshot.is_empty()).then_some(snapshot)
    }
}

impl PublishedEvent {
    /// Checks that a received frame is the market frame of this event.
    pub fn check(&self, frame: &Value, text: &str) -> Verdict {
        if frame.as_object() != Some(&self.frame) {
            return Err(format!("the published event is {}", json!(self.frame)));
        }
        let (kind, seq) = (KINDS[self.kind], &self.frame["seq"]);
        let start = format!(r#"{{"type":"{kind}","symbol":"{}","seq":{seq},"time":"#, self.symbol);
        if text.starts_with(&start) {
            Ok(())
        } else {
            Err("type, symbol, seq and time must come first".to_owned())
        }
    }
}

impl Subscription {
    pub fn names(&self, symbol: &str) -> bool {
        self.all || self.names.binary_search_by(|name| name.as_str().cmp(symbol)).is_ok()
    }

    /// Returns the union of this subscription and another subscription with the same kinds.
    pub fn with(&self, more: &Self) -> Self {
        let mut names = [self.names.as_slice(), &more.names].concat();
        names.sort_unstable();
        names.dedup();
        Self { all: self.all || more.all, names, kinds: self.kinds.clone() }
    }

    pub fn includes(&self, event: &PublishedEvent) -> bool {
        self.kinds.contains(&event.kind) && self.names(&event.symbol)
    }

    /// Returns the names of the subscribed symbols. In a subscription to all symbols, the first name is `*`.
    pub fn symbols(&self) -> Vec<&str> {
        let star = self.all.then_some("*");
        star.into_iter().chain(self.names.iter().map(String::as_str)).collect()
    }
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).expect("the test publishes a few thousand events")
}
