//! Tests of the paths under `/api/v1/` that return market data, and of `/api/v1/info`.

use serde_json::json;
use tickerplant::config::Config;

use crate::support::events::{bar, quote, trade};
use crate::support::json_answer::JsonAnswer;
use crate::support::line_client::LineClient;
use crate::support::test_server::TestServer;

/// All paths with a response that needs no further parameter.
const PATHS: [&str; 4] =
    ["/api/v1/symbols", "/api/v1/snapshots?symbols=*", "/api/v1/events?symbols=*", "/api/v1/info"];

async fn started() -> TestServer {
    let server = TestServer::start(Config::default()).await;
    server.publish([
        trade("AAPL", "184.20"),
        quote("MSFT", "402.29", "402.31"),
        bar("^KS11", "0.00000012"),
        trade("AAPL", "184.250"),
        quote("AAPL", "184.24", "184.26"),
    ]);
    server.caught_up().await;
    server
}

/// Returns a configuration with the token `secret`, which allows AAPL and symbols that begin with MS, and with
/// the token `correct`, which allows all symbols.
fn with_tokens() -> Config {
    let auth = r#"
        [[tokens]]
        name = "dash"
        sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        subscribe = ["AAPL", "MS*"]
        [[tokens]]
        name = "desk"
        sha256 = "15a596e3c98c407e043751ff3b21ff0358a1bdfdf3fe948b1523893a8e5de2e8"
        subscribe = ["*"]
    "#;
    Config { auth: toml::from_str(auth).unwrap(), ..Config::default() }
}

#[tokio::test]
async fn symbols_have_their_last_price_and_the_change_of_the_day() {
    let server = started().await;

    let answer = JsonAnswer::get(&server, "/api/v1/symbols").await;

    let time = "2024-01-03T14:30:00Z";
    assert_eq!(
        answer.text(),
        format!(
            concat!(
                r#"{{"symbols":[{{"symbol":"AAPL","last":184.250,"time":"{time}","change":0.050,"change_percent":0.03,"volume":200}},"#,
                r#"{{"symbol":"MSFT"}},"#,
                r#"{{"symbol":"^KS11","last":0.00000012,"time":"{time}","change":0.00000000,"change_percent":0}}]}}"#
            ),
            time = time
        )
    );
}

