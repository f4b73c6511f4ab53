//! What all clients saw together, and which promises were not kept.

use std::collections::BTreeMap;
use std::fmt::Display;

use hdrhistogram::Histogram;

use crate::table::histogram;

/// Of each kind of violation so many are told in full.
const TOLD: u64 = 3;

/// Counts of whatever has a name.
pub type Counts = BTreeMap<String, u64>;

/// What clients saw.
#[derive(Debug)]
pub struct Tally {
    /// Market frames.
    pub updates: u64,
    /// Events that newer ones replaced, by the heartbeats.
    pub merged: u64,
    pub heartbeats: u64,
    pub snapshots: u64,
    /// Messages of other clients.
    pub relayed: u64,
    /// Pings of the server, each answered.
    pub pings: u64,
    /// How often a client's count of events was compared with what there was.
    pub checked: u64,
    /// Where that was not known any more.
    pub unchecked: u64,
    /// Connections that came back with a cursor and were sent what they had missed.
    pub resumed: u64,
    /// And that turned out to have had all of it, once.
    pub exact: u64,
    /// And that ended before it was known.
    pub unsettled: u64,
    /// Gaps by their reason.
    pub gaps: Counts,
    /// Errors by their code.
    pub errors: Counts,
    /// How connections of subscribers ended.
    pub ends: Counts,
    /// What each kind of abuse came to.
    pub abuses: Counts,
    /// What should not have been.
    pub violations: Counts,
    /// Events that a client should have had and had not.
    pub lost: u64,
    /// And that it had more often than once.
    pub extra: u64,
    /// Of the clients that are measured, nanoseconds between an event's own time and the moment at which it was read.
    pub delays: Histogram<u64>,
    /// The same, of the oldest event that an update stands for.
    pub ages: Histogram<u64>,
}

impl Tally {
    /// Nothing seen.
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
            unsettled: 0,
            gaps: Counts::new(),
            errors: Counts::new(),
            ends: Counts::new(),
            abuses: Counts::new(),
            violations: Counts::new(),
            lost: 0,
            extra: 0,
            delays: histogram(),
            ages: histogram(),
        }
    }

    /// Counts a promise that was not kept, and says so the first few times.
    pub fn violation(&mut self, what: &str, how: impl Display) {
        let count = self.violations.entry(what.to_owned()).or_default();
        *count += 1;
        if *count <= TOLD {
            eprintln!("  violation: {what}: {how}");
        }
    }

    /// Adds what others saw.
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
        self.unsettled += other.unsettled;
        self.lost += other.lost;
        self.extra += other.extra;
        for (mine, others) in [
            (&mut self.gaps, &other.gaps),
            (&mut self.errors, &other.errors),
            (&mut self.ends, &other.ends),
            (&mut self.abuses, &other.abuses),
            (&mut self.violations, &other.violations),
        ] {
            for (name, number) in others {
                *mine.entry(name.clone()).or_default() += number;
            }
        }
        self.delays += &other.delays;
        self.ages += &other.ages;
    }

    /// Says all counts, a line each.
    pub fn print(&self) {
        println!("  {} updates, {} merged, {} snapshots", self.updates, self.merged, self.snapshots);
        println!(
            "  {} heartbeats, {} pings answered, {} relayed messages",
            self.heartbeats, self.pings, self.relayed
        );
        println!("  {} counts compared with what there was, {} could not be", self.checked, self.unchecked);
        println!(
            "  {} resumed: {} exact, {} ended before it was known",
            self.resumed, self.exact, self.unsettled
        );
        for (title, counts) in [
            ("gaps", &self.gaps),
            ("errors", &self.errors),
            ("ends", &self.ends),
            ("violations", &self.violations),
        ] {
            println!("  {title}: {}", list(counts));
        }
        for (what, number) in &self.abuses {
            println!("    {what}: {number}");
        }
    }
}

/// Counts one more.
pub fn count(counts: &mut Counts, name: impl Display) {
    *counts.entry(name.to_string()).or_default() += 1;
}

/// The counts as one line.
pub fn list(counts: &Counts) -> String {
    let all: Vec<_> = counts.iter().map(|(name, number)| format!("{name} {number}")).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
