//! Tests of a shard that lags, of a feed that ends, and of a client that the shard closes. In each situation,
//! the client's frames stay complete and in order, and the client's cursor stays correct.

use std::time::Duration;

use tickerplant::encoding::{Encoding, Value};
use tickerplant::market::{FeedState, KindSet, Time};
use tickerplant::wire::{CloseCode, CloseReason, Command, CommandWithId, Delivery};

use crate::support::shard_harness::{
    Client, ENOUGH, ShardHarness, Step, a_bus, cursor, event, heard_in_short, subscribe, symbols,
    wildcard_client,
};

fn kinds(shard: &mut ShardHarness, client: &Client) -> Vec<String> {
    let frames = shard.heard(client);
    frames.iter().map(|frame| frame.value["type"].as_str().unwrap().to_owned()).collect()
}

fn cursor_of_close(shard: &mut ShardHarness, client: &Client) -> Option<String> {
    let reason = shard.shard.take_closing(client.id)?;
    Some(reason.frame().unwrap().1.to_owned())
}

#[test]
fn a_refused_resume_on_a_shard_that_lags_does_not_move_the_client_back() {
    let mut shard = ShardHarness::new(a_bus(1, ENOUGH), ENOUGH);
    for _ in 0..3 {
        shard.publish(vec![event(0)]);
    }

    let mut client = wildcard_client(&mut shard, Delivery::Every, Some(1));
    shard.settle(client.id);

    shard.check(&mut client).unwrap();
    assert_eq!(client.model.lagged(), 1);
}

#[test]
fn a_feed_state_that_was_evicted_is_told_with_the_gap() {
    let mut shard = ShardHarness::new(a_bus(1, ENOUGH), ENOUGH);
    let client = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.drain(client.id);
    shard.bus.set_feed_state(FeedState::Running);
    shard.publish(vec![event(0)]);
    shard.publish(vec![event(0)]);

    shard.settle(client.id);

    assert_eq!(kinds(&mut shard, &client), ["subscribed", "gap", "snapshot", "feed", "trade"]);
}

#[test]
fn an_every_client_is_not_closed_if_only_a_feed_state_was_evicted() {
    let mut shard = ShardHarness::new(a_bus(1, ENOUGH), ENOUGH);
    let client = wildcard_client(&mut shard, Delivery::Every, None);
    shard.drain(client.id);
    shard.bus.set_feed_state(FeedState::Running);
    shard.publish(vec![event(0)]);

    shard.read(|_| usize::MAX);

    assert_eq!(cursor_of_close(&mut shard, &client), None);
}

#[test]
fn a_slow_consumer_is_sent_nothing_after_its_cursor() {
    let mut shard = ShardHarness::new(a_bus(1, ENOUGH), 200);
    let client = wildcard_client(&mut shard, Delivery::Latest, None);
    // The client does not read its reply. The log passes the shard. Then peers send more messages than the
    // buffer can hold.
    for _ in 0..3 {
        shard.publish(vec![event(0)]);
    }
    shard.read(|_| usize::MAX);
    for _ in 0..20 {
        shard.relay("hello", |_| 0);
    }
    let cursor = cursor_of_close(&mut shard, &client).unwrap();
    shard.shard.close(client.id, 4008, &cursor);

    shard.drain(client.id);

    assert_eq!((cursor.as_str(), kinds(&mut shard, &client)), ("test-0", vec![]));
}

#[test]
fn a_client_that_is_closed_before_its_resume_begins_is_told_its_own_cursor() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), 200);
    shard.publish(vec![event(0); 5]);
    let client = wildcard_client(&mut shard, Delivery::Every, Some(4));

    for _ in 0..20 {
        shard.relay("hello", |_| 0);
    }

    assert_eq!(cursor_of_close(&mut shard, &client).as_deref(), Some("test-4"));
}

