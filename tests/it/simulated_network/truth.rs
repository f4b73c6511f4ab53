//! The truth: what was published, as the test itself keeps it, and what a subscription is owed of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::checker::Verdict;

/// The kinds of event, as frames name them, and the channels of the same order.
pub const KINDS: [&str; 3] = ["trade", "quote", "bar"];
pub const CHANNELS: [&str; 3] = ["trades", "quotes", "bars"];

/// A symbol's events of one kind: what a newer one replaces.
pub type Key<'a> = (&'a str, usize);

/// All that was published, one epoch for each life of the server.
#[derive(Default)]
pub struct Truth(Vec<Epoch>);

/// One life of the server.
#[derive(Default)]
pub struct Epoch {
    pub name: String,
    /// The first has the sequence number 1.
    events: Vec<Published>,
    /// The sequence numbers of each symbol's events, by kind.
    of_symbols: BTreeMap<String, [Vec<u64>; KINDS.len()]>,
    seeks: Vec<Sought>,
}

/// A place where the feed went on from elsewhere.
pub struct Sought {
    /// The newest event before it.
    pub after: u64,
    /// What it folded without publishing: the frames of each symbol, by kind.
    folded: BTreeMap<String, [Option<Map<String, Value>>; KINDS.len()]>,
}

/// An event as a market frame has to say it.
pub struct Published {
    pub symbol: String,
    pub kind: usize,
    pub frame: Map<String, Value>,
    /// When, by the clock of the simulation.
    pub at: Duration,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub all: bool,
    /// In order.
    pub names: Vec<String>,
    /// Numbers of kinds, in order.
    pub kinds: Vec<usize>,
}

impl Truth {
    /// A server starts to count.
    pub fn begin(&mut self) -> String {
        let name = format!("run{}", self.0.len());
        self.0.push(Epoch { name: name.clone(), ..Epoch::default() });
        name
    }

    /// What the running server publishes next; returns its sequence number.
    pub fn publish(&mut self, mut event: Published) -> u64 {
        let epoch = self.0.last_mut().expect("a server runs");
        let seq = epoch.head() + 1;
        event.frame.insert("seq".to_owned(), seq.into());
        epoch.of_symbols.entry(event.symbol.clone()).or_default()[event.kind].push(seq);
        epoch.events.push(event);
        seq
    }

    /// The running server's feed goes on from elsewhere, where this is what has happened so far; returns how many seeks there
    /// have been.
    pub fn seek(&mut self, events: Vec<Published>) -> usize {
        let epoch = self.0.last_mut().expect("a server runs");
        let after = epoch.head();
        let mut folded: BTreeMap<String, [Option<Map<String, Value>>; KINDS.len()]> = BTreeMap::new();
        for mut event in events {
            event.frame.insert("seq".to_owned(), after.into());
            folded.entry(event.symbol).or_default()[event.kind] = Some(event.frame);
        }
        epoch.seeks.push(Sought { after, folded });
        epoch.seeks.len()
    }

    pub fn epoch(&self, name: &str) -> Option<&Epoch> {
        self.0.iter().find(|epoch| epoch.name == name)
    }

    pub fn newest(&self) -> &Epoch {
        self.0.last().expect("a server has run")
    }
}

impl Epoch {
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    pub fn at(&self, seq: u64) -> Option<&Published> {
        self.events.get(index(seq.checked_sub(1)?))
    }

    /// How many of the events in `after < seq <= until` are due.
    pub fn count(&self, after: u64, until: u64, is_due: impl Fn(u64, &Published) -> bool) -> u64 {
        self.span(after, until).filter(|(seq, event)| is_due(*seq, event)).count() as u64
    }

    /// The first event after `seq` that is due.
    pub fn next(&self, seq: u64, is_due: impl Fn(u64, &Published) -> bool) -> Option<u64> {
        self.span(seq, self.head()).find(|(seq, event)| is_due(*seq, event)).map(|(seq, _)| seq)
    }

