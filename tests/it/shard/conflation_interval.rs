//! Tests a client with `delivery=latest` and a conflation interval against a model of this client. The shard
//! must flush conflated events when the conflation interval has passed, and not before.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::market::KindSet;
use tickerplant::wire::{Command, Delivery};
use tokio::time::Instant;

use crate::support::client_model::{Key, key_of};
use crate::support::received_frames::Frame;
use crate::support::shard_harness::{Client, ShardHarness, Step, a_bus, encoding, event, subscribe, symbols};

/// In these tests, the session wakes at most this many milliseconds late.
const MAX_WAKE_DELAY: u64 = 8;

/// If a flush is late by this duration or more, the next conflation interval begins at the time of the flush.
/// If the flush is less late, the next conflation interval begins at the time at which the flush was due.
const LATE_FLUSH: Duration = Duration::from_millis(5);

#[derive(Clone, Debug)]
enum Act {
    /// Publishes one event for each number. The number chooses the event. The shard reads the published
    /// events at once, and the session wakes.
    Publish(Vec<u8>),
    /// Time passes. The first number is how much time passes, in milliseconds. The second number is how late
    /// the session wakes when conflated events are due, in milliseconds.
    Wait(u64, u64),
    /// The session wakes without a cause, and writes its pending bytes if there are any.
    Write,
    Set(Delivery, u64),
    SetFeedState,
    /// The client's socket accepts no more bytes.
    Block,
    /// The client's socket accepts all bytes again.
    Unblock,
}

fn act() -> impl Strategy<Value = Act> {
    let delivery = prop_oneof![3 => Just(Delivery::Latest), 1 => Just(Delivery::Every)];
    let lateness = prop_oneof![2 => Just(0), 1 => 1..=MAX_WAKE_DELAY];
    let millis = || prop_oneof![1 => Just(0_u64), 3 => 1_u64..1000];
    prop_oneof![
        6 => vec(any::<u8>(), 1..6).prop_map(Act::Publish),
        4 => (0_u64..400, lateness).prop_map(|(millis, late)| Act::Wait(millis, late)),
        2 => Just(Act::Write),
        1 => (delivery, millis()).prop_map(|(delivery, millis)| Act::Set(delivery, millis)),
        1 => Just(Act::SetFeedState),
        1 => Just(Act::Block),
        2 => Just(Act::Unblock),
    ]
}

/// The expected state of the client and of its pending events.
#[derive(Debug)]
struct Expected {
    delivery: Delivery,
    interval: Duration,
    /// For each key with conflated events: the sequence number of its newest event, and the time at which its
    /// first event was conflated.
    conflated: BTreeMap<Key, (u64, Instant)>,
    /// The time at which the current conflation interval began. `None` means that no flush has been due yet.
    last_flush: Option<Instant>,
    is_blocked: bool,
    owes_feed_state: bool,
    merged: u64,
    /// The sequence numbers of the events that were sent or are pending, in order.
    sent: Vec<u64>,
}

impl Expected {
    fn on_event(&mut self, key: Key, seq: u64, now: Instant) {
        let is_late = self.is_blocked || !self.conflated.is_empty() || !self.interval.is_zero();
        if self.delivery == Delivery::Every || !is_late {
            self.sent.push(seq);
        } else if let Some((conflated, _)) = self.conflated.get_mut(&key) {
            *conflated = seq;
            self.merged += 1;
        } else {
            self.conflated.insert(key, (seq, now));
        }
    }

    /// Flushes all conflated events, the oldest first.
    fn flush_conflated(&mut self) {
        let mut seqs: Vec<u64> = self.conflated.values().map(|(seq, _)| *seq).collect();
        seqs.sort_unstable();
        self.sent.append(&mut seqs);
        self.conflated.clear();
    }

    /// Returns the time at which the conflated events must be flushed: one conflation interval after the last
    /// flush, but not before `now`. Returns `None` if there are no conflated events.
    fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.last_flush.map_or(now, |last_flush| now.max(last_flush + self.interval));
        (!self.conflated.is_empty()).then_some(due)
    }

    fn write(&mut self, now: Instant) {
        if self.due(now) == Some(now) {
            self.flush_conflated();
            let due = self.last_flush.map(|last_flush| last_flush + self.interval);
            self.last_flush = due.filter(|due| now < *due + LATE_FLUSH).or(Some(now));
        }
        if std::mem::take(&mut self.owes_feed_state) {
            self.flush_conflated();
        }
    }

    fn set_feed_state(&mut self) {
        // A blocked `latest` client gets the feed state later. Any other client gets the state at once, in
        // place of an older pending state.
        self.owes_feed_state = self.is_blocked && self.delivery == Delivery::Latest;
        if !self.owes_feed_state {
            self.flush_conflated();
        }
    }
}

