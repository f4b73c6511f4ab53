//! A feed that goes on from elsewhere, in rare turns of things: each client is told in its order, and of what is there.

use std::time::Duration;

use serde_json::{Value, json};
use tickerplant::bus::LastValues;
use tickerplant::market::{Event, FeedState, KindSet, Time};
use tickerplant::session::Config;
use tickerplant::wire::{Delivery, Message};
use tokio::time::Instant;

use crate::support::session_harness::{Desk, Peer, locally};
use crate::support::shard_harness::{Client, Frame, OneShard, Step, a_bus, cursor, subscribe, symbols};
use crate::support::test_server::{quote, trade};

pub const ENOUGH: usize = 1 << 30;

pub fn shard() -> OneShard {
    OneShard::new(a_bus(ENOUGH, ENOUGH), 1 << 20)
}

/// A client that takes all.
pub fn client(shard: &mut OneShard, delivery: Delivery, after: Option<u64>) -> Client {
    let mut client = shard.connect(delivery, Duration::ZERO);
    shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, after.map(cursor)));
    client
}

/// What a client has been sent.
pub fn heard(shard: &mut OneShard, client: &Client) -> Vec<String> {
    words(&shard.heard(client))
}

/// A word a frame: its type, and the numbers or the state that it tells.
pub fn words(frames: &[Frame]) -> Vec<String> {
    let said = |frame: &Value| match frame["type"].as_str().unwrap() {
        "feed" => {
            let position = frame["position"].as_str().map(|position| format!(" {}", &position[17..19]));
            format!("{}{}", frame["state"].as_str().unwrap(), position.unwrap_or_default())
        }
        "subscribed" => format!("resumed {}", frame["resumed"]),
        "gap" => format!("gap {} {}", frame["after"], frame["until"]),
        "heartbeat" => format!("sent {} merged {}", frame["sent"], frame["merged"]),
        kind => format!("{kind} {} {}", frame["symbol"].as_str().unwrap(), frame["seq"]),
    };
    frames.iter().map(|frame| said(&frame.value)).collect()
}

fn heartbeat(shard: &mut OneShard, client: &Client) {
    shard.now += Duration::from_secs(10);
    shard.shard.heartbeats(shard.now, Time::default());
    shard.drain(client.id);
}

/// Has the shard read all there is.
pub fn read(shard: &mut OneShard) {
    while shard.read(|_| usize::MAX) {}
}

#[test]
fn a_latest_client_that_does_not_read_is_told_the_newest_of_all_when_it_reads_again() {
    let mut shard = shard();
    let mut client = client(&mut shard, Delivery::Latest, None);
    shard.step(&mut client, Step::Block);
    shard.publish(vec![trade("A", "1"), trade("B", "2")]);
    shard.seek(vec![trade("C", "3")], FeedState::Paused);
    read(&mut shard);
    shard.publish(vec![trade("C", "4"), trade("A", "5")]);
    shard.bus.mark(FeedState::Running);
    read(&mut shard);

    shard.drain(client.id);
    heartbeat(&mut shard, &client);

    assert_eq!(
        heard(&mut shard, &client),
        ["resumed false", "running 01", "snapshot C 4", "snapshot A 4", "sent 0 merged 4"]
    );
}

#[test]
fn nothing_from_after_a_seek_goes_before_it_where_an_answer_still_waits() {
    let mut shard = shard();
    let client = client(&mut shard, Delivery::Latest, None);
    shard.seek(vec![trade("A", "1")], FeedState::Paused);
    shard.publish(vec![trade("A", "2")]);
    shard.bus.mark(FeedState::Running);
    shard.publish(vec![trade("A", "3")]);
    read(&mut shard);

    shard.drain(client.id);
    heartbeat(&mut shard, &client);

    assert_eq!(
        heard(&mut shard, &client),
        ["resumed false", "running 01", "snapshot A 2", "sent 0 merged 2"]
    );
}

