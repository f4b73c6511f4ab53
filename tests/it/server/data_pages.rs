//! Tests of long answers under `/api/v1/`: pages, and updates and seeks that arrive while a worker writes an
//! answer.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};
use tickerplant::bus::LastValueCache;
use tickerplant::config::Config;
use tickerplant::market::{Event, FeedState};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio::{join, select};

use crate::support::events::{quote, trade};
use crate::support::in_memory_server::InMemoryServer;
use crate::support::json_answer::JsonAnswer;
use crate::support::local_set::locally;
use crate::support::process::PATIENCE;
use crate::support::test_server::TestServer;

/// The number of symbols. One slice of a worker's thread is too short for this many symbols.
const SYMBOLS: usize = 5000;

fn names() -> impl DoubleEndedIterator<Item = String> {
    (0..SYMBOLS).map(|number| format!("S{number}"))
}

/// Returns the events that give every symbol this price.
fn prices(price: usize) -> Vec<Event> {
    names().map(|name| trade(&name, &price.to_string())).collect()
}

async fn with_one_worker() -> TestServer {
    let mut config = Config::default();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    server.publish(prices(1));
    server.caught_up().await;
    server
}

/// Requests a page of an in-memory server.
async fn in_memory_answer(server: &InMemoryServer, path: &str) -> JsonAnswer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n");
    JsonAnswer::parse(server.request(&request).await.as_bytes())
}

/// Returns the snapshots of an answer. Fails if the answer has a symbol twice.
fn snapshots(answer: &JsonAnswer) -> BTreeMap<String, Value> {
    let page: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&answer.body).unwrap();
    let text = page["snapshots"].get();
    let snapshots: BTreeMap<String, Value> = serde_json::from_str(text).unwrap();
    assert_eq!(text.matches(r#""type":"snapshot""#).count(), snapshots.len(), "a symbol comes twice");
    snapshots
}

#[tokio::test]
async fn pages_of_symbols_and_snapshots_have_each_symbol_once() {
    let server = with_one_worker().await;
    let expected: Vec<String> = names().collect();
    for path in ["/api/v1/symbols?", "/api/v1/snapshots?symbols=*&"] {
        let mut found = Vec::new();
        let mut query = "limit=999".to_owned();
        loop {
            let page = JsonAnswer::get(&server, &format!("{path}{query}")).await;
            let json = page.json();
            match json["symbols"].as_array() {
                Some(symbols) => {
                    found.extend(symbols.iter().map(|symbol| symbol["symbol"].as_str().unwrap().to_owned()));
                }
                None => found.extend(snapshots(&page).into_keys()),
            }
            let Some(next) = json["next"].as_str() else { break };
            query = format!("limit=999&after={next}");
        }
        let mut expected = expected.clone();
        if path.contains("snapshots") {
            found.sort();
            expected.sort();
        }
        assert_eq!(found, expected, "{path}");

        let whole = JsonAnswer::get(&server, path.trim_end_matches(['?', '&'])).await;
        assert_eq!(whole.text().matches(r#""symbol":"#).count(), SYMBOLS);
        assert_eq!(whole.json()["next"], Value::Null);
    }

    let named = "/api/v1/snapshots?symbols=S3,S1,S2,NONE&limit=2";
    let first = JsonAnswer::get(&server, named).await;
    let second = JsonAnswer::get(&server, &format!("{named}&after=S2")).await;
    assert_eq!(snapshots(&first).into_keys().collect::<Vec<_>>(), ["S1", "S2"]);
    assert_eq!((first.json()["next"].as_str(), second.json()["next"].as_str()), (Some("S2"), None));
    assert_eq!(snapshots(&second).into_keys().collect::<Vec<_>>(), ["S3"]);
}

#[tokio::test]
async fn pages_of_the_history_have_each_event_once_while_the_feed_goes_on() {
    let server = with_one_worker().await;
    let mut query = String::new();
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        if pages < 10 {
            server.publish((0..500).flat_map(|_| [trade("A", "1"), quote("A", "1", "2"), trade("B", "1")]));
        }
        pages += 1;
        let path = format!("/api/v1/events?symbols=A&channels=trades&limit=777{query}");
        let page = JsonAnswer::get(&server, &path).await.json();
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 777);
        found.extend(events.iter().map(|event| event["seq"].as_u64().unwrap()));
        let next = page["next"].as_str().unwrap();
        if next.ends_with(&format!("-{}", page["seq"])) && pages >= 10 {
            break;
        }
        query = format!("&after={next}");
    }

    let expected: Vec<u64> = (0..5000).map(|number| SYMBOLS as u64 + 1 + 3 * number).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_update_between_two_slices_leaves_every_snapshot_whole() {
    let server = with_one_worker().await;
    let mut price = 1;
    let asked_again = async {
        loop {
            let publishing = async {
                loop {
                    price += 1;
                    server.publish(prices(price));
                    yield_now().await;
                }
            };
            let answer = select! {
                answer = JsonAnswer::get(&server, "/api/v1/snapshots?symbols=*") => answer,
                () = publishing => unreachable!("the feed goes on until the answer comes"),
            };

            let snapshots = snapshots(&answer);
            assert_eq!(snapshots.len(), SYMBOLS);
            for (name, snapshot) in &snapshots {
                let (seq, trade) = (snapshot["seq"].as_u64().unwrap(), &snapshot["trade"]);
                assert_eq!(snapshot["symbol"], name.as_str());
                assert_eq!(trade["price"], snapshot["day"]["last"], "{snapshot}");
                // Among any 5,000 events in sequence, each symbol has one.
                assert!(seq - trade["seq"].as_u64().unwrap() < SYMBOLS as u64, "{snapshot}");
            }
            let first = &snapshots["S0"]["seq"];
            if snapshots.values().any(|snapshot| snapshot["seq"] != *first) {
                return;
            }
        }
    };
    timeout(PATIENCE, asked_again).await.expect("updates come between the slices");
}

#[tokio::test]
async fn a_seek_between_two_slices_begins_the_answer_anew() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        server.bus().publish(prices(1));
        let mut turns = 0;
        // The server runs on the thread of the test. So the seek comes after a few turns of the server, and
        // each answer gets the seek a few turns later than the answer before.
        loop {
            turns += 3;
            let asking = async {
                let answer = in_memory_answer(&server, "/api/v1/snapshots?symbols=*").await;
                (answer, server.bus().end())
            };
            let seeking = async {
                for _ in 0..turns {
                    yield_now().await;
                }
                let mut last_values = LastValueCache::at(server.bus().head());
                // The symbols get other indexes.
                for event in prices(turns).iter().rev().skip(turns) {
                    last_values.fold_unpublished(event);
                }
                let position = format!("2024-01-03T14:{:02}:{:02}Z", turns / 60, turns % 60);
                server.bus().seek(last_values, position.parse().unwrap(), FeedState::Paused);
                server.bus().end()
            };
            let ((answer, end), after_seek) = join!(asking, seeking);

            let snapshots = snapshots(&answer);
            let price = &snapshots.values().next().unwrap()["trade"]["price"];
            assert!(
                snapshots.values().all(|snapshot| snapshot["trade"]["price"] == *price),
                "times are mixed"
            );
            // Each seek leaves out three symbols more than the seek before.
            let expected = if *price == turns { SYMBOLS - turns } else { SYMBOLS + 3 - turns };
            assert_eq!(snapshots.len(), expected);
            if end < after_seek {
                break;
            }
        }
        assert!(turns > 10, "the answer takes several turns");
    })
    .await;
}