    /// The newest event of each key of those in `after < seq <= until` that are due.
    pub fn newest_in(
        &self,
        after: u64,
        until: u64,
        is_due: impl Fn(u64, &Published) -> bool,
    ) -> BTreeMap<Key<'_>, u64> {
        let due = self.span(after, until).filter(|(seq, event)| is_due(*seq, event));
        due.map(|(seq, event)| ((event.symbol.as_str(), event.kind), seq)).collect()
    }

    /// The events in `after < seq <= until`.
    fn span(&self, after: u64, until: u64) -> impl Iterator<Item = (u64, &Published)> {
        (after + 1..).zip(self.events[..index(until)].iter().skip(index(after)))
    }

    /// How many seeks there have been.
    pub fn seeks(&self) -> usize {
        self.seeks.len()
    }

    /// The newest event before the last of so many seeks; 0 where there was none.
    pub fn sought_after(&self, seeks: usize) -> u64 {
        seeks.checked_sub(1).map_or(0, |last| self.seeks[last].after)
    }

    /// The newest event before the next seek after so many; none comes before the end of all where there is none.
    pub fn next_seek_after(&self, seeks: usize) -> u64 {
        self.seeks.get(seeks).map_or(u64::MAX, |seek| seek.after)
    }

    /// The symbols of a subscription that have data after so many seeks and the events up to `seq`.
    pub fn symbols(&self, wanted: &Subscription, seeks: usize, seq: u64) -> BTreeSet<String> {
        let published = self.of_symbols.keys();
        let folded = seeks.checked_sub(1).map(|last| self.seeks[last].folded.keys());
        let named = published.chain(folded.into_iter().flatten()).filter(|symbol| wanted.names(symbol));
        named.filter(|symbol| self.snapshot(symbol, seeks, seq).is_some()).cloned().collect()
    }

    /// What a symbol's snapshot says after so many seeks and the events up to `seq`: the latest of each kind, whatever the
    /// channels; `None` where the symbol has no data.
    pub fn snapshot(&self, symbol: &str, seeks: usize, seq: u64) -> Option<Map<String, Value>> {
        let sought = seeks.checked_sub(1).map(|last| &self.seeks[last]);
        let after = self.sought_after(seeks);
        let mut snapshot = Map::new();
        for (kind, name) in KINDS.iter().enumerate() {
            let published = self.of_symbols.get(symbol).and_then(|kinds| {
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

impl Published {
    /// Whether this is the frame that has to come of it.
    pub fn check(&self, frame: &Value, text: &str) -> Verdict {
        if frame.as_object() != Some(&self.frame) {
            return Err(format!("what was published is {}", json!(self.frame)));
        }
        let (kind, seq) = (KINDS[self.kind], &self.frame["seq"]);
        let start = format!(r#"{{"type":"{kind}","symbol":"{}","seq":{seq},"time":"#, self.symbol);
        if text.starts_with(&start) {
            Ok(())
        } else {
            Err("type, symbol, seq and time come first".to_owned())
        }
    }
}

impl Subscription {
    pub fn names(&self, symbol: &str) -> bool {
        self.all || self.names.binary_search_by(|name| name.as_str().cmp(symbol)).is_ok()
    }

    /// What it is together with another one of the same kinds.
    pub fn with(&self, more: &Self) -> Self {
        let mut names = [self.names.as_slice(), &more.names].concat();
        names.sort_unstable();
        names.dedup();
        Self { all: self.all || more.all, names, kinds: self.kinds.clone() }
    }

    pub fn takes(&self, event: &Published) -> bool {
        self.kinds.contains(&event.kind) && self.names(&event.symbol)
    }

    /// All that it names, `*` first.
    pub fn symbols(&self) -> Vec<&str> {
        let star = self.all.then_some("*");
        star.into_iter().chain(self.names.iter().map(String::as_str)).collect()
    }
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).expect("the test publishes a few thousand events")
}
