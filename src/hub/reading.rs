//! How a shard reads the log: it folds what is new, lays it out as a batch, and writes each client its part.
//!
//! A turn is bounded, whoever takes what it brings. What a socket does not take is kept for the client's
//! session; where the feed goes on from elsewhere, or the log has passed the shard, every subscriber is told.

use tokio::time::Instant;

use super::frames::Frames;
use super::outbox::Overflow;
use super::shard::Shard;
use super::subscriptions::ConnectionId;
use super::turns::turn;
use crate::bus::{LastValues, Read, Seek, Segment, Start};
use crate::market::{Event, FeedState, Time};
use crate::tally::Limit;
use crate::wire::{self, Delivery, Reply};

/// After so many events the rest of the thread has its turn, whoever takes them.
const READ_EVENTS: usize = 4096;

impl Shard {
    /// Takes in what the log says next, as much as is worth a turn; returns whether there was no more.
    ///
    /// `write` tries a connection's socket once and returns how many bytes it took. What it did not take
    /// is its session's to write. Heartbeats that are nearly due go with the updates, and say `time`.
    pub fn read(
        &mut self,
        now: Instant,
        time: Time,
        mut next: impl FnMut() -> Option<Read>,
        mut write: impl FnMut(ConnectionId, &[u8]) -> usize,
    ) -> bool {
        let mut events_read = 0;
        let mut is_drained = false;
        while events_read < READ_EVENTS && !self.batch.is_full(self.takers.len()) {
            let Some(read) = next() else {
                is_drained = true;
                break;
            };
            match read {
                Read::Segment(segment) => match &*segment {
                    Segment::Events { first, events } => {
                        for (seq, event) in (*first..).zip(events) {
                            self.apply(seq, event);
                        }
                        events_read += events.len();
                    }
                    // What every subscriber is told is written by the sessions before more is read.
                    Segment::Mark { state, .. } => {
                        self.flush(now, time, &mut write);
                        self.mark(state.clone());
                        break;
                    }
                    Segment::Seek { seek, state, last_values } => {
                        self.flush(now, time, &mut write);
                        self.seek(*seek, state.clone(), last_values.clone());
                        break;
                    }
                },
                Read::Lagged(start) => {
                    self.flush(now, time, &mut write);
                    self.start_again(*start);
                    break;
                }
            }
        }
        self.flush(now, time, &mut write);
        is_drained
    }

    fn apply(&mut self, seq: u64, event: &Event) {
        let index = self.last_values.fold(seq, event);
        let kind = event.kind();
        let key = (index, kind);
        let of_all = self.subscriptions.of_all(kind);
        let by_name = self.subscriptions.of(&event.symbol, kind);
        // A connection that takes all symbols gets this one once.
        let may_repeat = !of_all.is_empty();
        let takers = of_all.iter().map(|id| (*id, true)).chain(by_name.iter().map(|id| (*id, false)));
        let mut number = None;
        let mut clients = 0;
        for (id, takes_all) in takers {
            let connection = &mut self.connections[id];
            if connection.is_closing || may_repeat && !takes_all && connection.wants.all.contains(kind) {
                continue;
            }
            // The gap that the client is to be told of goes on.
            if connection.owes_gap.is_some() {
                continue;
            }
            if connection.resuming.is_some() {
                connection.wake(id, &mut self.woken);
            } else if connection.outbox.holds() || connection.owes_seek.is_some() {
                // What is held when it is told of a seek is in the snapshots that follow.
                connection.hold(id, key, &mut self.woken);
            } else {
                let number = *number.get_or_insert_with(|| {
                    let (seq, frame) = self.frames.latest(&self.last_values, key);
                    self.batch.push(seq, key, frame)
                });
                clients += 1;
                if connection.outbox.take(number) {
                    self.takers.push(id);
                }
            }
        }
        if let Some(number) = number {
            self.batch.taken(number, clients);
        }
    }