#[test]
fn the_end_of_a_feed_does_not_overtake_missed_events() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), ENOUGH);
    let client = wildcard_client(&mut shard, Delivery::Every, Some(0));
    shard.publish(vec![event(0)]);
    shard.bus.set_feed_state(FeedState::Ended);
    shard.read(|_| usize::MAX);
    shard.read(|_| usize::MAX);

    shard.drain(client.id);

    assert_eq!(kinds(&mut shard, &client), ["subscribed", "trade", "feed"]);
}

#[test]
fn nothing_follows_the_close_frame() {
    let mut shard = ShardHarness::new(a_bus(ENOUGH, ENOUGH), 200);
    let mut client = wildcard_client(&mut shard, Delivery::Latest, None);
    shard.step(&mut client, Step::Block);
    shard.bus.set_feed_state(FeedState::Running);
    shard.read(|_| usize::MAX);
    shard.shard.close(client.id, 1001, "");

    while shard.shard.has_bytes(client.id) {
        shard.write(client.id, usize::MAX);
    }

    assert_eq!(shard.write(client.id, usize::MAX), 0);
}

#[test]
fn a_lag_does_not_close_an_every_client_without_a_subscription() {
    let mut shard = ShardHarness::new(a_bus(1, ENOUGH), ENOUGH);
    let mut client = shard.connect(Encoding::WebSocket, Delivery::Every, Duration::ZERO);
    shard.ask(&mut client, Command::Set { delivery: Some(Delivery::Every), interval: None });
    for _ in 0..3 {
        shard.publish(vec![event(0)]);
    }

    shard.read(|_| usize::MAX);

    assert_eq!(cursor_of_close(&mut shard, &client), None);
}

#[test]
fn a_closing_client_stays_closing_whatever_it_sends() {
    let mut shard = ShardHarness::new(a_bus(100, ENOUGH), 100);
    let client = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::ZERO);
    for _ in 0..3 {
        shard.relay(&"x".repeat(60), |_| 0);
    }

    // The session executes a command that it had received before the shard decided to close the client.
    let command = subscribe(symbols(0, true), KindSet::ALL, Some(cursor(0)));
    shard.shard.execute(client.id, &CommandWithId { id: None, command }, Time::default());
    shard.shard.answer(client.id, &Value::Pong(b"late"));

    assert!(!shard.shard.may_read(client.id));
    let reason = shard.shard.take_closing(client.id).expect("it is over its buffer");
    let (code, text) = reason.frame().unwrap();
    assert_eq!((code, text), (4008, "test-0"));
    shard.shard.close(client.id, code, text);
    assert_eq!(shard.shard.outgoing(client.id, shard.now)[..2], [0x88, 8]);
}

/// Returns a shard with a client whose last snapshot, of `A`, waits behind the conflated event of another
/// symbol. The newest event of `A` is conflated, too.
fn client_whose_last_snapshot_waits() -> (ShardHarness, Client) {
    let (a, b, c) = (0, 4, 2);
    let mut shard = ShardHarness::catching_up_by(1, a_bus(ENOUGH, ENOUGH), ENOUGH);
    shard.publish(vec![event(a)]);
    shard.read(|_| usize::MAX);
    let mut client = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::from_secs(7));
    shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));
    shard.publish(vec![event(b), event(c)]);
    shard.read(|_| usize::MAX);
    shard.write(client.id, usize::MAX);
    shard.write(client.id, 0);
    shard.publish(vec![event(a)]);
    shard.read(|_| 0);
    (shard, client)
}

#[test]
fn a_client_that_is_closed_within_its_snapshots_gets_no_event_without_its_snapshot() {
    let too_many = || CloseReason::Server(CloseCode::Policy, "too many".into());
    for is_asked in [false, true] {
        let (mut shard, client) = client_whose_last_snapshot_waits();
        if is_asked {
            shard.shard.ask_to_close(client.id, too_many());
            shard.shard.take_closing(client.id);
        }
        shard.shard.close(client.id, 1001, "");

        shard.drain(client.id);

        let heard = heard_in_short(&mut shard, &client);
        let expected = ["resumed false", "trade B 2", "trade A-LONG-NAME-OF-A-SYMBOL 3", "snapshot A 4"];
        assert_eq!(heard, expected, "is_asked: {is_asked}");
    }
}
