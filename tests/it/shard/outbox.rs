//! Tests an outbox against a model. The model is a list of frames, and the number of bytes that the socket
//! accepted.

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
use crate::support::shard_harness::{
    SYMBOLS, ShardHarness, Step, a_bus, encoding, event, step, subscribe, symbols,
};

#[derive(Clone, Debug)]
enum Act {
    /// Pushes a reply of this many bytes into the outbox.
    Reply(usize),
    /// Pushes a message of this many bytes, which another client sent, into the outbox. If the flag is set,
    /// pending events do not count towards the outbox's limit.
    News(usize, bool),
    /// Pushes an event that the client missed into the outbox.
    Missed(u8),
    /// Sets the cursor of the last frame in the outbox to the sequence number of a new event.
    MoveCursor,
    Written(usize),
    Block,
    DiscardPending,
    Conflate(usize),
    DropConflated,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (1_usize..200).prop_map(Act::Reply),
        4 => (1_usize..200, any::<bool>()).prop_map(|(len, beside_events)| Act::News(len, beside_events)),
        2 => any::<u8>().prop_map(Act::Missed),
        1 => Just(Act::MoveCursor),
        8 => (0_usize..300).prop_map(Act::Written),
        // So many bytes are written that the buffer drops them while other bytes are still pending.
        1 => (4000_usize..6000).prop_map(Act::Reply),
        1 => (2000_usize..5000).prop_map(Act::Written),
        2 => Just(Act::Block),
        1 => Just(Act::DiscardPending),
        3 => (0_usize..9).prop_map(Act::Conflate),
        1 => Just(Act::DropConflated),
    ]
}

struct Frame {
    bytes: Vec<u8>,
    moves_to: Option<u64>,
    is_news: bool,
}

/// A model of an outbox: the expected frames and counts.
#[derive(Default)]
struct ClientModel {
    frames: VecDeque<Frame>,
    /// How many bytes of the first frame the socket has accepted.
    written_bytes: usize,
    is_blocked: bool,
    last_written: u64,
    conflated: BTreeSet<usize>,
    sent: u64,
    merged: u64,
}

impl ClientModel {
    fn push(&mut self, bytes: Vec<u8>, moves_to: Option<u64>, is_news: bool) {
        self.frames.push_back(Frame { bytes, moves_to, is_news });
    }

    fn bytes(&self) -> Vec<u8> {
        let all: Vec<&[u8]> = self.frames.iter().map(|frame| frame.bytes.as_slice()).collect();
        all.concat().split_off(self.written_bytes)
    }

    fn news(&self) -> usize {
        self.frames
            .iter()
            .filter(|frame| frame.is_news)
            .map(|frame| frame.bytes.len().max(MIN_FRAME_BYTES))
            .sum()
    }

    fn written(&mut self, count: usize) {
        self.written_bytes += count;
        self.is_blocked = false;
        while let Some(first) = self.frames.pop_front_if(|first| first.bytes.len() <= self.written_bytes) {
            self.written_bytes -= first.bytes.len();
            self.last_written = first.moves_to.unwrap_or(self.last_written);
        }
    }

    /// Discards all pending frames, but not a frame of which the socket has accepted a part.
    fn discard_pending(&mut self) {
        self.frames.truncate(usize::from(self.written_bytes > 0));
        let moves_to = self.frames.front().and_then(|begun| begun.moves_to);
        self.last_written = moves_to.unwrap_or(self.last_written);
        self.conflated.clear();
    }
}

/// A pending frame that is shorter than this counts as this many bytes towards the outbox's limit.
const MIN_FRAME_BYTES: usize = 32;

