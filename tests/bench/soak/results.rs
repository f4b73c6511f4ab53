//! The results of all clients together, and the promises that were broken.

use std::collections::BTreeMap;
use std::fmt::Display;

use hdrhistogram::Histogram;

use crate::statistics::histogram;

/// The number of violations of each kind that are printed in full.
const PRINTED: u64 = 3;

/// Counters by name.
pub type Counts = BTreeMap<String, u64>;

/// The counts and delays of one or more clients.
#[derive(Debug)]
pub struct Results {
    /// The number of market frames that arrived.
    pub updates: u64,
    /// The number of conflated events according to the heartbeats.
    pub merged: u64,
    pub heartbeats: u64,
    pub snapshots: u64,
    /// The number of messages from other clients that the server relayed.
    pub relayed: u64,
    /// The number of pings that the server sent. The clients answer every ping.
    pub pings: u64,
    /// How often the count of a client's events was compared with the number of published events.
    pub checked: u64,
    /// How often a client's count could not be compared, because the published events were no longer
    /// recorded.
    pub unchecked: u64,
    /// The number of connections that resumed from a cursor.
    pub resumed: u64,
    /// The number of resumed connections that got every missed event exactly once.
    pub exact: u64,
    /// The number of resumed connections that ended before they passed a comparison of the counts.
    pub unverified: u64,
    /// The number of gaps with each reason.
    pub gaps: Counts,
    /// The number of errors with each code.
    pub errors: Counts,
    /// How often a subscriber's connection ended, counted for each kind of end.
    pub ends: Counts,
    /// How often each attack had each outcome.
    pub attacks: Counts,
    /// How often the server broke each promise.
    pub violations: Counts,
    /// The number of events that should have arrived and did not.
    pub lost: u64,
    /// The number of events that arrived in excess, for example twice.
    pub extra: u64,
    /// The delays of the measured clients, in nanoseconds. A delay begins at the time in the event, and ends
    /// when the client has read the event.
    pub delays: Histogram<u64>,
    /// For each update, the age of its oldest event, in nanoseconds. An update contains one event and may
    /// conflate older events.
    pub ages: Histogram<u64>,
}

impl Results {
    pub fn new() -> Self {
        Self {
            updates: 0,
            merged: 0,
            heartbeats: 0,
            snapshots: 0,
            relayed: 0,
            pings: 0,
            checked: 0,
            unchecked: 0,
            resumed: 0,
            exact: 0,
            unverified: 0,
            gaps: Counts::new(),
            errors: Counts::new(),
            ends: Counts::new(),
            attacks: Counts::new(),
            violations: Counts::new(),
            lost: 0,
            extra: 0,
            delays: histogram(),
            ages: histogram(),
        }
    }

    /// Counts a violation of the kind `what`. Prints the details in `how` for the first few violations of
    /// each kind.
    pub fn record_violation(&mut self, what: &str, how: impl Display) {
        let count = self.violations.entry(what.to_owned()).or_default();
        *count += 1;
        if *count <= PRINTED {
            eprintln!("  violation: {what}: {how}");
        }
    }

    /// Adds the results of other clients to these results.
    pub fn add(&mut self, other: &Self) {
        self.updates += other.updates;
        self.merged += other.merged;
        self.heartbeats += other.heartbeats;
        self.snapshots += other.snapshots;
        self.relayed += other.relayed;
        self.pings += other.pings;
        self.checked += other.checked;
        self.unchecked += other.unchecked;
        self.resumed += other.resumed;
        self.exact += other.exact;
        self.unverified += other.unverified;
        self.lost += other.lost;
        self.extra += other.extra;
        for (mine, others) in [
            (&mut self.gaps, &other.gaps),
            (&mut self.errors, &other.errors),
            (&mut self.ends, &other.ends),
            (&mut self.attacks, &other.attacks),
            (&mut self.violations, &other.violations),
        ] {
            for (name, number) in others {
                *mine.entry(name.clone()).or_default() += number;
            }
        }
        self.delays += &other.delays;
        self.ages += &other.ages;
    }

    /// Prints all counts.
    pub fn print(&self) {
        println!("  {} updates, {} merged, {} snapshots", self.updates, self.merged, self.snapshots);
        println!(
            "  {} heartbeats, {} pings answered, {} relayed messages",
            self.heartbeats, self.pings, self.relayed
        );
        println!(
            "  {} counts compared with the published events, {} not comparable",
            self.checked, self.unchecked
        );
        println!(
            "  {} resumed: {} exact, {} ended before that was known",
            self.resumed, self.exact, self.unverified
        );
        for (title, counts) in [
            ("gaps", &self.gaps),
            ("errors", &self.errors),
            ("ends", &self.ends),
            ("violations", &self.violations),
        ] {
            println!("  {title}: {}", list(counts));
        }
        for (what, number) in &self.attacks {
            println!("    {what}: {number}");
        }
    }
}

/// Increments the counter with this name.
pub fn increment(counts: &mut Counts, name: impl Display) {
    *counts.entry(name.to_string()).or_default() += 1;
}

/// Returns all counters with their names, in one line of text.
pub fn list(counts: &Counts) -> String {
    let all: Vec<_> = counts.iter().map(|(name, number)| format!("{name} {number}")).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
