//! `latest` with an interval, beside a model of time: what is held leaves when it is due, and not before.

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

/// The session wakes late by so many milliseconds at the most.
const LATEST: u64 = 8;

/// An interval that ends so much late has ended in time: the next one is counted from when it was due.
const LATE_FLUSH: Duration = Duration::from_millis(5);

#[derive(Clone, Debug)]
enum Act {
    /// Events that the shard reads at once, and then the session is woken.
    Happen(Vec<u8>),
    /// So many milliseconds go by; the session wakes so many after what is held is due.
    Wait(u64, u64),
    /// The session looks whether there is something to write, without a reason.
    Look,
    Set(Delivery, u64),
    Mark,
    /// The socket takes nothing for a while.
    Stall,
    /// The socket takes all again.
    GoOn,
}

fn act() -> impl Strategy<Value = Act> {
    let delivery = prop_oneof![3 => Just(Delivery::Latest), 1 => Just(Delivery::Every)];
    let lateness = prop_oneof![2 => Just(0), 1 => 1..=LATEST];
    let millis = || prop_oneof![1 => Just(0_u64), 3 => 1_u64..1000];
    prop_oneof![
        6 => vec(any::<u8>(), 1..6).prop_map(Act::Happen),
        4 => (0_u64..400, lateness).prop_map(|(millis, late)| Act::Wait(millis, late)),
        2 => Just(Act::Look),
        1 => (delivery, millis()).prop_map(|(delivery, millis)| Act::Set(delivery, millis)),
        1 => Just(Act::Mark),
        1 => Just(Act::Stall),
        2 => Just(Act::GoOn),
    ]
}

/// What the client is owed.
#[derive(Debug)]
struct Owed {
    delivery: Delivery,
    interval: Duration,
    /// The newest event of each key that is held, and since when the key is.
    held: BTreeMap<Key, (u64, Instant)>,
    /// When last something went because it was due.
    released: Option<Instant>,
    is_stalled: bool,
    owes_state: bool,
    merged: u64,
    /// What is on its way or gone.
    sent: Vec<u64>,
}

impl Owed {
    fn happens(&mut self, key: Key, seq: u64, now: Instant) {
        let is_late = self.is_stalled || !self.held.is_empty() || !self.interval.is_zero();
        if self.delivery == Delivery::Every || !is_late {
            self.sent.push(seq);
        } else if let Some((held, _)) = self.held.get_mut(&key) {
            *held = seq;
            self.merged += 1;
        } else {
            self.held.insert(key, (seq, now));
        }
    }

    /// All that is held goes, the oldest first.
    fn flush_conflated(&mut self) {
        let mut seqs: Vec<u64> = self.held.values().map(|(seq, _)| *seq).collect();
        seqs.sort_unstable();
        self.sent.append(&mut seqs);
        self.held.clear();
    }

    /// When what is held may go: at once after a rest, or an interval after the last did.
    fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.released.map_or(now, |released| now.max(released + self.interval));
        (!self.held.is_empty()).then_some(due)
    }

    fn look(&mut self, now: Instant) {
        if self.due(now) == Some(now) {
            self.flush_conflated();
            let due = self.released.map(|released| released + self.interval);
            self.released = due.filter(|due| now < *due + LATE_FLUSH).or(Some(now));
        }
        if std::mem::take(&mut self.owes_state) {
            self.flush_conflated();
        }
    }

    fn set_feed_state(&mut self) {
        // A state that is told at once is the newest: an older one is not owed any more.
        self.owes_state = self.is_stalled && self.delivery == Delivery::Latest;
        if !self.owes_state {
            self.flush_conflated();
        }
    }
}

/// A client with what it is owed and what it got.
struct Watched {
    shard: ShardHarness,
    client: Client,
    owed: Owed,
    received: Vec<u64>,
}

