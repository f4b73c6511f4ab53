//! Tests of clusters: nodes in this process, with a real NATS server.

mod nats_server;

use std::time::Duration;

use serde_json::Value;
use tickerplant::config::Config;
use tickerplant::market::FeedState;
use tokio::task::yield_now;
use tokio::time::timeout;

use self::nats_server::NatsServer;
use crate::support::test_server::TestServer;

/// The time limit for each wait in a test. A test that waits longer fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the configuration of a node with a simulated feed.
fn config(nats: &NatsServer) -> Config {
    let mut config = Config::default();
    config.cluster.url = vec![nats.url().to_owned()];
    config.cluster.lease = Duration::from_secs(1);
    config.feed.simulated.rate = 200.try_into().unwrap();
    config.limits.loopback = false;
    config
}

/// Starts nodes, and waits until all have caught up.
async fn nodes(nats: &NatsServer, count: usize) -> Vec<TestServer> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(TestServer::feed(config(nats)).await);
    }
    for node in &nodes {
        ready(node).await;
    }
    nodes
}

/// Waits until a node is ready.
async fn ready(node: &TestServer) {
    until(async || get(node, "/readyz").await.0 == 200).await;
}

/// Waits until something is true.
async fn until(mut is_true: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_true().await {
            yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it becomes true");
}

/// Sends a request, and returns the status and the JSON of the answer.
async fn get(node: &TestServer, path: &str) -> (u16, Value) {
    ask(node, &format!("GET {path}"), "").await
}

async fn ask(node: &TestServer, request: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}");
    let answer = node.request(&format!("{head}\r\n\r\n{body}")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

/// Returns the index of the leader.
async fn leader(nodes: &[TestServer]) -> usize {
    let mut ids = Vec::new();
    for node in nodes {
        ids.push(get(node, "/api/v1/cluster").await.1);
    }
    let is_leader = |one: &Value| one["node"] == one["leader"];
    ids.iter().position(is_leader).expect("one node leads")
}

#[tokio::test]
async fn a_client_resumes_on_another_node_and_the_feed_goes_on_without_its_leader() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut nodes = nodes(&nats, 3).await;
    let lost = leader(&nodes).await;
    let mut client = nodes[lost].connect("/ws?symbols=*&delivery=every").await;
    let reply = client.expect(r#"{"type":"subscribed"}"#).await;
    let epoch = reply["epoch"].as_str().unwrap().to_owned();
    for _ in 0..reply["snapshots"].as_u64().unwrap() {
        client.expect(r#"{"type":"snapshot"}"#).await;
    }
    let newest = client.json().await["seq"].as_u64().unwrap();

    // A node that is dropped ends without a word.
    drop(nodes.swap_remove(lost));

    let cursor = format!("{epoch}-{newest}");
    let mut client = nodes[0].connect(&format!("/ws?symbols=*&delivery=every&after={cursor}")).await;
    client.expect(r#"{"type":"subscribed","resumed":true}"#).await;
    for seq in newest + 1..newest + 1000 {
        let frame = client.json().await;
        let frame = if frame["type"] == "heartbeat" { client.json().await } else { frame };
        assert_eq!(frame["seq"], seq, "{frame}");
    }
    assert_eq!(nodes[1].bus().epoch().as_ref(), epoch);
}

#[tokio::test]
async fn a_leader_that_is_shut_down_resigns_and_a_new_node_has_what_the_others_have() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut nodes = nodes(&nats, 2).await;
    let lost = leader(&nodes).await;

    nodes.swap_remove(lost).shut_down().await;

    let head = nodes[0].bus().head();
    until(async || nodes[0].bus().head() > head + 200).await;
    let new = TestServer::feed(config(&nats)).await;
    ready(&new).await;
    let path = "/api/v1/events?symbols=*&limit=100";
    assert_eq!(get(&new, path).await.1["events"], get(&nodes[0], path).await.1["events"]);
}

#[tokio::test]
async fn a_command_to_any_node_is_answered_when_this_node_has_its_effect() {
    let Some(nats) = NatsServer::start().await else { return };
    let nodes = nodes(&nats, 3).await;

    for node in &nodes {
        let (status, paused) = ask(node, "POST /api/v1/feed", r#"{"action":"pause"}"#).await;
        assert_eq!((status, &paused["state"]), (200, &"paused".into()));
        assert_eq!(node.bus().feed_state(), FeedState::Paused);
        assert_eq!(ask(node, "POST /api/v1/feed", r#"{"action":"resume"}"#).await.0, 200);
    }
}

#[tokio::test]
async fn a_message_reaches_the_clients_of_all_nodes_once() {
    let Some(nats) = NatsServer::start().await else { return };
    let nodes = nodes(&nats, 2).await;
    let (mut near, mut far) = (nodes[0].connect("/ws").await, nodes[1].connect("/ws").await);
    // The connections between the nodes may come later than the nodes.
    until(async || {
        near.send("hello?").await;
        assert_eq!(near.text().await, "hello?");
        timeout(Duration::from_millis(200), far.text()).await.is_ok()
    })
    .await;

    near.send("one").await;
    near.send("two").await;

    assert_eq!([near.text().await, near.text().await], ["one", "two"]);
    let mut heard = far.text().await;
    while heard == "hello?" {
        heard = far.text().await;
    }
    assert_eq!([heard, far.text().await], ["one", "two"]);
    far.quiet().await;
}

#[tokio::test]
async fn the_feed_goes_on_in_the_same_epoch_after_the_nats_server_restarts() {
    let Some(mut nats) = NatsServer::start().await else { return };
    let nodes = nodes(&nats, 2).await;
    let (epoch, head) = (nodes[0].bus().epoch(), nodes[0].bus().head());

    nats.restart().await;

    for node in &nodes {
        until(async || node.bus().head() > head + 500).await;
        assert_eq!(node.bus().epoch(), epoch);
    }
}
