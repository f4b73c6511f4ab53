//! For each event, counts the clients that have read it, and records when the first and the last client read
//! it.

use std::ops::Range;

use hdrhistogram::Histogram;
use tickerplant::market::Time;

use crate::statistics::histogram;

/// The arrivals of all events, indexed by `seq`.
pub struct Arrivals {
    start: Time,
    all: Vec<Arrival>,
}

#[derive(Clone, Copy, Default)]
struct Arrival {
    subscribers: u16,
    /// When the first client read the event, in microseconds since `Arrivals::start`.
    first: u32,
    /// When the last client read the event, in microseconds since `Arrivals::start`.
    last: u32,
}

impl Arrivals {
    pub fn new() -> Self {
        Self { start: Time::now(), all: Vec::new() }
    }

    /// Records that one more client has read an event. Returns how many clients had read the event before
    /// this client.
    pub fn record(&mut self, seq: u64, now: Time) -> u16 {
        let index = index(seq);
        if self.all.len() <= index {
            self.all.resize(index + 1, Arrival::default());
        }
        let arrival = &mut self.all[index];
        let rank = arrival.subscribers;
        let now = u32::try_from(now.since(self.start).as_micros()).unwrap_or(u32::MAX);
        if rank == 0 {
            arrival.first = now;
        }
        arrival.last = now;
        arrival.subscribers += 1;
        rank
    }

    /// Returns the number of missing and superfluous deliveries of the events whose `seq` is in `seqs`. Each
    /// event should reach as many clients as `subscribers` says.
    pub fn missing(&self, seqs: Range<u64>, subscribers: usize) -> u64 {
        let none = Arrival::default();
        let of = |seq| self.all.get(index(seq)).unwrap_or(&none);
        seqs.map(|seq| usize::from(of(seq).subscribers).abs_diff(subscribers) as u64).sum()
    }

    /// Returns the distribution of the events' skews, in microseconds. An event's skew is how much later the
    /// last client reads the event than the first client does. The distribution leaves out events that did
    /// not reach all subscribers.
    pub fn skew(&self, seqs: Range<u64>, subscribers: usize) -> Histogram<u64> {
        let mut skew = histogram();
        let all = self.all.iter().take(index(seqs.end)).skip(index(seqs.start));
        for arrival in all.filter(|arrival| usize::from(arrival.subscribers) == subscribers) {
            skew.saturating_record(arrival.last.saturating_sub(arrival.first).into());
        }
        skew
    }
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).expect("a seq fits in memory")
}
