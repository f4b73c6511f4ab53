//! Plays the conversations in `transcripts/`, and compares every frame that a client receives. A conversation
//! has these kinds of lines:
//!
//! - `a connects /ws` opens a connection to `/ws`, with the name `a`. `EPOCH` in the path stands for the feed's
//!   epoch.
//! - `a> text` sends a message over the connection `a`, and `a< text` expects a frame. In an expected frame,
//!   `…` stands for any text.
//! - `! trade …`, `! quote …`, `! bar …` and `! status …` publish an event, and `! feed …` changes the state of the
//!   feed.
//! - `#` begins a comment.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use tickerplant::config::Config;
use tickerplant::market::{Bar, Event, FeedState, Payload, Quote, Trade, TradingState, TradingStatus};

use crate::support::likeness::is_like;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

#[tokio::test]
async fn every_conversation_matches_its_transcript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/server/transcripts");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        play(&path.file_name().unwrap().to_string_lossy(), &fs::read_to_string(&path).unwrap()).await;
        count += 1;
    }
    assert!(count > 0, "there are no transcripts");
}

async fn play(name: &str, transcript: &str) {
    let mut config = Config::default();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    // There is only one shard. It has read every event that the witness has received.
    let mut witness = server.connect("/ws?symbols=*").await;
    witness.expect(r#"{"type":"subscribed"}"#).await;
    let mut clients: HashMap<&str, Client> = HashMap::new();
    for (line, number) in transcript.lines().zip(1..) {
        let place = format!("{name}:{number}: {line}");
        if let Some(happening) = line.strip_prefix("! ") {
            happen(&server, &mut witness, happening).await;
        } else if let Some((who, path)) = line.split_once(" connects ") {
            clients.insert(who, server.connect(&path.replace("EPOCH", &server.bus().epoch())).await);
        } else if let Some((who, said)) = line.split_once("> ").filter(|(who, _)| clients.contains_key(who)) {
            clients.get_mut(who).expect("it is there").send(said).await;
        } else if let Some((who, expected)) = line.split_once("< ") {
            let client =
                clients.get_mut(who).unwrap_or_else(|| panic!("{place}: no connection has the name {who}"));
            let text = client.text().await;
            assert!(is_like(&text, expected), "{place}\n     got {text}");
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{place}: unknown kind of line");
        }
    }
}

async fn happen(server: &TestServer, witness: &mut Client, happening: &str) {
    let words: Vec<&str> = happening.split(' ').collect();
    let price = |text: &str| text.parse().unwrap();
    let size = |text: &str| text.strip_prefix('x').unwrap().parse().unwrap();
    let (symbol, payload, time) = match words[..] {
        ["feed", state] => {
            let states = [FeedState::Running, FeedState::Stalled, FeedState::Ended];
            server.bus().set_feed_state(states.into_iter().find(|known| known.name() == state).unwrap());
            witness.expect(&format!(r#"{{"type":"feed","state":"{state}"}}"#)).await;
            return;
        }
        ["trade", symbol, paid, traded, "at", time] => {
            (symbol, Payload::Trade(Trade { price: price(paid), size: Some(size(traded)) }), time)
        }
        ["quote", symbol, bid, bid_size, ask, ask_size, "at", time] => {
            let quote = Quote {
                bid: Some(price(bid)),
                bid_size: Some(size(bid_size)),
                ask: Some(price(ask)),
                ask_size: Some(size(ask_size)),
            };
            (symbol, Payload::Quote(quote), time)
        }
        ["bar", symbol, interval, open, high, low, close, volume, "at", time] => {
            let bar = Bar {
                interval: Some(interval.parse().unwrap()),
                open: Some(price(open)),
                high: Some(price(high)),
                low: Some(price(low)),
                close: price(close),
                volume: Some(size(volume)),
            };
            (symbol, Payload::Bar(bar), time)
        }
        ["status", symbol, state, ref reason @ .., "at", time] => {
            let states = [TradingState::Trading, TradingState::Halted];
            let state = states.into_iter().find(|known| known.name() == state).unwrap();
            let reason = (!reason.is_empty()).then(|| reason.join(" ").into());
            (symbol, Payload::Status(TradingStatus { state, reason }), time)
        }
        _ => panic!("{happening}: unknown event"),
    };
    server.publish([Event { symbol: symbol.parse().unwrap(), time: time.parse().unwrap(), payload }]);
    let seq = server.bus().head();
    while witness.json().await["seq"] != seq {}
}
