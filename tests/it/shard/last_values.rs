//! Tests that the last-value cache of a shard can hold the largest possible price.

use tickerplant::wire::Delivery;

use crate::support::events::trade;
use crate::support::shard_harness::{ENOUGH, ShardHarness, a_bus, wildcard_client};

#[test]
fn the_largest_price_does_not_stop_the_shard() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), ENOUGH);
    shard.publish(vec![trade("A", "79228162514264337593543950335"), trade("A", "-1")]);
    shard.read(|_| 0);

    wildcard_client(&mut shard, Delivery::Latest, None);
}