#[test]
fn what_is_queued_for_an_every_client_goes_out_before_it_is_told() {
    let mut shard = shard();
    let mut client = client(&mut shard, Delivery::Every, None);
    shard.step(&mut client, Step::Block);
    shard.publish(vec![trade("A", "1"), trade("A", "2")]);
    shard.seek(vec![trade("B", "1")], FeedState::Paused);
    shard.publish(vec![trade("A", "3")]);
    read(&mut shard);

    shard.drain(client.id);

    assert_eq!(
        heard(&mut shard, &client),
        ["resumed false", "trade A 1", "trade A 2", "paused 01", "snapshot B 2", "trade A 3"]
    );
}

#[test]
fn what_is_held_for_an_interval_is_merged_and_the_interval_goes_on() {
    let mut shard = shard();
    let mut client = shard.connect(Delivery::Latest, Duration::from_secs(1));
    shard.ask(&mut client, subscribe(symbols(0, true), KindSet::ALL, None));
    shard.publish(vec![trade("A", "1")]);
    shard.settle(client.id);
    shard.publish(vec![trade("A", "2"), trade("B", "2")]);
    shard.settle(client.id);
    shard.seek(vec![trade("B", "1")], FeedState::Running);
    shard.settle(client.id);
    shard.publish(vec![trade("B", "3")]);
    shard.settle(client.id);
    assert_eq!(heard(&mut shard, &client), ["resumed false", "trade A 1", "running 01", "snapshot B 3"]);

    shard.now += Duration::from_secs(1);
    shard.drain(client.id);
    heartbeat(&mut shard, &client);

    assert_eq!(heard(&mut shard, &client), ["trade B 4", "sent 2 merged 2"]);
}

#[test]
fn of_two_seeks_in_a_row_a_client_that_reads_is_told_both() {
    for delivery in [Delivery::Latest, Delivery::Every] {
        let mut shard = shard();
        let client = client(&mut shard, delivery, None);
        shard.settle(client.id);
        shard.seek(vec![trade("A", "1")], FeedState::Paused);
        shard.seek(vec![trade("B", "1"), trade("A", "2")], FeedState::Running);

        shard.settle(client.id);

        assert_eq!(
            heard(&mut shard, &client),
            ["resumed false", "paused 01", "snapshot A 0", "running 02", "snapshot B 0", "snapshot A 0"]
        );
    }
}

#[test]
fn of_two_seeks_in_a_row_a_latest_client_that_does_not_read_is_told_the_second() {
    let mut shard = shard();
    let mut client = client(&mut shard, Delivery::Latest, None);
    shard.step(&mut client, Step::Block);
    shard.seek(vec![trade("A", "1")], FeedState::Paused);
    shard.seek(vec![], FeedState::Running);
    read(&mut shard);

    shard.drain(client.id);

    assert_eq!(heard(&mut shard, &client), ["resumed false", "running 02"]);
}

#[test]
fn a_client_is_told_of_the_symbols_that_it_wants_and_that_have_data_there() {
    let mut shard = shard();
    let mut named = shard.connect(Delivery::Latest, Duration::ZERO);
    shard.ask(&mut named, subscribe(symbols(3, false), KindSet::ALL, None));
    let all = client(&mut shard, Delivery::Latest, None);
    shard.publish(vec![trade("A", "1"), trade("B", "1"), trade("C", "1")]);
    shard.settle(all.id);
    shard.settle(named.id);

    shard.seek(vec![trade("D", "1"), trade("B", "2")], FeedState::Paused);
    read(&mut shard);
    shard.drain(all.id);
    shard.drain(named.id);

    assert_eq!(heard(&mut shard, &all)[4..], ["paused 01", "snapshot D 3", "snapshot B 3"]);
    assert_eq!(heard(&mut shard, &named)[3..], ["paused 01", "snapshot B 3"]);
}

