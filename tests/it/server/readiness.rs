//! Tests of the path `/readyz`, which tells a load balancer whether the server is ready.

use std::time::Duration;

use tickerplant::config::Config;
use tickerplant::market::FeedState;
use tokio::time::sleep;

use crate::support::events::trade;
use crate::support::in_memory_server::InMemoryServer;
use crate::support::local_set::locally;
use crate::support::test_server::TestServer;

const READY: &str = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_server_is_ready_while_its_feed_runs_is_paused_or_has_ended() {
    let server = TestServer::start(Config::default()).await;
    let starting = server.request(READY).await;
    assert!(starting.starts_with("HTTP/1.1 503 ") && starting.contains("the feed is starting"), "{starting}");

    let failed = FeedState::Failed { detail: "no-such-file.csv is gone".to_owned() };
    for (state, status, part) in [
        (FeedState::Running, 200, r#"{"status":"ready"}"#),
        (FeedState::Stalled, 503, "the feed is stalled"),
        (FeedState::Paused, 200, r#"{"status":"ready"}"#),
        (FeedState::Ended, 200, r#"{"status":"ready"}"#),
        (failed, 503, r#""code":"not_ready","message":"the feed has failed: no-such-file.csv is gone""#),
    ] {
        server.bus().set_feed_state(state.clone());

        let answer = server.request(READY).await;

        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{state:?}: {answer}");
        assert!(answer.contains(part), "{state:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_not_ready_while_a_reader_of_the_log_lags() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let (mut slow, _) = server.bus().reader("recorder");
        server.bus().set_feed_state(FeedState::Running);
        slow.try_next();
        server.bus().publish(vec![trade("A", "1")]);
        sleep(Duration::from_secs(1)).await;
        assert!(server.request(READY).await.starts_with("HTTP/1.1 200 "));

        sleep(Duration::from_millis(500)).await;
        let lagging = server.request(READY).await;
        slow.try_next();

        assert!(lagging.starts_with("HTTP/1.1 503 "), "{lagging}");
        assert!(lagging.contains("recorder lags by 1.5s, more than ready.max_lag = 1s"), "{lagging}");
        assert!(server.request(READY).await.starts_with("HTTP/1.1 200 "));
    })
    .await;
}

#[tokio::test]
async fn readiness_can_be_asked_without_a_token_and_when_the_server_is_full() {
    let mut config = Config::default();
    config.limits.connections = 1;
    config.auth.tokens =
        toml::from_str::<tickerplant::auth::Config>(
            "[[tokens]]\nname = \"a\"\nsha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"",
        )
        .unwrap()
        .tokens;
    let server = TestServer::start(config).await;
    server.bus().set_feed_state(FeedState::Running);
    let _only = server.open().await;

    assert!(server.request(READY).await.starts_with("HTTP/1.1 200 "));
}
