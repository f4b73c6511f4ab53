//! Tests of `/api/v1/bars/SYMBOL`.

use std::time::Duration;

use serde_json::{Value, json};
use tickerplant::config::Config;
use tickerplant::market::{Event, FeedState, Payload, Time, Trade};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::support::events::trade;
use crate::support::process::PATIENCE;
use crate::support::test_server::TestServer;

/// The hash of the token `secret`, from `printf %s secret | sha256sum`.
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

/// Sends a request without a body. Returns the head of the response, and its body as JSON.
async fn request(server: &TestServer, line: &str) -> (String, Value) {
    let request = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let answer = server.request(&request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

async fn get(server: &TestServer, path: &str) -> (u16, Value) {
    let (head, body) = request(server, &format!("GET /api/v1/bars/{path}")).await;
    (head[9..12].parse().unwrap(), body)
}

/// Returns a trade of AAPL at this many seconds after 2024-01-03T14:30:00Z.
fn at(second: u64, price: &str, size: &str) -> Event {
    let trade = Trade { price: price.parse().unwrap(), size: Some(size.parse().unwrap()) };
    let start: Time = "2024-01-03T14:30:00Z".parse().unwrap();
    let time = start.later(Duration::from_secs(second));
    Event { symbol: "AAPL".parse().unwrap(), time, payload: Payload::Trade(trade) }
}

#[tokio::test]
async fn the_answer_has_the_exact_bars_of_every_event_before_the_request() {
    let server = TestServer::start(Config::default()).await;
    server.publish([at(0, "184.250", "100"), at(1, "184.30", "0.1"), at(61, "184.123456789012", "7")]);

    let answer = server
        .request("GET /api/v1/bars/AAPL?interval=1m HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        .await;

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("content-type: application/json") && head.contains("cache-control: no-store"),
        "{head}"
    );
    let expected = concat!(
        r#"{"symbol":"AAPL","interval":"1m","bars":["#,
        r#"{"time":"2024-01-03T14:30:00Z","open":184.250,"high":184.30,"low":184.250,"close":184.30,"volume":100.1},"#,
        r#"{"time":"2024-01-03T14:31:00Z","open":184.123456789012,"high":184.123456789012,"#,
        r#""low":184.123456789012,"close":184.123456789012,"volume":7,"partial":true}]}"#
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_late_trade_changes_a_complete_bar_but_not_its_open_and_close() {
    let server = TestServer::start(Config::default()).await;
    server.publish([at(10, "5", "1"), at(20, "6", "1"), at(90, "7", "1")]);
    let complete = json!({"time":"2024-01-03T14:30:00Z","open":5,"high":6,"low":5,"close":6,"volume":2});
    assert_eq!(get(&server, "AAPL?interval=1m").await.1["bars"][0], complete);

    server.publish([at(5, "2", "1"), at(30, "9", "1")]);

    let changed = json!({"time":"2024-01-03T14:30:00Z","open":5,"high":9,"low":2,"close":6,"volume":4});
    assert_eq!(get(&server, "AAPL?interval=1m").await.1["bars"][0], changed);
}

#[tokio::test]
async fn each_interval_and_each_limit_is_answered() {
    let server = TestServer::start(Config::default()).await;
    server.publish((0..720).map(|second| at(second, "1", "1")));
    for (query, interval, bars, oldest) in [
        ("", "1m", 12, "14:30:00"),
        ("?interval=1s", "1s", 500, "14:33:40"),
        ("?interval=1s&limit=5000", "1s", 720, "14:30:00"),
        ("?limit=1&interval=1s", "1s", 1, "14:41:59"),
        ("?interval=1m&limit=2", "1m", 2, "14:40:00"),
        ("?interval=5m", "5m", 3, "14:30:00"),
        ("?interval=15m", "15m", 1, "14:30:00"),
        ("?interval=1h", "1h", 1, "14:00:00"),
        ("?interval=1d", "1d", 1, "00:00:00"),
    ] {
        let (status, answer) = get(&server, &format!("AAPL{query}")).await;

        let list = answer["bars"].as_array().unwrap();
        assert_eq!((status, &answer["interval"], list.len()), (200, &json!(interval), bars), "{query}");
        assert_eq!(list[0]["time"], format!("2024-01-03T{oldest}Z"), "{query}");
        let partial = list.iter().filter(|bar| bar["partial"] == json!(true)).count();
        assert_eq!(partial, 1, "{query}: only the running bar is partial");
        assert_eq!(list[bars - 1]["partial"], json!(true), "{query}");
    }
}

#[tokio::test]
async fn a_wrong_request_is_told_what_is_wrong() {
    let server = TestServer::start(Config::default()).await;
    server.publish([trade("AAPL", "1")]);
    for (path, status, code, part) in [
        ("APPL", 404, "not_found", "the feed has no symbol APPL"),
        ("AAPL?interval=2m", 400, "bad_parameter", r#"interval is 1s, 1m, 5m, 15m, 1h or 1d, not "2m""#),
        ("AAPL?interval=", 400, "bad_parameter", r#"interval is 1s, 1m, 5m, 15m, 1h or 1d, not """#),
        ("AAPL?limit=0", 400, "bad_parameter", r#"limit is a whole number from 1 to 5000, not "0""#),
        ("AAPL?limit=5001", 400, "bad_parameter", "limit is a whole number from 1 to 5000"),
        ("AAPL?limit=-1", 400, "bad_parameter", "limit is"),
        ("AAPL?limit=1.5", 400, "bad_parameter", "limit is"),
        ("AAPL?limit=1&limit=2", 400, "bad_parameter", "`limit` is given twice"),
        ("AAPL?intervall=1m", 400, "bad_parameter", r#"no parameter "intervall""#),
        ("AAPL?intervall=1m", 400, "bad_parameter", "did you mean interval?"),
        ("AA%20PL", 400, "bad_symbol", "has a space"),
        ("AAPL%FF", 400, "bad_symbol", "has the character"),
        ("AAPL?token=secret", 401, "unauthorized", "this server has no tokens"),
        ("", 404, "not_found", "there is no such page"),
    ] {
        let (found, answer) = get(&server, path).await;

        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{path}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{path}: {message}");
    }
}

#[tokio::test]
async fn a_symbol_of_any_characters_can_stand_in_the_path() {
    let server = TestServer::start(Config::default()).await;
    let names = ["EUR/USD", "ES=F", "A+B", "^KS11", "삼성전자"];
    server.publish(names.map(|name| trade(name, "1")));
    for (path, name) in [
        ("EUR%2FUSD", "EUR/USD"),
        ("EUR/USD", "EUR/USD"),
        ("ES=F", "ES=F"),
        ("A+B/", "A+B"),
        ("A%2BB", "A+B"),
        ("%5EKS11", "^KS11"),
        ("%EC%82%BC%EC%84%B1%EC%A0%84%EC%9E%90", "삼성전자"),
    ] {
        let (status, answer) = get(&server, path).await;

        assert_eq!((status, &answer["symbol"]), (200, &json!(name)), "{path}");
    }
}

#[tokio::test]
async fn an_announced_symbol_without_events_has_no_bars() {
    let feed = "kind = \"simulated\"\nclock.paused = true\nsimulated.symbols = [\"AAPL\"]";
    let server = TestServer::feed(Config { feed: toml::from_str(feed).unwrap(), ..Config::default() }).await;

    assert_eq!(get(&server, "AAPL").await, (200, json!({"symbol":"AAPL","interval":"1m","bars":[]})));
    assert_eq!(get(&server, "MSFT").await.0, 404);
}

#[tokio::test]
async fn a_token_is_needed_and_must_allow_the_symbol() {
    let auth = format!("[[tokens]]\nname = \"dash\"\nsha256 = \"{SECRET}\"\nsubscribe = [\"MS*\"]");
    let server =
        TestServer::start(Config { auth: toml::from_str(&auth).unwrap(), ..Config::default() }).await;
    server.publish([trade("AAPL", "1"), trade("MSFT", "1")]);

    for (path, status, code) in [
        ("MSFT", 401, "unauthorized"),
        ("MSFT?token=guess", 401, "unauthorized"),
        ("AAPL?token=secret", 403, "forbidden"),
        // The answer does not reveal which symbols the feed has.
        ("NONE?token=secret", 403, "forbidden"),
        ("MSFX?token=secret", 404, "not_found"),
    ] {
        let (found, answer) = get(&server, path).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{path}: {answer}");
    }
    let (status, answer) = get(&server, "MSFT?token=secret").await;
    assert_eq!((status, answer["bars"].as_array().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn the_page_answers_head_and_options_and_no_other_method() {
    let server = TestServer::start(Config::default()).await;
    server.publish([trade("AAPL", "1")]);

    let (head, body) = request(&server, "HEAD /api/v1/bars/AAPL").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && body == Value::Null, "{head} {body}");
    let (head, _) = request(&server, "OPTIONS /api/v1/bars/AAPL").await;
    assert!(head.starts_with("HTTP/1.1 204 ") && head.contains("allow: GET, HEAD, OPTIONS"), "{head}");
    let (head, body) = request(&server, "POST /api/v1/bars/AAPL").await;
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET, HEAD, OPTIONS"), "{head}");
    assert_eq!(body["error"]["message"], "this page answers GET and HEAD");
}

#[tokio::test]
async fn evicted_bars_are_counted_in_the_metrics() {
    let mut config = Config::default();
    config.bars.seconds = 2;
    let server = TestServer::start(config).await;
    server.publish((0..5).map(|second| at(second, "1", "1")));
    assert_eq!(get(&server, "AAPL?interval=1s").await.1["bars"].as_array().unwrap().len(), 2);

    let text = server.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;

    for line in [
        "tickerplant_bars_evicted_total{limit=\"seconds\"} 3",
        "tickerplant_bars_evicted_total{limit=\"minutes\"} 0",
        "tickerplant_bars_evicted_total{limit=\"bytes\"} 0",
        "tickerplant_bars_lags_total 0",
        "tickerplant_bars_missed_total 0",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn a_replay_at_full_speed_leaves_every_bar_of_its_file_in_the_answer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/feeds/bars-1m.csv");
    let feed = format!("kind = \"replay\"\nreplay.files = [{path:?}]\nclock.speed = \"max\"");
    let server = TestServer::feed(Config { feed: toml::from_str(&feed).unwrap(), ..Config::default() }).await;
    let ended = async {
        while server.bus().feed_state() != FeedState::Ended {
            yield_now().await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the replay ends");

    let request = "GET /api/v1/bars/AAPL?limit=5000 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let answer = server.request(request).await;

    let file = std::fs::read_to_string(path).unwrap();
    let rows = file.lines().map(|row| row.split(',').collect::<Vec<_>>());
    let bars: Vec<String> = rows
        .filter(|cells| cells[1] == "AAPL")
        .map(|cells| {
            let [time, _, open, high, low, close, volume] = cells[..] else { panic!("{cells:?}") };
            format!(
                r#"{{"time":"{time}","open":{open},"high":{high},"low":{low},"close":{close},"volume":{volume}}}"#
            )
        })
        .collect();
    let expected = format!(r#"{{"symbol":"AAPL","interval":"1m","bars":[{}]}}"#, bars.join(","));
    assert!(bars.len() > 100, "{}", bars.len());
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, expected);
}
