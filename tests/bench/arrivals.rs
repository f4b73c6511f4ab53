//! When each event reached its clients: how many, the first and the last.

use std::ops::Range;

use hdrhistogram::Histogram;
use tickerplant::market::Time;

use crate::table::histogram;

/// All events; the index is the `seq`.
pub struct Arrivals {
    start: Time,
    all: Vec<Arrival>,
}

#[derive(Clone, Copy, Default)]
struct Arrival {
    takers: u16,
    /// When it was read first, in microseconds since the start.
    first: u32,
    /// When it was read last.
    last: u32,
}

impl Arrivals {
    pub fn new() -> Self {
        Self { start: Time::now(), all: Vec::new() }
    }

    /// Notes that one more client has read an event; returns how many had it before.
    pub fn take(&mut self, seq: u64, now: Time) -> u16 {
        let index = index(seq);
        if self.all.len() <= index {
            self.all.resize(index + 1, Arrival::default());
        }
        let arrival = &mut self.all[index];
        let place = arrival.takers;
        let now = u32::try_from(now.since(self.start).as_micros()).unwrap_or(u32::MAX);
        if place == 0 {
            arrival.first = now;
        }
        arrival.last = now;
        arrival.takers += 1;
        place
    }

    /// How often some of these events were not read, or once too often, where each has so many takers.
    pub fn missing(&self, seqs: Range<u64>, takers: usize) -> u64 {
        let none = Arrival::default();
        let of = |seq| self.all.get(index(seq)).unwrap_or(&none);
        seqs.map(|seq| usize::from(of(seq).takers).abs_diff(takers) as u64).sum()
    }

    /// For each of these events that reached all, the microseconds between the first and the last that read it.
    pub fn skew(&self, seqs: Range<u64>, takers: usize) -> Histogram<u64> {
        let mut skew = histogram();
        let all = self.all.iter().take(index(seqs.end)).skip(index(seqs.start));
        for arrival in all.filter(|arrival| usize::from(arrival.takers) == takers) {
            skew.saturating_record(arrival.last.saturating_sub(arrival.first).into());
        }
        skew
    }
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).expect("a seq fits in memory")
}
