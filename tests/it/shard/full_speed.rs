//! Tests of a feed that publishes at full speed, and therefore waits for all clients with `delivery=every`.
//! The tests check when the shard closes a client for which the feed waits.

use std::iter;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::market::{FeedState, KindSet};
use tickerplant::wire::Delivery;

use crate::support::client_model::Pace;
use crate::support::events::trade;
use crate::support::received_frames::Frame;
use crate::support::shard_harness::{
    ENOUGH, ShardHarness, Step, a_bus, catch_up_bytes, encoding, heard_in_short, read_all, step, subscribe,
    symbols, wildcard_client,
};

/// The shard checks for stalled clients at this interval.
const LOOK: Duration = Duration::from_millis(500);

/// The number of checks for stalled clients within the stall timeout, which is 10 seconds.
const LOOKS: usize = 20;

/// The shard writes missed events and snapshots in parts of this many bytes. A client must read at least this
/// many bytes within the stall timeout.
const PORTION: usize = 2000;

/// The number of events that the test publishes. No client reads all of these events.
const EVENTS: usize = 400;

/// What kind of frames is pending for a client with `delivery=every`.
#[derive(Clone, Copy, Debug)]
enum Work {
    Snapshots,
    Resume,
    Backlog,
}

proptest! {
    #[test]
    fn a_client_is_closed_if_and_only_if_it_takes_less_than_a_portion_within_the_stall_timeout(
        work in prop::sample::select(vec![Work::Snapshots, Work::Resume, Work::Backlog]),
        paces in vec((0_usize..250, 1_usize..50), 1..4),
    ) {
        let mut shard = ShardHarness::catching_up_by(PORTION, a_bus(ENOUGH, ENOUGH), ENOUGH);
        shard.bus.set_flow_controlled(true);
        let _never_done = shard.bus.awaited_reader("test");
        let early = wildcard_client(&mut shard, Delivery::Every, None);
        shard.publish((0..EVENTS).map(|n| trade(&format!("S{n}"), "1")).collect());
        while shard.read(|_| 0) {}
        let client = match work {
            Work::Backlog => early,
            Work::Snapshots => wildcard_client(&mut shard, Delivery::Every, None),
            Work::Resume => wildcard_client(&mut shard, Delivery::Every, Some(0)),
        };
        let bus = shard.bus.clone();
        let mut level = pin!(bus.caught_up());
        prop_assert!(level.as_mut().now_or_never().is_none());

        let mut taken = Vec::new();
        for pace in paces.into_iter().flat_map(|(pace, looks)| iter::repeat_n(pace, looks)) {
            taken.push(shard.write(client.id, pace));
            shard.now += LOOK;
            shard.shard.close_stalled(shard.now);
            let took = |looks: usize| taken.iter().rev().take(looks).sum::<usize>();
            if shard.shard.take_closing(client.id).is_some() {
                prop_assert!(taken.len() >= LOOKS && took(LOOKS) < PORTION, "closed after {:?}", taken);
                return Ok(());
            }
            // The shard may also count bytes that the client read before its first check.
            let is_long = taken.len() > 2 * LOOKS + 1;
            prop_assert!(!is_long || took(2 * LOOKS + 2) >= PORTION, "open after {:?}", taken);
        }
    }
}

proptest! {
    #[test]
    fn a_client_is_never_closed_for_events_and_gets_them_all_or_snapshots_after_a_seek(
        encoding in encoding(),
        limit in 200_usize..2000,
        catch_up_bytes in catch_up_bytes(),
        steps in vec(step(), 1..120),
    ) {
        let mut shard = ShardHarness::catching_up_by(catch_up_bytes, a_bus(ENOUGH, ENOUGH), limit);
        shard.bus.set_flow_controlled(true);
        let mut client = shard.connect(encoding, Delivery::Every, Duration::ZERO);
        client.model.pace = Pace::TheFeedWaits;
        shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));

        for step in steps {
            // Leaves out some steps. Messages of peers may close the client. After
            // a step that sets another delivery, the feed may not wait for the client.
            if !matches!(step, Step::Relay(_) | Step::Set(..) | Step::SubscribeWith(..)) {
                shard.step(&mut client, step);
            }
            shard.check(&mut client)?;
        }

        shard.finish(&mut client)?;
        prop_assert_eq!(shard.shard.served(), shard.past.head());
        prop_assert!(shard.closed(&mut client)?.is_none());
    }
}

#[test]
fn a_client_whose_outbox_is_full_is_told_of_the_newest_seek_when_it_has_read_and_the_feed_waits() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), 200);
    shard.bus.set_flow_controlled(true);
    let mut client = wildcard_client(&mut shard, Delivery::Every, None);
    shard.drain(client.id);
    shard.publish((1..=3).map(|n| trade("A", &n.to_string())).collect());
    while shard.read(|_| 0) {}
    shard.step(&mut client, Step::Block);
    shard.seek(vec![trade("A", "1")], FeedState::Paused);
    shard.seek(vec![trade("A", "1"), trade("A", "2")], FeedState::Running);
    shard.publish(vec![trade("A", "4")]);
    read_all(&mut shard);
    assert_eq!(shard.shard.served(), 0);

    while shard.write(client.id, 100) > 0 {
        assert!(shard.shard.served() < 4 || !shard.shard.has_bytes(client.id));
    }

    assert_eq!(
        heard_in_short(&mut shard, &client),
        ["resumed false", "trade A 1", "trade A 2", "trade A 3", "running 02", "snapshot A 4"]
    );
    assert_eq!(shard.shard.served(), 4);
    assert!(shard.shard.take_closing(client.id).is_none());
}

#[test]
fn a_feed_state_that_does_not_fit_beside_a_message_is_sent_when_the_client_has_read_the_message() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), 200);
    shard.bus.set_flow_controlled(true);
    let client = wildcard_client(&mut shard, Delivery::Every, None);
    shard.drain(client.id);
    shard.relay(&"x".repeat(130), |_| 0);
    shard.publish(vec![trade("A", "1")]);
    shard.bus.set_feed_state(FeedState::Paused);
    shard.bus.set_feed_state(FeedState::Ended);
    read_all(&mut shard);

    shard.drain(client.id);

    let told = |frame: &Frame| format!("{} {}", frame.value["type"], frame.value["state"]);
    let frames: Vec<String> = shard.heard(&client).iter().map(told).collect();
    assert_eq!(frames, [r#""subscribed" null"#, r#""message" null"#, r#""trade" null"#, r#""feed" "ended""#]);
    assert!(shard.shard.take_closing(client.id).is_none());
}
