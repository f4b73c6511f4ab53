//! The outbox beside a model of it: a list of frames, of which the socket has taken so many bytes.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::encoding::{Encoding, Value};
use tickerplant::hub::{Outbox, SlowConsumer};
use tickerplant::market::{Kind, KindSet};
use tickerplant::wire::Delivery;
use tokio::time::Instant;

use crate::support::resuming_client::ResumingClient;
use crate::support::shard_harness::{ShardHarness, Step, a_bus, encoding, event, step, subscribe, symbols};

#[derive(Clone, Debug)]
enum Act {
    /// An answer of so many bytes.
    Push(usize),
    /// Another client's message of so many bytes, beside events or not.
    News(usize, bool),
    /// An event that the client missed.
    Missed(u8),
    /// With the last frame the client has all up to here.
    Reaches,
    Written(usize),
    Block,
    Cut,
    Hold(usize),
    DropHeld,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (1_usize..200).prop_map(Act::Push),
        4 => (1_usize..200, any::<bool>()).prop_map(|(len, beside_events)| Act::News(len, beside_events)),
        2 => any::<u8>().prop_map(Act::Missed),
        1 => Just(Act::Reaches),
        8 => (0_usize..300).prop_map(Act::Written),
        // More than a buffer gives back at once.
        1 => (4000_usize..6000).prop_map(Act::Push),
        1 => (2000_usize..5000).prop_map(Act::Written),
        2 => Just(Act::Block),
        1 => Just(Act::Cut),
        3 => (0_usize..9).prop_map(Act::Hold),
        1 => Just(Act::DropHeld),
    ]
}

struct Frame {
    bytes: Vec<u8>,
    reaches: Option<u64>,
    is_news: bool,
}

/// What an outbox holds and has counted.
#[derive(Default)]
struct ClientModel {
    frames: VecDeque<Frame>,
    /// How many bytes of the first frame the socket has taken.
    taken: usize,
    is_blocked: bool,
    last_written: u64,
    held: BTreeSet<usize>,
    sent: u64,
    merged: u64,
}

impl ClientModel {
    fn push(&mut self, bytes: Vec<u8>, reaches: Option<u64>, is_news: bool) {
        self.frames.push_back(Frame { bytes, reaches, is_news });
    }

    fn bytes(&self) -> Vec<u8> {
        let all: Vec<&[u8]> = self.frames.iter().map(|frame| frame.bytes.as_slice()).collect();
        all.concat().split_off(self.taken)
    }

    fn news(&self) -> usize {
        self.frames.iter().filter(|frame| frame.is_news).map(|frame| frame.bytes.len().max(LEAST)).sum()
    }

    fn written(&mut self, count: usize) {
        self.taken += count;
        self.is_blocked = false;
        while let Some(first) = self.frames.pop_front_if(|first| first.bytes.len() <= self.taken) {
            self.taken -= first.bytes.len();
            self.last_written = first.reaches.unwrap_or(self.last_written);
        }
    }

    /// Only the frame stays whose first bytes are out.
    fn cut(&mut self) {
        self.frames.truncate(usize::from(self.taken > 0));
        let reaches = self.frames.front().and_then(|begun| begun.reaches);
        self.last_written = reaches.unwrap_or(self.last_written);
        self.held.clear();
    }
}

/// A frame that waits counts for so many bytes at the least.
const LEAST: usize = 32;

