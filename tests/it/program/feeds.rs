//! The built program, as a user runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::history_folder::history_folder;
use crate::support::process::{
    PATIENCE, Served, Watching, assert_is_one_error, can_signal, line_with, run, tickerplant,
};

#[tokio::test]
async fn the_tutorials_client_hears_its_own_words() {
    let server = Served::start(&["--feed", "simulated"]).await;

    let sent = run(tickerplant(&["send", "Hello, WebSocket Server!", "--url", &server.url])).await;

    assert_eq!(sent, (0, "Received: Hello, WebSocket Server!\n".to_owned(), String::new()));
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn whatever_is_wrong_is_one_line_that_says_where_and_one_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let no_time = file("no-time.csv", "symbol,price\nAAPL,1\n");
    let page = file("page.csv", "<!DOCTYPE html><html></html>\n");
    let misspelt = file("misspelt.toml", "[session]\nheartbaet = \"5s\"\n");
    for (arguments, code, place) in [
        (vec!["--feed", "replay", "no-such-file.csv"], 66, "no-such-file.csv"),
        (vec!["--feed", "replay", no_time.as_str()], 65, "no-time.csv:1: no time column"),
        (vec!["--feed", "replay", page.as_str()], 65, "an HTML page"),
        (vec!["--feed", "replay"], 78, "no file is given"),
        (vec!["--config", misspelt.as_str()], 78, "unknown field `heartbaet`"),
        (vec!["--config", "no-such.toml"], 66, "no-such.toml"),
        (vec!["--speed", "fast"], 2, "speed"),
        (vec!["--max-gap", "5"], 2, "max_gap"),
        (vec!["--speed", "max"], 78, "a simulation has no end"),
        (vec!["--feed", "stdin", "--paused"], 2, "--paused"),
        (vec!["--feed", "stdin", "--speed", "2"], 2, "--speed"),
        (vec!["--rate", "-1"], 2, "rate"),
        (vec!["--log", "loud"], 78, "loud"),
        (vec!["--listen", "0.0.0.0:0"], 78, "0.0.0.0"),
        (vec!["--listen", "nonsense"], 78, "nonsense"),
        (vec!["--log", "tickerplant=loud"], 78, "log"),
        (vec!["--fed", "simulated"], 2, "--fed"),
        (vec!["--feed", "simulatd"], 2, "simulatd"),
        (vec!["wacth", "AAPL"], 2, "wacth"),
        (vec!["send", "hi", "--url", "ws://127.0.0.1:1/ws"], 69, "127.0.0.1:1"),
    ] {
        let (found, out, err) = run(tickerplant(&arguments)).await;
        assert_eq!((found, out.as_str()), (code, ""), "{arguments:?}: {err}");
        assert_is_one_error(&err, place);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_and_the_one_who_has_it_goes_on() {
    let first = Served::start(&[]).await;
    let address = first.url.trim_start_matches("ws://").trim_end_matches("/ws");

    let (code, _, err) = run(tickerplant(&["--listen", address])).await;

    assert_eq!(code, 69, "{err}");
    assert_is_one_error(&err, address);
    assert_eq!(run(tickerplant(&["send", "hi", "--url", &first.url])).await.0, 0);
}

#[tokio::test]
async fn no_log_says_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tokens.toml");
    // printf %s secret | sha256sum
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let text =
        format!("[[auth.tokens]]\nname = \"dash\"\nsha256 = \"{hash}\"\nsubscribe = [\"*\"]\nrelay = true\n");
    std::fs::write(&config, text).unwrap();
    let mut server = Served::start(&["--config", config.to_str().unwrap(), "--log", "trace"]).await;

    for (token, code) in [("secret", 0), ("a-guess", 76)] {
        let url = format!("{}?token={token}", server.url);
        let (found, _, err) = run(tickerplant(&["send", "hi", "--url", &url])).await;
        assert_eq!(found, code, "{err}");
        assert!(!err.contains(token), "{err}");
    }
    server.process.kill().await.unwrap();
    let mut said = 0;
    while let Some(line) = timeout(PATIENCE, server.log.next_line()).await.unwrap().unwrap() {
        assert!(!line.contains("secret") && !line.contains("a-guess") && !line.contains(hash), "{line}");
        said += 1;
    }
    assert!(said > 0);
}

#[tokio::test]
async fn a_log_that_nobody_takes_stops_nothing() {
    if !can_signal("a_log_that_nobody_takes_stops_nothing").await {
        return;
    }
    let server = Served::start(&["--log", "debug"]).await;
    let Served { mut process, log, url } = server;

    // What is written from here on fails, as it does on a full disk.
    drop(log);

    assert_eq!(run(tickerplant(&["send", "hi", "--url", &url])).await.0, 0);
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    let ended = timeout(PATIENCE, process.wait()).await.expect("the server ends").unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn an_error_does_not_repeat_a_url_in_which_a_token_may_be() {
    for (url, code) in [
        ("ws://[bad?token=secret", 2),
        ("ws://127.0.0.1:1/ws?symbols=A&token=secret and more", 2),
        ("ws://secret@127.0.0.1:1/ws?token=secret", 69),
    ] {
        for arguments in [["send", "hi", "--url", url], ["watch", "AAPL", "--url", url]] {
            let (found, _, err) = run(tickerplant(&arguments)).await;

            assert_eq!(found, code, "{err}");
            assert_is_one_error(&err, if code == 2 { "--url" } else { "127.0.0.1:1" });
            assert!(!err.contains("secret"), "{err}");
        }
    }
}

#[tokio::test]
async fn the_configuration_that_is_printed_is_the_one_in_effect() {
    let mut command = tickerplant(&["config", "--seed", "7", "--symbols", "A,B"]);
    command.env("TICKERPLANT_RELAY__BURST", "3").current_dir(std::env::temp_dir());

    let (code, out, _) = run(command).await;

    let printed: toml::Table = out.parse().unwrap();
    assert_eq!(code, 0);
    assert_eq!(printed["feed"]["simulated"]["seed"].as_integer(), Some(7));
    assert_eq!(printed["relay"]["burst"].as_integer(), Some(3));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("start.toml");
    std::fs::write(&config, "feed.simulated.start = \"2024-01-03T14:30:00Z\"").unwrap();
    let mut runs = Vec::new();
    for _ in 0..2 {
        let arguments = ["--config", config.to_str().unwrap(), "--seed", "7", "--rate", "1000"];
        let server = Served::start(&arguments).await;
        let url = format!("{}?symbols=*&delivery=every", server.url);
        let mut watching = Watching::start(&url);
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
async fn lines_on_standard_input_become_events_and_its_end_ends_the_feed_alone() {
    let mut command = tickerplant(&["--feed", "stdin", "--wait-for-client"]);
    command.stdin(Stdio::piped());
    let mut server = Served::spawn(command).await;
    let mut input = server.process.stdin.take().unwrap();
    input
        .write_all(b"{\"type\":\"trade\",\"symbol\":\"AAPL\",\"price\":12345.678901234,\"time\":\"2024-01-03T14:30:00Z\"}\nnonsense\n")
        .await
        .unwrap();
    let mut watching = Watching::start(&format!("{}?symbols=AAPL", server.url));

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

/// What an independent reading of a file found.
#[derive(Deserialize)]
struct Expected {
    quotes: u64,
    symbol_counts: BTreeMap<String, u64>,
    price_sum: String,
    size_sum: String,
}

/// What every frame says first.
#[derive(Deserialize)]
struct Head {
    r#type: String,
    symbol: Option<String>,
    seq: Option<u64>,
    state: Option<String>,
}

async fn check_replay(history: &Path, name: &str, expected: &Expected) {
    let file: PathBuf = history.join(name);
    let server =
        Served::start(&["--feed", "replay", file.to_str().unwrap(), "--speed", "max", "--wait-for-client"])
            .await;
    let mut watching = Watching::start(&format!("{}?symbols=*&delivery=every", server.url));
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