#[test]
fn seeks_do_not_pile_up_for_an_every_client_that_does_not_read() {
    let mut shard = OneShard::new(a_bus(ENOUGH, ENOUGH), 2000);
    let mut client = client(&mut shard, Delivery::Every, None);
    shard.publish(vec![trade("A", "1")]);
    shard.settle(client.id);
    shard.step(&mut client, Step::Relay);
    shard.step(&mut client, Step::Block);

    for _ in 0..100 {
        shard.seek((0..9).map(|n| trade(&format!("S{n}"), "1")).collect(), FeedState::Paused);
        read(&mut shard);
    }

    let reason = shard.shard.take_closing(client.id).unwrap();
    assert_eq!(reason.frame().unwrap(), (4008, "test-1"));
}

#[test]
fn a_client_that_is_closed_is_not_told_of_a_seek() {
    let mut shard = OneShard::new(a_bus(ENOUGH, ENOUGH), 200);
    let mut client = client(&mut shard, Delivery::Latest, None);
    shard.drain(client.id);
    shard.step(&mut client, Step::Relay);
    shard.step(&mut client, Step::Block);
    shard.seek(vec![trade("A", "1")], FeedState::Paused);
    read(&mut shard);
    for _ in 0..20 {
        shard.shard.relay("c9", &Message::Text("hello".to_owned()));
    }
    let reason = shard.shard.take_closing(client.id).unwrap();
    shard.shard.close(client.id, 4008, reason.frame().unwrap().1);

    shard.drain(client.id);

    assert_eq!(heard(&mut shard, &client), ["resumed false"]);
}

fn seek(desk: &Desk, folded: &[Event], position: &str) {
    let mut last_values = LastValues::at(desk.bus.head());
    for event in folded {
        last_values.absorb(event);
    }
    desk.bus.seek(last_values, position.parse().unwrap(), FeedState::Paused);
}

async fn expect(peer: &mut Peer, expected: Value) {
    assert_eq!(peer.json().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_seek_is_told_with_its_position_and_the_day_as_it_was_there() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::from_millis(2), None);
        let mut client = desk.connect("symbols=A", 4096).await;
        client.json().await;
        let at = |time: &str, event: Event| Event { time: time.parse().unwrap(), ..event };
        desk.publish([at("2024-01-05T10:00:00Z", trade("A", "5"))]);
        assert_eq!(client.json().await["seq"], 1);

        let before = [
            at("2024-01-02T20:00:00Z", trade("A", "2")),
            at("2024-01-03T10:00:00Z", trade("A", "3")),
            at("2024-01-03T14:00:00Z", quote("A", "3", "4")),
        ];
        seek(&desk, &before, "2024-01-03T14:30:00Z");

        expect(&mut client, json!({"type":"feed","state":"paused","position":"2024-01-03T14:30:00Z"})).await;
        let snapshot = client.json().await;
        assert_eq!((&snapshot["seq"], &snapshot["quote"]["seq"]), (&json!(1), &json!(1)));
        assert_eq!(snapshot["trade"]["time"], "2024-01-03T10:00:00Z");
        assert_eq!(snapshot["day"]["change"], 1);
        desk.bus.mark(FeedState::Running);
        desk.publish([at("2024-01-03T14:31:00Z", trade("A", "6"))]);
        expect(&mut client, json!({"type":"feed","state":"running"})).await;
        assert_eq!(client.json().await["seq"], 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_to_a_feed_that_is_paused_after_a_seek_has_its_snapshots_at_once() {
    locally(async {
        let desk = Desk::open(Config::default(), Duration::from_millis(2), None);
        let mut witness = desk.connect("symbols=A", 4096).await;
        desk.publish([trade("A", "1")]);
        assert_eq!(witness.event().await["seq"], 1);
        seek(&desk, &[trade("A", "2")], "2024-01-03T14:30:00Z");
        let start = Instant::now();

        // The first comes before its shard has read of the seek, the second after.
        for kinds in
            [["subscribed", "gap", "feed", "snapshot"].as_slice(), &["subscribed", "gap", "snapshot"]]
        {
            let mut client = desk.connect("symbols=A&after=test-1", 4096).await;
            for kind in kinds {
                assert_eq!(client.json().await["type"], *kind);
            }
        }

        assert!(start.elapsed() < Duration::from_millis(10), "{:?}", start.elapsed());
    })
    .await;
}