impl Watched {
    fn act(&mut self, act: Act) {
        match act {
            Act::Happen(choices) => {
                let first = self.shard.past.head() + 1;
                for (seq, choice) in (first..).zip(&choices) {
                    self.owed.happens(key_of(&event(*choice)), seq, self.shard.now);
                }
                self.shard.step(&mut self.client, Step::Publish(choices));
                self.shard.read(|_| usize::MAX);
                self.look();
            }
            Act::Wait(millis, late) => {
                let end = self.shard.now + Duration::from_millis(millis);
                while let Some(due) = self.due().filter(|due| *due <= end) {
                    self.shard.now = due.max(self.shard.now) + Duration::from_millis(late);
                    self.look();
                }
                self.shard.now = self.shard.now.max(end);
            }
            Act::Look => self.look(),
            Act::Set(delivery, millis) => {
                let interval = Duration::from_millis(millis);
                let command = Command::Set { delivery: Some(delivery), interval: Some(interval) };
                self.shard.ask(&mut self.client, command);
                self.owed.flush_conflated();
                (self.owed.delivery, self.owed.interval) = (delivery, interval);
                self.look();
            }
            Act::Mark => {
                self.shard.step(&mut self.client, Step::Mark);
                self.shard.read(|_| usize::MAX);
                self.owed.set_feed_state();
                self.look();
            }
            Act::Stall => {
                self.shard.step(&mut self.client, Step::Relay);
                self.shard.step(&mut self.client, Step::Block);
                self.owed.is_stalled = true;
            }
            Act::GoOn => {
                self.owed.is_stalled = false;
                self.look();
            }
        }
    }

    /// When the session's alarm goes; one that waits for its socket has none.
    fn due(&self) -> Option<Instant> {
        let is_heard = !self.owed.is_stalled;
        self.shard.shard.due(self.client.id, self.shard.now).filter(|_| is_heard)
    }

    fn look(&mut self) {
        if !self.owed.is_stalled {
            self.owed.look(self.shard.now);
            self.shard.drain(self.client.id);
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let frames = self.shard.heard(&self.client);
        self.received.extend(frames.iter().filter_map(Frame::event));
        self.client.model.take(frames, &self.shard.past)?;
        if self.owed.is_stalled {
            return Ok(());
        }
        prop_assert_eq!(&self.received, &self.owed.sent, "{:?}", self.owed);
        prop_assert_eq!(self.due(), self.owed.due(self.shard.now));
        let longest = self.owed.held.values().map(|(_, since)| self.shard.now - *since).max();
        prop_assert!(
            longest.is_none_or(|longest| longest < self.owed.interval + Duration::from_millis(LATEST)),
            "held for {:?}",
            longest
        );
        Ok(())
    }
}

proptest! {
    #[test]
    fn what_is_held_leaves_when_it_is_due_and_not_before_while_the_interval_changes(
        encoding in encoding(),
        acts in vec(act(), 1..100),
    ) {
        let mut shard = ShardHarness::new(a_bus(1 << 20, 1 << 30), 1 << 20);
        let mut client = shard.connect(encoding, Delivery::Latest, Duration::ZERO);
        shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));
        shard.drain(client.id);
        let owed = Owed {
            delivery: Delivery::Latest,
            interval: Duration::ZERO,
            held: BTreeMap::new(),
            released: None,
            is_stalled: false,
            owes_state: false,
            merged: 0,
            sent: Vec::new(),
        };
        let mut watched = Watched { shard, client, owed, received: Vec::new() };

        for act in acts {
            watched.act(act);
            watched.check()?;
        }

        watched.act(Act::GoOn);
        watched.act(Act::Set(Delivery::Latest, 0));
        watched.check()?;
        watched.shard.finish(&mut watched.client)?;
        let (sent, merged) = (watched.owed.sent.len() as u64, watched.owed.merged);
        prop_assert_eq!(watched.client.model.counted(), Some((sent, merged)));
    }
}
