//! Tests of the metrics that the server shows at `/metrics`.

use tickerplant::config::Config;

use crate::support::events::trade;
use crate::support::test_server::TestServer;

/// Returns the value of a metric. The argument `name` is the metric's name with its labels.
fn sample(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn metrics_count_connections_and_limits_under_fixed_names() {
    let mut config = Config::default();
    config.limits.symbols = 1;
    let server = TestServer::start(config).await;
    let mut client = server.connect("/ws").await;
    client.send(r#"{"action":"subscribe","symbols":["EVIL","WORSE"]}"#).await;
    client.expect(r#"{"type":"error","code":"too_many_symbols"}"#).await;
    client.send("evil\\words\"}").await;
    client.next().await;
    server.publish([trade("EVIL", "1")]);

    let text = server.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;

    assert!(text.contains("content-type: application/openmetrics-text"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    for (name, value) in [
        ("tickerplant_limit_strikes_total{limit=\"symbols\"}", 1),
        ("tickerplant_limit_strikes_total{limit=\"connections\"}", 0),
        ("tickerplant_relayed_total", 1),
        ("tickerplant_events_total", 1),
        ("tickerplant_connections", 2),
        ("tickerplant_peers", 1),
    ] {
        assert_eq!(sample(&text, name), value, "{name} in\n{text}");
    }
    assert!(!text.to_lowercase().contains("evil"), "{text}");
}

#[tokio::test]
async fn the_age_of_an_update_is_counted_once_its_client_has_it() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.connect("/ws?symbols=AAPL").await;
    client.next().await;
    let count = async || {
        let text =
            server.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        (
            sample(&text, "tickerplant_data_age_seconds_count"),
            sample(&text, "tickerplant_data_age_seconds_bucket{le=\"+Inf\"}"),
        )
    };
    assert_eq!(count().await, (0, 0));

    server.publish([trade("AAPL", "1")]);
    client.expect(r#"{"type":"trade","symbol":"AAPL"}"#).await;

    // The client may have the update before the server has counted the update.
    while count().await == (0, 0) {}
    assert_eq!(count().await, (1, 1));
}
