//! Tests of the feeds of the built program: simulation, standard input and replay.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::AsyncWriteExt;

use crate::support::history_folder::history_folder;
use crate::support::process::{ServerProcess, WatchProcess, line_with, run, tickerplant};

#[tokio::test]
async fn the_same_seed_gives_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("start.toml");
    std::fs::write(&config, "feed.simulated.start = \"2024-01-03T14:30:00Z\"").unwrap();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let arguments =
            ["--config", config.to_str().unwrap(), "--profile", "gbm", "--seed", "7", "--rate", "1000"];
        let server = ServerProcess::start(&arguments).await;
        let url = format!("{}?symbols=*&delivery=every", server.url);
        let mut watching = WatchProcess::start(&url);
        let mut events = BTreeMap::new();
        while events.len() < 1500 {
            let line = watching.line().await;
            let head: Head = serde_json::from_str(&line).unwrap();
            if matches!(head.r#type.as_str(), "trade" | "quote") {
                events.insert(head.seq.unwrap(), line);
            }
        }
        runs.push(events);
    }
    let (first, second) = (&runs[0], &runs[1]);
    let common = first.keys().filter(|seq| second.contains_key(seq)).count();
    assert!(common > 100, "{common}");
    assert!(first.iter().all(|(seq, line)| second.get(seq).is_none_or(|other| other == line)));
}

#[tokio::test]
async fn lines_on_standard_input_become_events_and_its_end_ends_only_the_feed() {
    let mut command = tickerplant(&["--feed", "stdin", "--wait-for-client"]);
    command.stdin(Stdio::piped());
    let mut server = ServerProcess::spawn(command).await;
    let mut input = server.process.stdin.take().unwrap();
    input
        .write_all(b"{\"type\":\"trade\",\"symbol\":\"AAPL\",\"price\":12345.678901234,\"time\":\"2024-01-03T14:30:00Z\"}\nnonsense\n")
        .await
        .unwrap();
    let mut watching = WatchProcess::start(&format!("{}?symbols=AAPL", server.url));

    let trade = watching.line_with("\"type\":\"trade\"").await;
    line_with(&mut server.log, "line=2").await;
    drop(input);
    watching.line_with(r#"{"type":"feed","state":"ended"}"#).await;

    assert_eq!(
        trade,
        r#"{"type":"trade","symbol":"AAPL","seq":1,"time":"2024-01-03T14:30:00Z","price":12345.678901234}"#
    );
    assert_eq!(run(tickerplant(&["send", "hi", "--url", &server.url])).await.0, 0);
}

#[tokio::test]
async fn a_replayed_file_arrives_complete_in_order_and_exact() {
    let Some(history) = history_folder() else { return };
    let expected: BTreeMap<String, Expected> =
        serde_json::from_str(&std::fs::read_to_string(history.join("expected.json")).unwrap()).unwrap();
    for name in [
        "databento/glbx-mdp3-20240701.ohlcv-1m.pretty.csv",
        "databento/glbx-mdp3-20240701.trades.pretty.csv",
        "yahoo/SPY-20200901-20210113.csv",
        "yahoo/SPY-2013-old-layout.csv",
        "yahoo/^KS11.csv",
        "kaggle/individual_stocks_5yr/AAPL_data.csv",
        "dukascopy/eurusd-d1-bid-2017-01-01-2020-01-01.csv",
        "firstrate/AAPL_1min_sample.csv",
        "tardis/bitmex_trades_XBTUSD.csv",
        "tardis/huobi-dm-swap_quotes_BTC-USD.csv",
    ] {
        check_replay(&history, name, &expected[name]).await;
    }
}

/// What an independent reader found in one file.
#[derive(Deserialize)]
struct Expected {
    quotes: u64,
    symbol_counts: BTreeMap<String, u64>,
    price_sum: String,
    size_sum: String,
}

/// Those fields of a frame that the tests need.
#[derive(Deserialize)]
struct Head {
    r#type: String,
    symbol: Option<String>,
    seq: Option<u64>,
    state: Option<String>,
}

async fn check_replay(history: &Path, name: &str, expected: &Expected) {
    let file: PathBuf = history.join(name);
    let server = ServerProcess::start(&[
        "--feed",
        "replay",
        file.to_str().unwrap(),
        "--speed",
        "max",
        "--wait-for-client",
    ])
    .await;
    let mut watching = WatchProcess::start(&format!("{}?symbols=*&delivery=every", server.url));
    let (mut prices, mut sizes) = (Decimal::ZERO, Decimal::ZERO);
    let mut symbols = BTreeMap::new();
    let mut count = 0;
    loop {
        let line = watching.line().await;
        let head: Head = serde_json::from_str(&line).unwrap();
        match head.r#type.as_str() {
            "trade" | "quote" | "bar" => {
                count += 1;
                assert_eq!(head.seq, Some(count), "{name}");
                *symbols.entry(head.symbol.clone().unwrap()).or_default() += 1;
                let values: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&line).unwrap();
                let sum = |fields: &[&str]| -> Decimal {
                    fields
                        .iter()
                        .filter_map(|field| values.get(*field))
                        .map(|text| text.get().parse::<Decimal>().unwrap())
                        .sum()
                };
                prices += sum(&["price", "close", "bid", "ask"]);
                sizes += sum(&["size", "volume", "bid_size", "ask_size"]);
            }
            "feed" if head.state.as_deref() == Some("ended") => break,
            _ => {}
        }
    }
    assert_eq!((count, &symbols), (expected.quotes, &expected.symbol_counts), "{name}");
    assert_eq!(
        (prices, sizes),
        (expected.price_sum.parse().unwrap(), expected.size_sum.parse().unwrap()),
        "{name}"
    );
    assert_eq!(server.terminate().await.code(), Some(0));
}
