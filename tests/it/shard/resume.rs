//! Tests that a resume either delivers every missed event or is refused. The tests vary which events the log
//! still has, and how fast the client reads.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tickerplant::encoding::Encoding;
use tickerplant::market::KindSet;
use tickerplant::wire::{Cursor, Delivery};

use crate::support::proptest_cases::cases;
use crate::support::resuming_client::ResumingClient;
use crate::support::shard_harness::{
    EPOCH, ShardHarness, Step, a_bus, catch_up_bytes, channels, cursor, delivery, encoding, step, symbols,
};

/// A limit for a number of events or bytes. No test reaches this limit.
const ENOUGH: usize = 1 << 30;

/// The cursor with which a client resumes.
#[derive(Clone, Debug)]
enum ResumeCursor {
    /// A cursor with the sequence number of any published event, or with 0.
    Within(Index),
    /// A cursor that is ahead of the newest event by this many events.
    Ahead(u64),
    OtherEpoch(u64),
}

impl ResumeCursor {
    fn cursor(&self, head: usize) -> Cursor {
        match self {
            Self::Within(index) => cursor(index.index(head + 1) as u64),
            Self::Ahead(by) => cursor(head as u64 + by),
            Self::OtherEpoch(seq) => Cursor { epoch: format!("{EPOCH}0"), seq: *seq },
        }
    }
}

fn resume_cursor() -> impl Strategy<Value = ResumeCursor> {
    prop_oneof![
        12 => any::<Index>().prop_map(ResumeCursor::Within),
        1 => (1..4_u64).prop_map(ResumeCursor::Ahead),
        1 => any::<u64>().prop_map(ResumeCursor::OtherEpoch),
    ]
}

/// Generates a random step that happens before the client connects.
fn before() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => vec(any::<u8>(), 1..6).prop_map(Step::Publish),
        2 => Just(Step::Read(usize::MAX, false)),
        1 => Just(Step::SetFeedState),
        1 => vec(any::<u8>(), 0..4).prop_map(Step::Seek),
    ]
}

/// Generates a random step that happens during a long resume.
fn busy() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<u8>(), 1_usize..1500).prop_map(|(first, count)| Step::PublishMany(first, count)),
        3 => (0_usize..200_000).prop_map(|most| Step::Read(most, false)),
        6 => (1_usize..100_000).prop_map(Step::Write),
        1 => Just(Step::Block),
        1 => Just(Step::SetFeedState),
        1 => vec(any::<u8>(), 0..4).prop_map(Step::Seek),
    ]
}

/// Connects and returns another client, which subscribes to all events.
fn bystander(shard: &mut ShardHarness) -> ResumingClient {
    let all = (symbols(0, true), KindSet::ALL);
    let latest = (Delivery::Latest, Duration::ZERO);
    let bystander = ResumingClient::begin(shard, Encoding::WebSocket, latest, all, None);
    shard.drain(bystander.client.id);
    bystander
}

fn run(
    shard: &mut ShardHarness,
    resuming: &mut ResumingClient,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    for step in steps {
        shard.step(&mut resuming.client, step);
        resuming.follow(shard)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_resume_is_complete_or_refused_and_continues_live_without_a_gap(
        history in 1_usize..40,
        bytes in prop_oneof![2 => Just(ENOUGH), 1 => 1_usize..8000],
        every_buffer in prop_oneof![Just(1 << 20), 300_usize..3000],
        catch_up_bytes in catch_up_bytes(),
        past in vec(before(), 0..12),
        (bits, star, kinds) in (1_u8..8, any::<bool>(), 1_u8..8),
        encoding in encoding(),
        delivery in delivery(),
        resume_cursor in resume_cursor(),
        steps in vec(step(), 1..80),
    ) {
        let bus = a_bus(history, bytes);
        let mut shard = ShardHarness::catching_up_by(catch_up_bytes, bus, every_buffer);
        let mut bystander = bystander(&mut shard);
        for step in past {
            shard.step(&mut bystander.client, step);
            shard.drain(bystander.client.id);
        }
        let after = resume_cursor.cursor(shard.past.events.len());
        let subscription = (symbols(bits, star), channels(kinds));
        let mut resuming = ResumingClient::begin(&mut shard, encoding, delivery, subscription, Some(after));

        for step in steps {
            run(&mut shard, &mut resuming, vec![step])?;
            shard.drain(bystander.client.id);
            bystander.follow(&mut shard)?;
        }

        resuming.finish(&mut shard)?;
        bystander.finish(&mut shard)?;
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn a_long_resume_in_parts_is_complete_while_the_feed_publishes(
        history in 500_usize..6000,
        bytes in prop_oneof![2 => Just(ENOUGH), 1 => 100_000_usize..1_000_000],
        every_buffer in 8_000_usize..400_000,
        past in vec((any::<u8>(), 1_usize..1500), 1..4),
        star in any::<bool>(),
        encoding in encoding(),
        delivery in delivery(),
        resume_cursor in resume_cursor(),
        steps in vec(busy(), 1..40),
    ) {
        let mut shard = ShardHarness::new(a_bus(history, bytes), every_buffer);
        let mut bystander = bystander(&mut shard);
        for (first, count) in past {
            shard.step(&mut bystander.client, Step::PublishMany(first, count));
        }
        shard.settle(bystander.client.id);
        let after = resume_cursor.cursor(shard.past.events.len());
        let subscription = (symbols(1, star), KindSet::ALL);
        let mut resuming = ResumingClient::begin(&mut shard, encoding, delivery, subscription, Some(after));

        run(&mut shard, &mut resuming, steps)?;

        resuming.finish(&mut shard)?;
    }
}

/// Returns a client in the middle of a resume. The client has received only the first part of its missed
/// events. The log no longer has the missed event that the client would receive next.
fn passed_while_resuming(delivery: Delivery) -> (ShardHarness, ResumingClient) {
    let mut shard = ShardHarness::new(a_bus(2048, ENOUGH), 1 << 20);
    let mut bystander = bystander(&mut shard);
    shard.step(&mut bystander.client, Step::PublishMany(0, 2048));
    shard.settle(bystander.client.id);
    let all = (symbols(0, true), KindSet::ALL);
    let delivery = (delivery, Duration::ZERO);
    let start = Some(cursor(0));
    let mut resuming = ResumingClient::begin(&mut shard, Encoding::WebSocket, delivery, all, start);
    // The first write is the reply. The second write is the first part of the missed events.
    shard.write(resuming.client.id, usize::MAX);
    shard.write(resuming.client.id, usize::MAX);
    assert!(!resuming.follow(&mut shard).unwrap());
    for _ in 0..2 {
        shard.step(&mut bystander.client, Step::PublishMany(0, 1024));
        shard.settle(bystander.client.id);
    }
    (shard, resuming)
}

#[test]
fn a_latest_client_that_the_log_passes_while_it_resumes_is_told_of_the_gap_once() {
    let (mut shard, resuming) = passed_while_resuming(Delivery::Latest);

    let client = resuming.finish(&mut shard).unwrap();

    assert_eq!(client.model.lagged(), 1);
}

#[test]
fn an_every_client_that_the_log_passes_while_it_resumes_is_closed_with_its_cursor() {
    let (mut shard, mut resuming) = passed_while_resuming(Delivery::Every);

    shard.drain(resuming.client.id);
    let is_closed = resuming.follow(&mut shard).unwrap();

    assert!(is_closed);
    resuming.finish(&mut shard).unwrap();
}
