//! The truth: what was published, as the test itself keeps it, and what a subscription is owed of it.

use std::collections::BTreeMap;
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
pub struct Epoch {
    pub name: String,
    /// The first has the sequence number 1.
    events: Vec<Published>,
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
        self.0.push(Epoch { name: name.clone(), events: Vec::new() });
        name
    }

    /// What the running server publishes next; returns its sequence number.
    pub fn publish(&mut self, mut event: Published) -> u64 {
        let epoch = self.0.last_mut().expect("a server runs");
        let seq = epoch.head() + 1;
        event.frame.insert("seq".to_owned(), seq.into());
        epoch.events.push(event);
        seq
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

    /// How many events of the subscription are in `after < seq <= until`.
    pub fn count(&self, wanted: &Subscription, after: u64, until: u64) -> u64 {
        let span = self.events[..index(until)].iter().skip(index(after));
        span.filter(|event| wanted.takes(event)).count() as u64
    }

    /// The first event of the subscription after `seq`.
    pub fn next(&self, wanted: &Subscription, seq: u64) -> Option<u64> {
        let mut rest = (seq + 1..).zip(self.events.iter().skip(index(seq)));
        rest.find(|(_, event)| wanted.takes(event)).map(|(seq, _)| seq)
    }

    /// The newest event of each key of the subscription in `after < seq <= until`.
    pub fn newest_in(&self, wanted: &Subscription, after: u64, until: u64) -> BTreeMap<Key<'_>, u64> {
        let span = (after + 1..).zip(self.events[..index(until)].iter().skip(index(after)));
        let taken = span.filter(|(_, event)| wanted.takes(event));
        taken.map(|(seq, event)| ((event.symbol.as_str(), event.kind), seq)).collect()
    }

    /// What the snapshots of a subscription say at `seq`, by symbol: the latest of each kind, whatever the channels.
    pub fn snapshots(&self, wanted: &Subscription, seq: u64) -> BTreeMap<String, Map<String, Value>> {
        let before = self.events[..index(seq)].iter().filter(|event| wanted.names(&event.symbol));
        let latest: BTreeMap<Key<'_>, &Published> =
            before.map(|event| ((event.symbol.as_str(), event.kind), event)).collect();
        let mut snapshots: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for ((symbol, kind), event) in latest {
            let mut inner = event.frame.clone();
            inner.remove("type");
            inner.remove("symbol");
            snapshots.entry(symbol.to_owned()).or_default().insert(KINDS[kind].to_owned(), inner.into());
        }
        snapshots
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
    fn names(&self, symbol: &str) -> bool {
        self.all || self.names.iter().any(|name| name == symbol)
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