/// A client with its expected state and the events that it received.
struct Checked {
    shard: ShardHarness,
    client: Client,
    expected: Expected,
    received: Vec<u64>,
}

impl Checked {
    fn act(&mut self, act: Act) {
        match act {
            Act::Publish(choices) => {
                let first = self.shard.past.head() + 1;
                for (seq, choice) in (first..).zip(&choices) {
                    self.expected.on_event(key_of(&event(*choice)), seq, self.shard.now);
                }
                self.shard.step(&mut self.client, Step::Publish(choices));
                self.shard.read(|_| usize::MAX);
                self.write();
            }
            Act::Wait(millis, late) => {
                let end = self.shard.now + Duration::from_millis(millis);
                while let Some(due) = self.due().filter(|due| *due <= end) {
                    self.shard.now = due.max(self.shard.now) + Duration::from_millis(late);
                    self.write();
                }
                self.shard.now = self.shard.now.max(end);
            }
            Act::Write => self.write(),
            Act::Set(delivery, millis) => {
                let interval = Duration::from_millis(millis);
                let command = Command::Set { delivery: Some(delivery), interval: Some(interval) };
                self.shard.ask(&mut self.client, command);
                self.expected.flush_conflated();
                (self.expected.delivery, self.expected.interval) = (delivery, interval);
                self.write();
            }
            Act::SetFeedState => {
                self.shard.step(&mut self.client, Step::SetFeedState);
                self.shard.read(|_| usize::MAX);
                self.expected.set_feed_state();
                self.write();
            }
            Act::Block => {
                self.shard.step(&mut self.client, Step::Relay(0));
                self.shard.step(&mut self.client, Step::Block);
                self.expected.is_blocked = true;
            }
            Act::Unblock => {
                self.expected.is_blocked = false;
                self.write();
            }
        }
    }

    /// Returns the time at which the session's timer fires. Returns `None` if the session has no timer, for
    /// example while its socket accepts no bytes.
    fn due(&self) -> Option<Instant> {
        let is_awake = !self.expected.is_blocked;
        self.shard.shard.due(self.client.id, self.shard.now).filter(|_| is_awake)
    }

    fn write(&mut self) {
        if !self.expected.is_blocked {
            self.expected.write(self.shard.now);
            self.shard.drain(self.client.id);
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let frames = self.shard.heard(&self.client);
        self.received.extend(frames.iter().filter_map(Frame::event));
        self.client.model.take(frames, &self.shard.past)?;
        if self.expected.is_blocked {
            return Ok(());
        }
        prop_assert_eq!(&self.received, &self.expected.sent, "{:?}", self.expected);
        prop_assert_eq!(self.due(), self.expected.due(self.shard.now));
        let longest = self.expected.conflated.values().map(|(_, since)| self.shard.now - *since).max();
        prop_assert!(
            longest.is_none_or(
                |longest| longest < self.expected.interval + Duration::from_millis(MAX_WAKE_DELAY)
            ),
            "conflated for {:?}",
            longest
        );
        Ok(())
    }
}

proptest! {
    #[test]
    fn conflated_events_are_flushed_when_due_and_not_before_while_the_interval_changes(
        encoding in encoding(),
        acts in vec(act(), 1..100),
    ) {
        let mut shard = ShardHarness::new(a_bus(1 << 20, 1 << 30), 1 << 20);
        let mut client = shard.connect(encoding, Delivery::Latest, Duration::ZERO);
        shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));
        shard.drain(client.id);
        let expected = Expected {
            delivery: Delivery::Latest,
            interval: Duration::ZERO,
            conflated: BTreeMap::new(),
            last_flush: None,
            is_blocked: false,
            owes_feed_state: false,
            merged: 0,
            sent: Vec::new(),
        };
        let mut checked = Checked { shard, client, expected, received: Vec::new() };

        for act in acts {
            checked.act(act);
            checked.check()?;
        }

        checked.act(Act::Unblock);
        checked.act(Act::Set(Delivery::Latest, 0));
        checked.check()?;
        checked.shard.finish(&mut checked.client)?;
        let (sent, merged) = (checked.expected.sent.len() as u64, checked.expected.merged);
        prop_assert_eq!(checked.client.model.counted(), Some((sent, merged)));
    }
}