#[tokio::test]
async fn snapshots_are_those_of_a_stream_and_unknown_symbols_are_absent() {
    let server = started().await;
    let mut stream = LineClient::ask(server.open().await, "/ndjson?symbols=AAPL,MSFT").await;
    let mut frames = Vec::new();
    while frames.len() < 3 {
        frames.push(stream.text().await.unwrap());
    }

    let some = JsonAnswer::get(&server, "/api/v1/snapshots?symbols=MSFT,APPL,AAPL").await;
    let all = JsonAnswer::get(&server, "/api/v1/snapshots?ticker=*").await;
    let none = JsonAnswer::get(&server, "/api/v1/snapshots?symbols=APPL").await;

    assert_eq!(some.text(), format!(r#"{{"snapshots":{{"AAPL":{},"MSFT":{}}}}}"#, frames[1], frames[2]));
    assert!(all.text().starts_with(some.text().trim_end_matches("}}")), "{}", all.text());
    assert_eq!(all.json()["snapshots"]["^KS11"]["bar"]["seq"], 3);
    assert_eq!(none.text(), r#"{"snapshots":{}}"#);
}

#[tokio::test]
async fn events_are_those_of_a_resume_with_the_cursor_to_go_on_with() {
    let server = started().await;
    let epoch = server.bus().epoch();
    let path = format!("symbols=AAPL&channels=trades,bars&after={epoch}-0");
    let mut stream = LineClient::ask(server.open().await, &format!("/ndjson?delivery=every&{path}")).await;
    assert_eq!(stream.line().await["resumed"], true);
    let frames = [stream.text().await.unwrap(), stream.text().await.unwrap()];

    for query in [path.as_str(), "symbols=AAPL&channels=trades,bars"] {
        let answer = JsonAnswer::get(&server, &format!("/api/v1/events?{query}")).await;
        let expected =
            format!(r#"{{"epoch":"{epoch}","seq":5,"events":[{}],"next":"{epoch}-5"}}"#, frames.join(","));
        assert_eq!(answer.text(), expected);
    }

    let first = JsonAnswer::get(&server, "/api/v1/events?symbols=AAPL,MSFT&limit=2").await.json();
    let next = first["next"].as_str().unwrap();
    let second =
        JsonAnswer::get(&server, &format!("/api/v1/events?symbols=AAPL,MSFT&after={next}")).await.json();
    let head = JsonAnswer::get(&server, &format!("/api/v1/events?symbols=*&after={epoch}-5")).await.json();
    let numbers = |page: &serde_json::Value| -> Vec<_> {
        page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!((numbers(&first), numbers(&second)), (vec![1, 2], vec![4, 5]));
    assert_eq!(head, json!({"epoch": epoch, "seq": 5, "events": [], "next": format!("{epoch}-5")}));
}

#[tokio::test]
async fn a_cursor_that_the_history_does_not_reach_is_gone() {
    let mut config = Config::default();
    config.bus.history = 2.try_into().unwrap();
    let server = TestServer::start(config).await;
    server.publish((1..=5).map(|price| trade("AAPL", &price.to_string())));
    let epoch = server.bus().epoch();
    for (cursor, status, code, part) in [
        (format!("{epoch}-2"), 410, "history_exhausted", "the history begins with event 4"),
        ("k3f9-4".to_owned(), 410, "epoch_changed", "k3f9-4 is of another epoch"),
        (format!("{epoch}-6"), 400, "bad_cursor", "is ahead of the feed"),
    ] {
        let answer = JsonAnswer::get(&server, &format!("/api/v1/events?symbols=*&after={cursor}")).await;
        let (found, message) = answer.error();
        assert_eq!((answer.status, found.as_str()), (status, code), "{cursor}");
        assert!(message.contains(part), "{cursor}: {message}");
    }

    let oldest = JsonAnswer::get(&server, "/api/v1/events?symbols=*").await.json();

    assert_eq!(oldest["events"].as_array().unwrap().len(), 2, "{oldest}");
    assert_eq!(oldest["events"][0]["seq"], 4);
}

#[tokio::test]
async fn a_page_of_a_rare_symbol_in_a_long_history_ends_early_and_the_pages_are_complete() {
    let server = TestServer::start(Config::default()).await;
    let rare = [1, 20_000, 39_999, 40_000];
    server.publish(
        (1..=40_000).map(|n| trade(if rare.contains(&n) { "RARE" } else { "AAPL" }, &n.to_string())),
    );
    let epoch = server.bus().epoch();

    for limit in [1, 10_000] {
        let (mut found, mut pages, mut after) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("/api/v1/events?symbols=RARE&limit={limit}{after}");
            let page = JsonAnswer::get(&server, &path).await.json();
            pages += 1;
            found.extend(
                page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()),
            );
            let next = page["next"].as_str().unwrap().to_owned();
            after = format!("&after={next}");
            if next == format!("{epoch}-40000") {
                break;
            }
        }
        assert_eq!(found, rare, "limit {limit}");
        assert!(pages > 2, "a page reads a part of the history only");
    }
}

#[tokio::test]
async fn monitors_and_tools_may_add_parameters_to_pages_without_data() {
    let server = started().await;
    for path in
        ["healthz", "readyz", "metrics", "openapi.json", "asyncapi.json", "?v=1&", "api/v1/info?token=x&"]
    {
        let separator = if path.contains('?') { "" } else { "?v=1&v=2" };
        let answer = JsonAnswer::get(&server, &format!("/{path}{separator}")).await;
        // A server without a feed is not ready.
        let status = if path == "readyz" { 503 } else { 200 };
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn each_wrong_parameter_is_named() {
    let server = started().await;
    for (path, code, part) in [
        (
            "symbols?symbols=AAPL",
            "bad_parameter",
            "there is no parameter \"symbols\"; parameters are after, limit",
        ),
        ("symbols?limit=0", "bad_parameter", "limit is a whole number from 1 to 10000, not \"0\""),
        ("symbols?limit=+2", "bad_parameter", "limit is a whole number from 1 to 10000, not \"+2\""),
        ("bars/AAPL?limit=+2", "bad_parameter", "limit is a whole number from 1 to 5000, not \"+2\""),
        ("symbols?after=A%20B", "bad_symbol", "after: symbol \"A B\" has a space"),
        ("symbols?after=APPL", "bad_parameter", "`after` is \"APPL\", which has no data"),
        ("snapshots", "bad_parameter", "needs symbols"),
        ("snapshots?symbols=", "bad_symbol", "is empty"),
        ("snapshots?symbols=*&after=APPL", "bad_parameter", "`after` is \"APPL\", which has no data"),
        ("snapshots?symbols=AAPL&channels=trades", "bad_parameter", "there is no parameter \"channels\""),
        ("snapshots?symbols=AAPL&limit=10001", "bad_parameter", "limit is a whole number"),
        ("events", "bad_parameter", "needs symbols"),
        ("events?symbols=AAPL&channels=trade", "bad_channel", "channels: \"trade\" is not a channel"),
        ("events?symbols=AAPL&after=5", "bad_cursor", "after: \"5\" is not a cursor"),
        (
            "events?symbols=AAPL&limit=all",
            "bad_parameter",
            "limit is a whole number from 1 to 10000, not \"all\"",
        ),
        ("events?symbols=AAPL&symbol=MSFT", "bad_parameter", "mean the same"),
        ("events?symbols=AAPL&interval_ms=5", "bad_parameter", "there is no parameter \"interval_ms\""),
        ("info?limit=5", "bad_parameter", "there is no parameter \"limit\"; the only parameter is token"),
        (
            "feed?symbols=AAPL",
            "bad_parameter",
            "there is no parameter \"symbols\"; the only parameter is token",
        ),
    ] {
        let answer = JsonAnswer::get(&server, &format!("/api/v1/{path}")).await;
        let (found, message) = answer.error();
        assert_eq!((answer.status, found.as_str()), (400, code), "{path}: {message}");
        assert!(message.contains(part), "{path}: {message}");
    }
}

#[tokio::test]
async fn a_token_sees_its_own_symbols_and_no_others() {
    let server = TestServer::start(with_tokens()).await;
    server.publish([trade("AAPL", "1"), trade("NVDA", "2"), trade("MSFT", "3")]);
    server.caught_up().await;
    for path in &PATHS[..3] {
        let answer = JsonAnswer::get(&server, path).await;
        assert_eq!((answer.status, answer.error().0.as_str()), (401, "unauthorized"), "{path}");
    }
    for (path, status) in [
        ("snapshots?symbols=AAPL,NVDA", 403),
        ("snapshots?symbols=*", 403),
        ("events?symbols=NVDA", 403),
        ("events?symbols=*", 403),
        ("snapshots?symbols=AAPL,MSFT", 200),
        ("events?symbols=MSFT", 200),
    ] {
        let path = format!("/api/v1/{path}");
        let answer = JsonAnswer::to(&server, "GET", &path, "Authorization: Bearer secret\r\n").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(!answer.text().contains(r#""price":2"#), "{path}: {}", answer.text());
    }

    let own = JsonAnswer::get(&server, "/api/v1/symbols?token=secret").await.json();
    let all = JsonAnswer::get(&server, "/api/v1/symbols?token=correct").await.json();

    let names = |page: &serde_json::Value| -> Vec<_> {
        page["symbols"].as_array().unwrap().iter().map(|symbol| symbol["symbol"].clone()).collect()
    };
    assert_eq!(names(&own), ["AAPL", "MSFT"]);
    assert_eq!(names(&all), ["AAPL", "NVDA", "MSFT"]);

    // The answer does not tell whether a symbol exists that the token does not allow.
    for after in ["NVDA", "NONE"] {
        let path = format!("/api/v1/symbols?after={after}&token=secret");
        let answer = JsonAnswer::get(&server, &path).await;
        assert_eq!(answer.status, 400, "{after}: {}", answer.text());
        assert!(answer.text().contains("has no data"), "{after}: {}", answer.text());
    }
}

#[tokio::test]
async fn info_needs_no_token_and_says_whether_the_data_do() {
    let mut config = with_tokens();
    config.limits.symbols = 7;
    config.limits.command_rate = 0;
    let locked = TestServer::start(config).await;
    let open = TestServer::start(Config::default()).await;

    let (locked, open) = (
        JsonAnswer::get(&locked, "/api/v1/info").await.json(),
        JsonAnswer::get(&open, "/api/v1/info").await.json(),
    );

    assert_eq!((&locked["tokens"], &open["tokens"]), (&json!(true), &json!(false)));
    assert_eq!((&locked["limits"]["symbols"], &locked["limits"]["command_rate"]), (&json!(7), &json!(null)));
    assert_eq!(
        open,
        json!({
            "version": env!("CARGO_PKG_VERSION"), "protocol": 1, "feed": {"kind": "simulated"}, "tokens": false,
            "heartbeat_ms": 5000, "relay": true,
            "limits": {
                "symbols": 1000, "message_bytes": 65536, "command_rate": 20, "every_buffer": 1_048_576,
                "relay_bytes": 4096, "relay_rate": 10, "page": 10_000
            }
        })
    );
}

#[tokio::test]
async fn each_page_answers_head_and_options_and_no_other_method() {
    let server = started().await;
    for path in PATHS {
        let get = JsonAnswer::get(&server, path).await;
        let head = JsonAnswer::to(&server, "HEAD", path, "").await;
        let options = JsonAnswer::to(&server, "OPTIONS", path, "").await;
        let post = JsonAnswer::to(&server, "POST", path, "Content-Length: 0\r\n").await;

        assert_eq!((get.status, head.status, options.status, post.status), (200, 200, 204, 405), "{path}");
        assert!(get.head.contains("cache-control: no-store\r\n"), "{}", get.head);
        assert!(head.body.is_empty());
        assert!(head.head.contains(&format!("content-length: {}\r\n", get.body.len())), "{}", head.head);
        for answer in [options, post] {
            assert!(answer.head.contains("allow: GET, HEAD, OPTIONS\r\n"), "{path}: {}", answer.head);
        }
    }
}
