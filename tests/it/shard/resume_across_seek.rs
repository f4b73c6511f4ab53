//! Tests that no resume can cross a seek of the feed. A client that resumes from a cursor before the seek
//! gets a gap frame. If a seek interrupts a resume, the client gets a gap frame or a close.

use std::time::Duration;

use tickerplant::counters::Limit;
use tickerplant::encoding::Encoding;
use tickerplant::market::{FeedState, KindSet};
use tickerplant::wire::Delivery;

use crate::support::events::trade;
use crate::support::received_frames::in_short;
use crate::support::shard_harness::{
    ENOUGH, ShardHarness, a_bus, heard_in_short, read_all, shard_with_endless_history, subscribe, symbols,
    wildcard_client,
};

#[test]
fn a_resume_from_before_a_seek_gets_a_gap() {
    for (published, after) in [(0, 0), (3, 1), (3, 3)] {
        let mut shard = shard_with_endless_history();
        let other = wildcard_client(&mut shard, Delivery::Latest, None);
        shard.publish(vec![trade("A", "1"); published]);
        shard.settle(other.id);
        shard.seek(vec![trade("A", "2")], FeedState::Paused);
        shard.settle(other.id);

        let client = wildcard_client(&mut shard, Delivery::Every, Some(after));
        shard.drain(client.id);

        let expected = [
            "resumed false".to_owned(),
            format!("gap {after} {published}"),
            format!("snapshot A {published}"),
        ];
        assert_eq!(heard_in_short(&mut shard, &client), expected);
        assert_eq!(shard.bus.counters().count_of(Limit::History), 1);
    }
}

#[test]
fn a_resume_from_after_a_seek_misses_nothing() {
    let mut shard = shard_with_endless_history();
    shard.publish(vec![trade("A", "1")]);
    shard.seek(vec![trade("B", "2")], FeedState::Running);
    shard.publish(vec![trade("A", "3"), trade("A", "4")]);

    // The shard has read nothing yet, so the client is ahead of it.
    let client = wildcard_client(&mut shard, Delivery::Every, Some(2));
    shard.settle(client.id);

    assert_eq!(heard_in_short(&mut shard, &client), ["resumed true", "trade A 3", "running"]);
}

#[test]
fn a_client_that_subscribes_before_its_shard_reads_a_seek_is_told_of_it() {
    let mut shard = shard_with_endless_history();
    let other = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.publish(vec![trade("A", "1")]);
    shard.settle(other.id);
    shard.seek(vec![trade("B", "2")], FeedState::Paused);

    let fresh = wildcard_client(&mut shard, Delivery::Latest, None);
    let caught_up = wildcard_client(&mut shard, Delivery::Every, Some(1));
    let behind = wildcard_client(&mut shard, Delivery::Every, Some(0));
    for id in [fresh.id, caught_up.id, behind.id] {
        shard.drain(id);
    }
    read_all(&mut shard);
    for id in [fresh.id, caught_up.id, behind.id] {
        shard.drain(id);
    }

    assert_eq!(
        heard_in_short(&mut shard, &fresh),
        ["resumed false", "snapshot A 1", "paused 01", "snapshot B 1"]
    );
    assert_eq!(
        heard_in_short(&mut shard, &caught_up),
        ["resumed false", "gap 1 1", "paused 01", "snapshot B 1"]
    );
    assert_eq!(
        heard_in_short(&mut shard, &behind),
        ["resumed false", "gap 0 1", "snapshot A 1", "paused 01", "snapshot B 1"]
    );
}

#[test]
fn a_client_that_resumed_and_had_missed_nothing_is_told_of_a_seek_and_not_closed() {
    let mut shard = shard_with_endless_history();
    let other = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.publish(vec![trade("A", "1")]);
    shard.settle(other.id);
    let client = wildcard_client(&mut shard, Delivery::Every, Some(1));
    shard.seek(vec![trade("B", "2")], FeedState::Running);
    shard.publish(vec![trade("A", "3")]);

    read_all(&mut shard);
    shard.drain(client.id);

    assert_eq!(
        heard_in_short(&mut shard, &client),
        ["resumed true", "running 01", "snapshot B 1", "trade A 2"]
    );
}

