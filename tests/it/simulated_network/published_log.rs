//! The test's own log of all published events. The log shows which events and snapshots must arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::checker::Verdict;

/// The kinds of event, as frames name them.
pub const KINDS: [&str; 3] = ["trade", "quote", "bar"];

/// The channels, in the order of [`KINDS`].
pub const CHANNELS: [&str; 3] = ["trades", "quotes", "bars"];

/// A symbol and a kind. A newer event replaces an unsent older event of the same key.
pub type Key<'a> = (&'a str, usize);

/// The published events, with one epoch for each run of the server's process.
#[derive(Default)]
pub struct PublishedLog(Vec<Epoch>);

/// An epoch: one run of the server's process.
#[derive(Default)]
pub struct Epoch {
    pub name: String,
    /// The published events. The first event has the sequence number 1.
    events: Vec<PublishedEvent>,
    /// The sequence numbers of each symbol's events, by kind.
    seqs: BTreeMap<String, [Vec<u64>; KINDS.len()]>,
    seeks: Vec<Seek>,
}

/// A seek of the feed.
pub struct Seek {
    /// The newest event before the seek.
    pub after: u64,
    /// For each symbol and kind, the frame of the last value at the seek's position. These frames were not
    /// published.
    folded: BTreeMap<String, [Option<Map<String, Value>>; KINDS.len()]>,
}

/// A published event and its market frame.
pub struct PublishedEvent {
    pub symbol: String,
    pub kind: usize,
    pub frame: Map<String, Value>,
    /// When the event was published, in simulated time.
    pub at: Duration,
}

/// A client's subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub all: bool,
    /// The names of symbols, sorted.
    pub names: Vec<String>,
    /// The indexes of the kinds in [`KINDS`], sorted.
    pub kinds: Vec<usize>,
}

impl PublishedLog {
    /// Begins an epoch and returns its name.
    pub fn begin(&mut self) -> String {
        let name = format!("run{}", self.0.len());
        self.0.push(Epoch { name: name.clone(), ..Epoch::default() });
        name
    }

    /// Adds an event to the current epoch. Returns its sequence number.
    pub fn publish(&mut self, mut event: PublishedEvent) -> u64 {
        let epoch = self.0.last_mut().expect("there is an epoch");
        let seq = epoch.head() + 1;
        event.frame.insert("seq".to_owned(), seq.into());
        epoch.seqs.entry(event.symbol.clone()).or_default()[event.kind].push(seq);
        epoch.events.push(event);
        seq
    }

    /// Adds a seek to the current epoch. `events` are the unpublished events that set the last values at the
    /// seek's position. Returns the number of seeks.
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

    /// Returns the number of due events with `after < seq <= until`.
    pub fn count(&self, after: u64, until: u64, is_due: impl Fn(u64, &PublishedEvent) -> bool) -> u64 {
        self.span(after, until).filter(|(seq, event)| is_due(*seq, event)).count() as u64
    }

    /// Returns the first due event after `seq`.
    pub fn next(&self, seq: u64, is_due: impl Fn(u64, &PublishedEvent) -> bool) -> Option<u64> {
        self.span(seq, self.head()).find(|(seq, event)| is_due(*seq, event)).map(|(seq, _)| seq)
    }

    /// Returns the newest due event of each key with `after < seq <= until`.
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

    /// Returns the number of seeks.
    pub fn seeks(&self) -> usize {
        self.seeks.len()
    }

    /// Returns the newest event before seek number `seeks`, or 0 if `seeks` is 0.
    pub fn head_at_seek(&self, seeks: usize) -> u64 {
        seeks.checked_sub(1).map_or(0, |last| self.seeks[last].after)
    }

    /// Returns the newest event before seek number `seeks + 1`, or `u64::MAX` if there is no such seek.
    pub fn head_at_next_seek(&self, seeks: usize) -> u64 {
        self.seeks.get(seeks).map_or(u64::MAX, |seek| seek.after)
    }

    /// Returns the subscribed symbols that have values after this many seeks and after all events up to
    /// `seq`.
    pub fn symbols(&self, wanted: &Subscription, seeks: usize, seq: u64) -> BTreeSet<String> {
        let published = self.seqs.keys();
        let folded = seeks.checked_sub(1).map(|last| self.seeks[last].folded.keys());
        let named = published.chain(folded.into_iter().flatten()).filter(|symbol| wanted.names(symbol));
        named.filter(|symbol| self.snapshot(symbol, seeks, seq).is_some()).cloned().collect()
    }

    /// Returns a symbol's snapshot after this many seeks and after all events up to `seq`. Returns `None` if
    /// the symbol has no values.
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
    /// Checks that this frame is the event's market frame.
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

    /// Returns the union with another subscription of the same kinds.
    pub fn with(&self, more: &Self) -> Self {
        let mut names = [self.names.as_slice(), &more.names].concat();
        names.sort_unstable();
        names.dedup();
        Self { all: self.all || more.all, names, kinds: self.kinds.clone() }
    }

    pub fn includes(&self, event: &PublishedEvent) -> bool {
        self.kinds.contains(&event.kind) && self.names(&event.symbol)
    }

    /// Returns the subscribed names. If all symbols are subscribed, `*` comes first.
    pub fn symbols(&self) -> Vec<&str> {
        let star = self.all.then_some("*");
        star.into_iter().chain(self.names.iter().map(String::as_str)).collect()
    }
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).expect("the test publishes a few thousand events")
}
