//! Tests with random steps. The log, the shard and the outbox must not lose or repeat an event.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::bus::{LastValueCache, Read, Reader, Segment};
use tickerplant::encoding::Encoding;
use tickerplant::market::{FeedState, KindSet};
use tickerplant::wire::Delivery;

use crate::support::reference_history::{ReferenceHistory, position, seeks_at};
use crate::support::resuming_client::ResumingClient;
use crate::support::shard_harness::{
    ShardHarness, Step, a_bus, catch_up_bytes, cursor, encoding, event, step, subscribe, symbols,
};

/// A limit for a number of events or bytes. No test reaches this limit.
const ENOUGH: usize = 1 << 30;

#[derive(Clone, Debug)]
enum LogStep {
    Publish(Vec<u8>),
    SetFeedState,
    Seek(Vec<u8>),
    Read(usize),
}

fn log_step() -> impl Strategy<Value = LogStep> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..6).prop_map(LogStep::Publish),
        1 => Just(LogStep::SetFeedState),
        1 => vec(any::<u8>(), 0..4).prop_map(LogStep::Seek),
        4 => (0_usize..8).prop_map(LogStep::Read),
    ]
}

proptest! {
    #[test]
    fn a_reader_gets_every_event_in_order_or_the_exact_fold_of_what_it_missed(
        history in 1_usize..12,
        steps in vec(log_step(), 1..60),
    ) {
        let bus = a_bus(history, ENOUGH);
        let (mut reader, checkpoint) = bus.reader("test");
        let mut fold = checkpoint.last_values;
        let mut seeks = 0;
        let mut past = ReferenceHistory::default();
        for step in steps {
            match step {
                LogStep::Publish(choices) => {
                    past.events.extend(choices.iter().copied().map(event));
                    prop_assert_eq!(bus.publish(choices.into_iter().map(event).collect()), past.head());
                }
                LogStep::SetFeedState => bus.set_feed_state(FeedState::Running),
                LogStep::Seek(choices) => {
                    let (last_values, position) = past.seek(choices.into_iter().map(event).collect());
                    bus.seek(last_values, position, FeedState::Paused);
                }
                LogStep::Read(count) => {
                    for _ in 0..count {
                        read_and_check(&mut reader, &mut fold, &mut seeks, &past)?;
                    }
                }
            }
            let head = past.head();
            for after in 0..=head {
                let is_cut = past.seeks.last().is_some_and(|seek| after <= seek.after);
                let is_available = after + history as u64 >= head && !is_cut;
                let available = bus.after(&bus.epoch(), after);
                prop_assert_eq!(available.is_ok(), is_available, "after {} of {}", after, head);
                if let Ok(Some(chunk)) = available {
                    let (seq, event) = chunk.iter().next().unwrap();
                    prop_assert_eq!((seq, event), (after + 1, past.event(after + 1)));
                }
            }
        }
        while read_and_check(&mut reader, &mut fold, &mut seeks, &past)? {}
        prop_assert_eq!((fold.seq(), seeks), (past.head(), past.seeks.len()));
    }
}

/// Reads the log once, and checks the result against the reference history. Returns false if the log had
/// nothing new to read.
fn read_and_check(
    reader: &mut Reader,
    fold: &mut LastValueCache,
    seeks: &mut usize,
    past: &ReferenceHistory,
) -> Result<bool, TestCaseError> {
    match reader.try_next() {
        None => return Ok(false),
        Some(Read::Segment(segment)) => match &*segment {
            Segment::Events { first, events } => {
                for (seq, event) in (*first..).zip(events) {
                    fold.fold(seq, event);
                }
            }
            Segment::FeedState { .. } => {}
            Segment::Seek { seek, last_values, .. } => {
                prop_assert_eq!(seek.after, fold.seq());
                *seeks += 1;
                prop_assert_eq!(seek.position, position(*seeks));
                fold.clone_from(last_values);
            }
        },
        Some(Read::Lagged(checkpoint)) => {
            *fold = checkpoint.last_values;
            *seeks = checkpoint.seek.map_or(0, |seek| seeks_at(seek.position));
        }
    }
    prop_assert_eq!(&*fold, &past.fold(*seeks, fold.seq()));
    Ok(true)
}

proptest! {
    #[test]
    fn snapshots_updates_and_counts_join_exactly_however_a_client_subscribes_and_reads(
        encoding in encoding(),
        others_encoding in encoding(),
        catch_up_bytes in catch_up_bytes(),
        steps in vec(step(), 1..80),
    ) {
        let mut shard = ShardHarness::catching_up_by(catch_up_bytes, a_bus(ENOUGH, ENOUGH), 1 << 20);
        let mut client = shard.connect(encoding, Delivery::Latest, Duration::ZERO);
        if encoding != Encoding::WebSocket {
            // The client of a stream sends no commands: its URL contains the subscription.
            shard.ask(&mut client, subscribe(symbols(1, false), KindSet::ALL, None));
        }
        // Another client gets all events. So a batch also contains updates that the first client does not
        // get.
        let mut other = shard.connect(others_encoding, Delivery::Every, Duration::ZERO);
        shard.ask(&mut other, subscribe(symbols(0, true), KindSet::ALL, None));

        for step in steps {
            shard.step(&mut client, step);
            shard.check(&mut client)?;
            shard.drain(other.id);
            shard.check(&mut other)?;
        }

        shard.finish(&mut client)?;
        shard.finish(&mut other)?;
    }

    #[test]
    fn a_slow_consumer_that_is_closed_resumes_and_misses_nothing(
        encoding in encoding(),
        limit in 200_usize..2000,
        catch_up_bytes in catch_up_bytes(),
        steps in vec(step(), 1..120),
    ) {
        let mut shard = ShardHarness::catching_up_by(catch_up_bytes, a_bus(ENOUGH, ENOUGH), limit);
        let all = (symbols(0, true), KindSet::ALL);
        let every = (Delivery::Every, Duration::ZERO);
        let mut resuming = ResumingClient::begin(&mut shard, encoding, every, all, Some(cursor(0)));

        for step in steps {
            if !matches!(step, Step::Unsubscribe(..) | Step::Set(..) | Step::SubscribeWith(..)) {
                shard.step(&mut resuming.client, step);
            }
            resuming.follow(&mut shard)?;
        }

        resuming.finish(&mut shard)?;
    }
}