    /// Writes to each taker what it takes of the batch, and its heartbeat where that is nearly due.
    fn flush(&mut self, now: Instant, time: Time, mut write: impl FnMut(ConnectionId, &[u8]) -> usize) {
        let is_paced = self.bus.is_paced();
        // Nobody is always the last.
        let first = turn(self.batches, self.takers.len() as u64);
        self.batches += 1;
        let (last, first) = self.takers.split_at(usize::try_from(first).expect("it is one of them"));
        for &id in first.iter().chain(last) {
            let connection = &mut self.connections[id];
            if !connection.outbox.is_empty() {
                let kept = connection.outbox.keep(&self.batch, is_paced);
                connection.pushed(id, kept, &self.bus, &mut self.woken);
                continue;
            }
            self.beat.clear();
            if self.beats.is_near(id, now) {
                let heartbeat = connection.heartbeat(time, self.last_values.seq());
                wire::text(&mut self.beat, |out| heartbeat.write_to(out));
            }
            let count = write(id, self.batch.bytes(connection.outbox.runs(), &self.beat));
            match connection.outbox.flushed(&self.batch, count, is_paced) {
                Ok(Some(beyond)) if !self.beat.is_empty() => {
                    self.beats.gone(id, now);
                    if beyond < self.beat.len() {
                        connection.outbox.push(|out| out.extend_from_slice(&self.beat));
                        connection.outbox.written(beyond);
                        connection.wake(id, &mut self.woken);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => connection.wake(id, &mut self.woken),
                Err(Overflow) => {
                    connection.fall_behind(id, Limit::EveryBuffer, &self.bus, &mut self.woken);
                }
            }
        }
        self.takers.clear();
        self.batch.clear();
    }

    fn mark(&mut self, state: FeedState) {
        self.feed = state;
        let frame = feed_frame(&self.feed);
        for (id, connection) in &mut self.connections {
            if !connection.is_subscriber || connection.is_closing {
                continue;
            }
            let is_latest = connection.outbox.delivery().0 == Delivery::Latest;
            let waits = is_latest && connection.outbox.is_blocked();
            let is_broken = connection.owes_gap.is_some() || connection.owes_seek.is_some();
            if waits || is_broken || connection.resuming.is_some() {
                // It is told with the newest values when it reads again, or behind what it missed.
                connection.owes_state = true;
                continue;
            }
            connection.outbox.release(&self.last_values, &mut self.frames);
            let pushed = connection.outbox.push_news(&frame);
            connection.pushed(id, pushed, &self.bus, &mut self.woken);
        }
    }

    /// The feed goes on from elsewhere: these are the values now, and every subscriber is told.
    ///
    /// What is held is of the past and counts as merged; what is queued for an `every` client goes out first. A resume
    /// that is under way finds for itself that the log no longer serves it.
    fn seek(&mut self, seek: Seek, state: FeedState, last_values: LastValues) {
        (self.seek, self.feed, self.last_values) = (Some(seek), state, last_values);
        // Its symbols have other indexes than those of the fold before.
        self.frames = Frames::default();
        for (id, connection) in &mut self.connections {
            if !connection.is_subscriber || connection.is_closing {
                continue;
            }
            connection.wake(id, &mut self.woken);
            if connection.is_past(seek) {
                connection.owes_state = true;
                continue;
            }
            connection.outbox.drop_held();
            connection.owes_seek = Some(seek.position);
            // Whoever came level with the last event before it has missed nothing.
            connection.resuming.take_if(|after| *after == seek.after);
            if connection.resuming.is_some() {
                continue;
            }
            let is_every = connection.outbox.delivery().0 == Delivery::Every && connection.owes_gap.is_none();
            if is_every && connection.outbox.is_full() {
                // A set of snapshots for each seek would else wait for one that does not read.
                connection.fall_behind(id, Limit::EveryBuffer, &self.bus, &mut self.woken);
            } else if is_every || connection.outbox.is_empty() {
                connection.say_break(&self.last_values, &self.feed);
            }
        }
    }

    /// The log has passed this shard: what lies between is lost, and every subscriber is told.
    fn start_again(&mut self, start: Start) {
        let after = self.last_values.seq();
        let (until, lags) = (start.last_values.seq(), self.bus.tally().lags.get());
        tracing::warn!(after, until, lags, "a shard fell behind the history");
        let is_news = self.feed != start.feed;
        let seek = start.seek.filter(|seek| self.seek != Some(*seek));
        if until == after {
            // Nothing but states of the feed and seeks is lost, and only the newest counts.
            match seek {
                Some(seek) => self.seek(seek, start.feed, start.last_values),
                None if is_news => self.mark(start.feed),
                None => {}
            }
            return;
        }
        (self.seek, self.feed, self.last_values) = (start.seek, start.feed, start.last_values);
        // Where there was a seek, its symbols have other indexes than those of the fold before.
        self.frames = Frames::default();
        for (id, connection) in &mut self.connections {
            if !connection.is_subscriber || connection.is_closing {
                continue;
            }
            connection.owes_state |= is_news;
            if let Some(seek) = seek.filter(|seek| !connection.is_past(*seek)) {
                connection.owes_seek = Some(seek.position);
            }
            connection.wake(id, &mut self.woken);
            // One that is still being sent what it missed finds for itself that the log has passed it; one that wants nothing
            // has lost nothing.
            if connection.resuming.is_some() || connection.wants.len() == 0 {
                continue;
            }
            if connection.outbox.delivery().0 == Delivery::Every && connection.owes_gap.is_none() {
                connection.fall_behind(id, Limit::History, &self.bus, &mut self.woken);
                continue;
            }
            // A client that does not read is told once, when it does.
            connection.owes_gap.get_or_insert(after);
            if connection.outbox.is_empty() {
                connection.say_break(&self.last_values, &self.feed);
            }
        }
    }
}

/// How the feed fares, as a frame.
fn feed_frame(state: &FeedState) -> Vec<u8> {
    let mut frame = Vec::new();
    wire::text(&mut frame, |out| Reply::Feed(state.into()).write_to(out));
    frame
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::life::Deadlines;
    use super::super::shard::Settings;
    use super::*;
    use crate::bus::{self, Bus};
    use crate::market::{Data, FeedKind, KindSet, Trade};
    use crate::wire::{Command, Request, Symbols};

    fn shard(every_buffer: usize) -> Shard {
        let bus = Bus::new(&bus::Config::default(), FeedKind::Stdin, "test".to_owned());
        let (_, start) = bus.reader("test");
        let settings = Settings {
            heartbeat: Duration::from_secs(8),
            every_buffer,
            max_symbols: 0,
            deadlines: Deadlines::default(),
        };
        Shard::new(bus, start, settings)
    }

    fn subscribe(shard: &mut Shard, delivery: Delivery, interval: Duration, now: Instant) -> ConnectionId {
        let id = shard.connect(now);
        shard.begin(id, delivery, interval);
        let symbols = Symbols { all: true, ..Symbols::default() };
        let command = Command::Subscribe { symbols, channels: KindSet::ALL, after: None };
        shard.handle(id, &Request { id: None, command }, Time::default());
        let answer = shard.outgoing(id, now).len();
        shard.written(id, answer);
        id
    }

    fn segment(first: u64) -> Read {
        let data = Data::Trade(Trade { price: "1".parse().unwrap(), size: None });
        let event = Event { symbol: "A".parse().unwrap(), time: Time::default(), data };
        Read::Segment(Arc::new(Segment::Events { first, events: vec![event; 100].into() }))
    }

    #[test]
    fn a_turn_ends_where_the_log_does_not_and_nobody_fills_a_batch() {
        let now = Instant::now();
        let mut shard = shard(1 << 20);
        subscribe(&mut shard, Delivery::Latest, Duration::from_secs(1), now);
        let mut first = 1;
        let endless = || {
            first += 100;
            Some(segment(first - 100))
        };

        let is_drained = shard.read(now, Time::default(), endless, |_, _| 0);

        assert!(!is_drained);
    }

    #[test]
    fn a_shutdown_says_goodbye_to_a_client_that_was_about_to_be_closed() {
        let now = Instant::now();
        let mut shard = shard(100);
        let id = subscribe(&mut shard, Delivery::Every, Duration::ZERO, now);
        let mut segment = Some(segment(1));
        shard.read(now, Time::default(), || segment.take(), |_, _| 0);

        shard.close(id, 1001, "");

        assert!(shard.take_closing(id).is_none());
        assert_eq!(shard.outgoing(id, now), [0x88, 2, 0x03, 0xe9]);
    }

    #[test]
    fn heartbeats_that_go_with_updates_keep_their_period() {
        let begin = Instant::now();
        let mut shard = shard(1 << 20);
        subscribe(&mut shard, Delivery::Every, Duration::ZERO, begin);
        let mut heartbeats = Vec::new();

        // A client has an update every half second for 80 s.
        for n in 0..160 {
            let now = begin + Duration::from_millis(500) * n;
            let mut segment = Some(segment(u64::from(n) * 100 + 1));
            shard.read(
                now,
                Time::default(),
                || segment.take(),
                |_, bytes| {
                    let text = String::from_utf8_lossy(bytes);
                    heartbeats.extend(text.contains("\"heartbeat\"").then_some(now - begin));
                    bytes.len()
                },
            );
        }

        assert_eq!(heartbeats.first(), Some(&Duration::from_secs(7)));
        assert_eq!(heartbeats.len(), 10, "{heartbeats:?}");
    }
}