proptest! {
    #[test]
    fn an_outbox_is_the_frames_that_wait_and_news_never_pass_its_limit(
        encoding in encoding(),
        limit in 1_usize..600,
        acts in vec(act(), 1..100),
    ) {
        let mut outbox = Outbox::new(limit);
        let mut model = ClientModel::default();
        let mut seq = 0;
        for act in acts {
            match act {
                Act::Push(len) => {
                    outbox.push(|out| out.resize(out.len() + len, b'a'));
                    model.push(vec![b'a'; len], None, false);
                }
                Act::News(len, beside_events) => {
                    let fits = model.news() + len.max(LEAST) <= limit;
                    let pushed = outbox.push_news(&vec![b'n'; len], beside_events);
                    prop_assert_eq!(pushed, if fits { Ok(()) } else { Err(SlowConsumer) });
                    if fits {
                        model.push(vec![b'n'; len], None, true);
                    }
                }
                Act::Missed(choice) => {
                    seq += 1;
                    let mut frame = Vec::new();
                    encoding.write(&mut frame, &Value::Event(seq, &event(choice)));
                    outbox.push_missed(seq, |out| out.extend_from_slice(&frame));
                    model.push(frame, Some(seq), false);
                    model.sent += 1;
                }
                Act::Reaches => {
                    seq += 1;
                    outbox.reaches(seq);
                    if let Some(last) = model.frames.back_mut() {
                        last.reaches = Some(seq);
                    }
                }
                Act::Written(most) => {
                    let count = most.min(outbox.bytes().len());
                    outbox.written(count);
                    model.written(count);
                }
                Act::Block => {
                    outbox.block();
                    model.is_blocked = !model.frames.is_empty();
                }
                Act::Cut => {
                    outbox.cut();
                    model.cut();
                    // Nothing more is put there but a goodbye, which goes with the rest.
                    let rest = outbox.bytes().to_vec();
                    prop_assert_eq!(&rest, &model.bytes());
                    outbox.written(rest.len());
                    model.written(rest.len());
                }
                Act::Hold(key) => {
                    let is_first = model.held.is_empty();
                    model.merged += u64::from(!model.held.insert(key));
                    prop_assert_eq!(outbox.conflate((key / 3, Kind::ALL[key % 3]), 1), is_first);
                }
                Act::DropHeld => {
                    outbox.drop_conflated();
                    model.merged += model.held.len() as u64;
                    model.held.clear();
                }
            }
            prop_assert_eq!(outbox.bytes(), model.bytes());
            prop_assert_eq!(outbox.is_empty(), model.frames.is_empty());
            prop_assert_eq!(outbox.is_full(), model.bytes().len().max(model.frames.len() * LEAST) >= limit);
            prop_assert_eq!(outbox.is_blocked(), model.is_blocked);
            prop_assert_eq!(outbox.last_written(), model.last_written);
            prop_assert_eq!(outbox.first_waiting(), model.frames.iter().find_map(|frame| frame.reaches));
            prop_assert_eq!(outbox.counts(), (model.sent, model.merged));
            prop_assert_eq!(outbox.must_conflate(), model.is_blocked || !model.held.is_empty());
            let is_due = !model.held.is_empty() && model.frames.is_empty();
            let now = Instant::now();
            prop_assert_eq!(outbox.due(now), is_due.then_some(now));
        }
    }

    #[test]
    fn what_waits_for_a_client_is_within_its_limit_beside_a_begun_frame_and_what_was_held(
        limit in 100_usize..1500,
        encoding in encoding(),
        every in any::<bool>(),
        steps in vec(step(), 1..100),
    ) {
        const FRAME: usize = 140;
        let mut shard = ShardHarness::new(a_bus(1 << 20, 1 << 30), limit);
        let delivery = (if every { Delivery::Every } else { Delivery::Latest }, Duration::ZERO);
        let wants = (symbols(0, true), KindSet::ALL);
        let mut resuming = ResumingClient::begin(&mut shard, encoding, delivery, wants, None);
        shard.drain(resuming.client.id);
        // Of each symbol and kind one can be held; answers to a client that comes back are not counted.
        let most = if every { limit.max(FRAME) } else { limit + 9 * FRAME };

        for step in steps {
            let id = resuming.client.id;
            match step {
                Step::Publish(_) | Step::Mark | Step::Relay | Step::Write(_) | Step::Block => {
                    shard.step(&mut resuming.client, step);
                }
                Step::Read(most, _) => shard.step(&mut resuming.client, Step::Read(most, false)),
                _ => {}
            }
            // Its session has tried, and the socket takes no more.
            shard.shard.block(id);
            let waiting = shard.shard.outgoing(id, shard.now).len();
            prop_assert!(waiting <= most, "{} bytes wait", waiting);
            if resuming.follow(&mut shard)? {
                shard.drain(resuming.client.id);
            }
        }
    }

    #[test]
    fn of_a_batch_that_does_not_fit_nothing_goes_past_what_is_held(
        limit in 100_usize..1000,
        batches in vec((vec(any::<u8>(), 1..12), 1_usize..600), 1..20),
    ) {
        let mut shard = ShardHarness::new(a_bus(1 << 20, 1 << 30), limit);
        let mut client = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::ZERO);
        shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));
        shard.drain(client.id);

        for (choices, most) in batches {
            // Something waits, and its session has not tried to write it yet.
            shard.shard.answer(client.id, &Value::Pong(b"wait"));
            shard.step(&mut client, Step::Publish(choices));
            shard.read(|_| usize::MAX);
            shard.write(client.id, most);
            shard.check(&mut client)?;
        }

        shard.finish(&mut client)?;
    }
}
