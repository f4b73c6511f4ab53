//! Tests of seeks in rare situations. Each client is told of the seeks in order, and gets a snapshot of each
//! subscribed symbol that has data.

use std::time::Duration;

use tickerplant::encoding::Encoding;
use tickerplant::market::{FeedState, KindSet, Time};
use tickerplant::wire::Delivery;

use crate::support::events::trade;
use crate::support::shard_harness::{
    Client, ENOUGH, ShardHarness, Step, a_bus, heard_in_short, read_all, shard_with_endless_history,
    subscribe, symbols, wildcard_client,
};

fn heartbeat(shard: &mut ShardHarness, client: &Client) {
    shard.now += Duration::from_secs(10);
    shard.shard.heartbeats(shard.now, Time::default());
    shard.drain(client.id);
}

#[test]
fn a_latest_client_that_does_not_read_is_told_the_newest_values_when_it_reads_again() {
    let mut shard = shard_with_endless_history();
    let mut client = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.step(&mut client, Step::Block);
    shard.publish(vec![trade("A", "1"), trade("B", "2")]);
    shard.seek(vec![trade("C", "3")], FeedState::Paused);
    read_all(&mut shard);
    shard.publish(vec![trade("C", "4"), trade("A", "5")]);
    shard.bus.set_feed_state(FeedState::Running);
    read_all(&mut shard);

    shard.drain(client.id);
    heartbeat(&mut shard, &client);

    assert_eq!(
        heard_in_short(&mut shard, &client),
        ["resumed false", "running 01", "snapshot C 4", "snapshot A 4", "sent 0 merged 4"]
    );
}

#[test]
fn no_event_after_a_seek_overtakes_it_while_a_reply_is_pending() {
    let mut shard = shard_with_endless_history();
    let client = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.seek(vec![trade("A", "1")], FeedState::Paused);
    shard.publish(vec![trade("A", "2")]);
    shard.bus.set_feed_state(FeedState::Running);
    shard.publish(vec![trade("A", "3")]);
    read_all(&mut shard);

    shard.drain(client.id);
    heartbeat(&mut shard, &client);

    assert_eq!(
        heard_in_short(&mut shard, &client),
        ["resumed false", "running 01", "snapshot A 2", "sent 0 merged 2"]
    );
}

#[test]
fn queued_events_of_an_every_client_are_sent_before_a_seek() {
    let mut shard = shard_with_endless_history();
    let mut client = wildcard_client(&mut shard, Delivery::Every, None);
    shard.step(&mut client, Step::Block);
    shard.publish(vec![trade("A", "1"), trade("A", "2")]);
    shard.seek(vec![trade("B", "1")], FeedState::Paused);
    shard.publish(vec![trade("A", "3")]);
    read_all(&mut shard);

    shard.drain(client.id);

    assert_eq!(
        heard_in_short(&mut shard, &client),
        ["resumed false", "trade A 1", "trade A 2", "paused 01", "snapshot B 2", "trade A 3"]
    );
}

#[test]
fn events_conflated_for_an_interval_are_merged_by_a_seek_and_the_interval_continues() {
    let mut shard = shard_with_endless_history();
    let mut client = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::from_secs(1));
    shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));
    shard.publish(vec![trade("A", "1")]);
    shard.settle(client.id);
    shard.publish(vec![trade("A", "2"), trade("B", "2")]);
    shard.settle(client.id);
    shard.seek(vec![trade("B", "1")], FeedState::Running);
    shard.settle(client.id);
    shard.publish(vec![trade("B", "3")]);
    shard.settle(client.id);
    assert_eq!(
        heard_in_short(&mut shard, &client),
        ["resumed false", "trade A 1", "running 01", "snapshot B 3"]
    );

    shard.now += Duration::from_secs(1);
    shard.drain(client.id);
    heartbeat(&mut shard, &client);

    assert_eq!(heard_in_short(&mut shard, &client), ["trade B 4", "sent 2 merged 2"]);
}

#[test]
fn a_client_that_reads_is_told_both_of_two_seeks_in_a_row() {
    for delivery in [Delivery::Latest, Delivery::Every] {
        let mut shard = shard_with_endless_history();
        let client = wildcard_client(&mut shard, delivery, None);
        shard.settle(client.id);
        shard.seek(vec![trade("A", "1")], FeedState::Paused);
        shard.seek(vec![trade("B", "1"), trade("A", "2")], FeedState::Running);

        shard.settle(client.id);

        assert_eq!(
            heard_in_short(&mut shard, &client),
            ["resumed false", "paused 01", "snapshot A 0", "running 02", "snapshot B 0", "snapshot A 0"]
        );
    }
}

#[test]
fn a_latest_client_that_does_not_read_is_told_the_second_of_two_seeks_in_a_row() {
    let mut shard = shard_with_endless_history();
    let mut client = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.step(&mut client, Step::Block);
    shard.seek(vec![trade("A", "1")], FeedState::Paused);
    shard.seek(vec![], FeedState::Running);
    read_all(&mut shard);

    shard.drain(client.id);

    assert_eq!(heard_in_short(&mut shard, &client), ["resumed false", "running 02"]);
}

#[test]
fn a_client_gets_snapshots_of_its_symbols_that_have_data_after_the_seek() {
    let mut shard = shard_with_endless_history();
    let mut named = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::ZERO);
    shard.ask(&mut named, subscribe(symbols(3, false), KindSet::ALL, None));
    let all = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.publish(vec![trade("A", "1"), trade("B", "1"), trade("C", "1")]);
    shard.settle(all.id);
    shard.settle(named.id);

    shard.seek(vec![trade("D", "1"), trade("B", "2")], FeedState::Paused);
    read_all(&mut shard);
    shard.drain(all.id);
    shard.drain(named.id);

    assert_eq!(heard_in_short(&mut shard, &all)[4..], ["paused 01", "snapshot D 3", "snapshot B 3"]);
    assert_eq!(heard_in_short(&mut shard, &named)[3..], ["paused 01", "snapshot B 3"]);
}

#[test]
fn seeks_do_not_pile_up_for_an_every_client_that_does_not_read() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), 2000);
    let mut client = wildcard_client(&mut shard, Delivery::Every, None);
    shard.publish(vec![trade("A", "1")]);
    shard.settle(client.id);
    shard.step(&mut client, Step::Relay(0));
    shard.step(&mut client, Step::Block);

    for _ in 0..100 {
        shard.seek((0..9).map(|n| trade(&format!("S{n}"), "1")).collect(), FeedState::Paused);
        read_all(&mut shard);
    }

    let reason = shard.shard.take_closing(client.id).unwrap();
    assert_eq!(reason.frame().unwrap(), (4008, "test-1"));
}

#[test]
fn a_closing_client_is_not_told_of_a_seek() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), 200);
    let mut client = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.drain(client.id);
    shard.step(&mut client, Step::Relay(0));
    shard.step(&mut client, Step::Block);
    shard.seek(vec![trade("A", "1")], FeedState::Paused);
    read_all(&mut shard);
    for _ in 0..20 {
        shard.relay("hello", |_| 0);
    }
    let reason = shard.shard.take_closing(client.id).unwrap();
    shard.shard.close(client.id, 4008, reason.frame().unwrap().1);

    shard.drain(client.id);

    assert_eq!(heard_in_short(&mut shard, &client), ["resumed false"]);
}
