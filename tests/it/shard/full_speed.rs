//! A feed at full speed waits for its `every` clients: whom its shard closes, and whom it does not.

use std::iter;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use tickerplant::wire::Delivery;

use crate::support::events::trade;
use crate::support::shard_harness::{ENOUGH, ShardHarness, a_bus, wildcard_client};

/// Between two looks of a shard.
const LOOK: Duration = Duration::from_millis(500);

/// How many looks there are in the stall timeout of a harness.
const LOOKS: usize = 20;

/// What a client is written at a time, and has to take within the stall timeout.
const PORTION: usize = 2000;

/// More than a client takes in this test.
const EVENTS: usize = 400;

/// What keeps an `every` client busy.
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
        shard.bus.set_paced(true);
        let _never_done = shard.bus.waited_reader("test");
        let early = wildcard_client(&mut shard, Delivery::Every, None);
        shard.publish((0..EVENTS).map(|n| trade(&format!("S{n}"), "1")).collect());
        while shard.read(|_| 0) {}
        let client = match work {
            Work::Backlog => early,
            Work::Snapshots => wildcard_client(&mut shard, Delivery::Every, None),
            Work::Resume => wildcard_client(&mut shard, Delivery::Every, Some(0)),
        };
        let bus = shard.bus.clone();
        let mut level = pin!(bus.level());
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
            // What it took before it was seen to be behind may have been a part of the portion.
            let is_long = taken.len() > 2 * LOOKS + 1;
            prop_assert!(!is_long || took(2 * LOOKS + 2) >= PORTION, "open after {:?}", taken);
        }
    }
}