#[test]
fn a_resume_that_a_seek_cuts_off_ends_with_a_gap_or_a_close() {
    for (delivery, expected) in [
        (Delivery::Latest, Ok(vec!["resumed true", "gap 0 3", "paused 01", "snapshot B 3"])),
        (Delivery::Every, Err("test-0")),
    ] {
        let mut shard = shard_with_endless_history();
        let other = wildcard_client(&mut shard, Delivery::Latest, None);
        shard.publish(vec![trade("A", "1"); 3]);
        shard.settle(other.id);
        let client = wildcard_client(&mut shard, delivery, Some(0));
        shard.seek(vec![trade("B", "2")], FeedState::Paused);
        read_all(&mut shard);

        shard.drain(client.id);

        let closed = shard.shard.take_closing(client.id).map(|reason| reason.frame().unwrap().1.to_owned());
        match expected {
            Ok(frames) => assert_eq!(heard_in_short(&mut shard, &client), frames),
            Err(cursor) => assert_eq!(closed.as_deref(), Some(cursor)),
        }
        assert_eq!(shard.bus.counters().count_of(Limit::History), 1);
    }
}

#[test]
fn a_resume_that_a_shutdown_cuts_off_tells_nothing_of_a_later_seek() {
    let mut shard = shard_with_endless_history();
    let other = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.publish(vec![trade("A", "1")]);
    shard.settle(other.id);
    let client = wildcard_client(&mut shard, Delivery::Latest, Some(0));
    shard.seek(vec![trade("B", "2")], FeedState::Paused);
    read_all(&mut shard);

    shard.shard.close(client.id, 1001, "");
    shard.drain(client.id);

    assert_eq!(heard_in_short(&mut shard, &client), ["resumed true"]);
}

#[test]
fn a_shard_that_lags_past_a_seek_tells_of_the_gap_and_the_seek() {
    let mut shard = ShardHarness::new(a_bus(2, ENOUGH), ENOUGH);
    let latest = wildcard_client(&mut shard, Delivery::Latest, None);
    let every = wildcard_client(&mut shard, Delivery::Every, None);
    shard.settle(latest.id);
    shard.settle(every.id);
    shard.publish(vec![trade("A", "1")]);
    shard.seek(vec![trade("B", "2")], FeedState::Paused);
    for _ in 0..3 {
        shard.publish(vec![trade("C", "3")]);
    }

    shard.settle(latest.id);

    assert_eq!(
        heard_in_short(&mut shard, &latest),
        ["resumed false", "gap 0 2", "paused 01", "snapshot B 2", "snapshot C 2", "trade C 3", "trade C 4"]
    );
    assert!(shard.shard.take_closing(every.id).is_some());
    assert_eq!(shard.bus.counters().lags.get(), 1);
}

#[test]
fn an_every_client_is_not_closed_if_only_a_seek_was_evicted() {
    let mut shard = ShardHarness::new(a_bus(1, ENOUGH), ENOUGH);
    let client = wildcard_client(&mut shard, Delivery::Every, None);
    shard.settle(client.id);
    shard.seek(vec![trade("B", "2")], FeedState::Running);
    shard.publish(vec![trade("A", "1")]);
    shard.settle(client.id);

    assert_eq!(
        heard_in_short(&mut shard, &client),
        ["resumed false", "running 01", "snapshot B 0", "trade A 1"]
    );
    assert_eq!(shard.bus.counters().lags.get(), 1);
}

#[test]
fn a_seek_after_a_gap_without_snapshots_is_told_separately() {
    let mut shard = ShardHarness::new(a_bus(1, ENOUGH), ENOUGH);
    let mut client = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::ZERO);
    shard.ask(&mut client, subscribe(symbols(2, false), KindSet::ALL, None));
    shard.drain(client.id);
    shard.publish(vec![trade("A", "1")]);
    shard.publish(vec![trade("A", "2")]);
    // This read puts the gap into the outbox.
    read_all(&mut shard);
    shard.seek(vec![], FeedState::Paused);
    read_all(&mut shard);
    shard.publish(vec![trade("B", "3")]);
    read_all(&mut shard);

    shard.drain(client.id);

    let frames = shard.heard(&client);
    assert_eq!(in_short(&frames), ["resumed false", "gap 0 1", "paused 01", "snapshot B 3"]);
    client.model.take(frames, &shard.past).unwrap();
}