proptest! {
    #[test]
    fn an_outbox_has_the_pending_frames_and_its_news_never_exceed_the_limit(
        encoding in encoding(),
        limit in 1_usize..600,
        acts in vec(act(), 1..100),
    ) {
        let mut outbox = Outbox::new(limit);
        let mut model = ClientModel::default();
        let mut seq = 0;
        for act in acts {
            match act {
                Act::Reply(len) => {
                    outbox.push(|out| out.resize(out.len() + len, b'a'));
                    model.push(vec![b'a'; len], None, false);
                }
                Act::News(len, beside_events) => {
                    let fits = model.news() + len.max(MIN_FRAME_BYTES) <= limit;
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
                Act::MoveCursor => {
                    seq += 1;
                    outbox.last_frame_moves_to(seq);
                    if let Some(last) = model.frames.back_mut() {
                        last.moves_to = Some(seq);
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
                Act::DiscardPending => {
                    outbox.discard_pending();
                    model.discard_pending();
                    // After a discard, a session writes only the rest of a partly written frame and a close.
                    let remaining = outbox.bytes().to_vec();
                    prop_assert_eq!(&remaining, &model.bytes());
                    outbox.written(remaining.len());
                    model.written(remaining.len());
                }
                Act::Conflate(key) => {
                    let is_first = model.conflated.is_empty();
                    model.merged += u64::from(!model.conflated.insert(key));
                    prop_assert_eq!(outbox.conflate((key / 3, Kind::ALL[key % 3]), 1), is_first);
                }
                Act::DropConflated => {
                    outbox.drop_conflated();
                    model.merged += model.conflated.len() as u64;
                    model.conflated.clear();
                }
            }
            prop_assert_eq!(outbox.bytes(), model.bytes());
            prop_assert_eq!(outbox.is_empty(), model.frames.is_empty());
            let pending = model.bytes().len().max(model.frames.len() * MIN_FRAME_BYTES);
            prop_assert_eq!(outbox.is_full(), pending >= limit);
            prop_assert_eq!(outbox.is_blocked(), model.is_blocked);
            prop_assert_eq!(outbox.last_written(), model.last_written);
            prop_assert_eq!(outbox.first_pending(), model.frames.iter().find_map(|frame| frame.moves_to));
            prop_assert_eq!(outbox.counts(), (model.sent, model.merged));
            prop_assert_eq!(outbox.must_conflate(), model.is_blocked || !model.conflated.is_empty());
            let is_due = !model.conflated.is_empty() && model.frames.is_empty();
            let now = Instant::now();
            prop_assert_eq!(outbox.due(now), is_due.then_some(now));
        }
    }

    #[test]
    fn pending_bytes_are_within_the_limit_but_for_a_begun_frame_and_conflated_events(
        limit in 100_usize..1500,
        encoding in encoding(),
        every in any::<bool>(),
        steps in vec(step(), 1..100),
    ) {
        const FRAME: usize = 160;
        let mut shard = ShardHarness::new(a_bus(1 << 20, 1 << 30), limit);
        let delivery = (if every { Delivery::Every } else { Delivery::Latest }, Duration::ZERO);
        let subscription = (symbols(0, true), KindSet::ALL);
        let mut resuming = ResumingClient::begin(&mut shard, encoding, delivery, subscription, None);
        shard.drain(resuming.client.id);
        // For a `latest` client, one event of each symbol and kind may be pending in addition to the limit.
        let most = if every { limit.max(FRAME) } else { limit + SYMBOLS.len() * Kind::ALL.len() * FRAME };

        for step in steps {
            let id = resuming.client.id;
            match step {
                Step::Publish(_) | Step::SetFeedState | Step::Relay(_) | Step::Write(_) | Step::Block => {
                    shard.step(&mut resuming.client, step);
                }
                Step::Read(most, _) => shard.step(&mut resuming.client, Step::Read(most, false)),
                _ => {}
            }
            // Marks the socket as blocked, as after a write that the socket did not accept.
            shard.shard.block(id);
            let waiting = shard.shard.outgoing(id, shard.now).len();
            prop_assert!(waiting <= most, "{} bytes are pending", waiting);
            if resuming.follow(&mut shard)? {
                shard.drain(resuming.client.id);
            }
        }
    }

    #[test]
    fn no_event_of_a_batch_over_the_limit_overtakes_a_conflated_one(
        limit in 100_usize..1000,
        batches in vec((vec(any::<u8>(), 1..12), 1_usize..600), 1..20),
    ) {
        let mut shard = ShardHarness::new(a_bus(1 << 20, 1 << 30), limit);
        let mut client = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::ZERO);
        shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));
        shard.drain(client.id);

        for (choices, most) in batches {
            // Adds a pending reply that the session has not tried to write yet.
            shard.shard.answer(client.id, &Value::Pong(b"wait"));
            shard.step(&mut client, Step::Publish(choices));
            shard.read(|_| usize::MAX);
            shard.write(client.id, most);
            shard.check(&mut client)?;
        }

        shard.finish(&mut client)?;
    }
}
