//! Tests of clusters: nodes in this process, with a real NATS server.

mod kills;
mod nats_server;
mod outages;
mod refusals;
mod room;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tickerplant::cluster::NodeRole;
use tickerplant::config::Config;
use tickerplant::feed::Speed;
use tickerplant::market::{FeedKind, FeedState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::yield_now;
use tokio::time::timeout;

use self::nats_server::NatsServer;
use crate::support::process::{ServerProcess, configured, tickerplant};
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// The time limit for each wait in a test. A test that waits longer fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the configuration of a node with a simulated feed.
fn config(nats: &NatsServer) -> Config {
    let mut config = Config::default();
    config.cluster.url = vec![nats.url().to_owned()];
    config.cluster.lease = Duration::from_secs(1);
    config.feed.simulated.rate = 200.try_into().unwrap();
    config.limits.loopback = false;
    config.feed.stalled_after = Duration::from_secs(3);
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
    try_ask(node.address(), request, body).await.unwrap()
}

/// Sends a request to the node at this address. Returns `None` if the node is gone.
async fn try_ask(node: SocketAddr, request: &str, body: &str) -> Option<(u16, Value)> {
    let length = body.len();
    let head =
        format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}");
    let mut socket = TcpStream::connect(node).await.ok()?;
    socket.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.ok()?;
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer))
        .await
        .expect("the node ends the connection")
        .ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).unwrap_or_default()))
}

/// Returns the command that runs a node of a cluster, with a simulated feed.
fn node_command(nats: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = tickerplant(&[]);
    command.args(nats.iter().flat_map(|url| ["--cluster", url]));
    let usual = [
        ("cluster.lease", "1s"),
        ("limits.loopback", "false"),
        ("feed.kind", "simulated"),
        ("feed.simulated.rate", "200"),
    ];
    configured(configured(command, &usual), settings)
}

/// Starts a node as a process of its own.
async fn node(nats: &[&str], settings: &[(&str, &str)]) -> ServerProcess {
    ServerProcess::spawn(node_command(nats, settings)).await
}

/// Returns what a node says of its cluster.
async fn view(node: SocketAddr) -> Value {
    try_ask(node, "GET /api/v1/cluster", "").await.expect("the node answers").1
}

/// Waits until a node that is a process is ready.
async fn ready_process(node: &ServerProcess) {
    let is_ready = async || matches!(try_ask(node.address(), "GET /readyz", "").await, Some((200, _)));
    until(is_ready).await;
}

/// Counts the events of a client until the feed has ended.
async fn count_to_the_end(client: &mut Client) -> u64 {
    client.expect(r#"{"type":"subscribed"}"#).await;
    let mut seq = 0;
    loop {
        let frame = client.json().await;
        if frame["type"] == "feed" && frame["state"] == "ended" {
            return seq;
        }
        if let Some(next) = frame["seq"].as_u64().filter(|_| frame["type"] != "heartbeat") {
            assert_eq!(next, seq + 1);
            seq = next;
        }
    }
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
async fn an_edge_serves_the_feed_of_the_others_without_having_one() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut config = config(&nats);
    config.feed.kind = FeedKind::Stdin;
    config.cluster.role = NodeRole::Edge;
    let edge = TestServer::start(config).await;
    assert_eq!(get(&edge, "/api/v1/symbols").await.0, 503, "there is no feed yet");

    let nodes = nodes(&nats, 1).await;
    ready(&edge).await;

    let mut client = edge.connect("/ws?symbols=*").await;
    let reply = client.expect(r#"{"type":"subscribed","feed":{"kind":"simulated"}}"#).await;
    assert_eq!(reply["epoch"], *nodes[0].bus().epoch());
    assert_eq!(get(&edge, "/api/v1/info").await.1["feed"]["kind"], "simulated");
    assert_eq!(ask(&edge, "POST /api/v1/feed", r#"{"action":"pause"}"#).await.0, 200);
    assert_eq!(nodes[0].bus().feed_state(), FeedState::Paused);
    drop(nodes);
    until(async || edge.bus().feed_state() == FeedState::Stalled).await;
}

#[tokio::test]
async fn a_replay_at_full_speed_waits_for_the_clients_of_all_nodes_and_a_seek_reaches_all() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut config = config(&nats);
    config.feed.kind = FeedKind::Replay;
    config.feed.replay.files = vec!["feeds/ticks.csv".into()];
    config.feed.clock.speed = Speed::Max;
    config.feed.wait_for_client = true;
    let nodes = [TestServer::feed(config.clone()).await, TestServer::feed(config).await];
    for node in &nodes {
        until(async || get(node, "/api/v1/cluster").await.1["caught_up"] == true).await;
    }
    assert_eq!(nodes[0].bus().head(), 0);

    let (mut near, mut far) = (
        nodes[0].connect("/ws?symbols=*&delivery=every").await,
        nodes[1].connect("/ws?symbols=*&delivery=every").await,
    );

    // The feed has ended only when both clients have got everything.
    assert_eq!(join!(count_to_the_end(&mut near), count_to_the_end(&mut far)), (1980, 1980));

    let seek = r#"{"action":"seek","time":"2024-01-03T14:32:00Z"}"#;
    let (status, answer) = ask(&nodes[1], "POST /api/v1/feed", seek).await;
    assert_eq!(status, 200, "{answer}");
    for client in [&mut near, &mut far] {
        until(async || client.json().await["position"] == "2024-01-03T14:32:00Z").await;
        client.expect(r#"{"type":"snapshot"}"#).await;
    }
}

#[tokio::test]
async fn every_node_ends_with_the_feed_when_its_clients_have_everything() {
    let Some(nats) = NatsServer::start().await else { return };
    let settings = [
        ("feed.kind", "replay"),
        ("feed.replay.files", concat!(env!("CARGO_MANIFEST_DIR"), "/feeds/ticks.csv")),
        ("feed.clock.speed", "max"),
        ("feed.clock.paused", "true"),
        ("feed.exit_at_end", "true"),
    ];
    let nodes = [node(&[nats.url()], &settings).await, node(&[nats.url()], &settings).await];
    for node in &nodes {
        ready_process(node).await;
    }
    let mut near = nodes[0].connect("/ws?symbols=*&delivery=every").await;
    let mut far = nodes[1].connect("/ws?symbols=*&delivery=every").await;

    let resumed = try_ask(nodes[1].address(), "POST /api/v1/feed", r#"{"action":"resume"}"#).await;
    assert_eq!(resumed.unwrap().0, 200);

    assert_eq!(join!(count_to_the_end(&mut near), count_to_the_end(&mut far)), (1980, 1980));
    for node in nodes {
        assert!(node.ended().await.success());
    }
}

#[tokio::test]
async fn a_node_tells_the_lag_of_all_nodes_and_the_time_of_its_appends() {
    let Some(nats) = NatsServer::start().await else { return };
    let nodes = nodes(&nats, 2).await;
    let listed = async || get(&nodes[1], "/api/v1/cluster").await.1["nodes"].as_array().unwrap().clone();
    until(async || listed().await.len() == 2).await;

    for one in listed().await {
        assert!(one["lag_ms"].as_u64().unwrap() < 5000, "{one}");
    }
    let leader = leader(&nodes).await;
    let metrics = async || {
        nodes[leader].request("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await
    };
    let value = |text: &str, name: &str| -> f64 {
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
    };
    let text = metrics().await;
    let appends = value(&text, "tickerplant_cluster_appends_total");
    assert!(appends > 0.0 && value(&text, "tickerplant_cluster_append_seconds_total") > 0.0, "{text}");
}

#[tokio::test]
async fn the_log_of_a_first_start_has_no_lines_of_the_nats_library() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut node = node(&[nats.url()], &[]).await;

    while let Some(line) = timeout(PATIENCE, node.log.next_line()).await.expect("a term begins").unwrap() {
        assert!(!line.contains("async_nats"), "{line}");
        if line.contains("a term begins") {
            return;
        }
    }
    panic!("the log ends");
}

#[tokio::test]
async fn a_cursor_that_is_ahead_of_its_node_waits_for_the_node() {
    let Some(nats) = NatsServer::start().await else { return };
    let nodes = nodes(&nats, 1).await;
    let (epoch, ahead) = (nodes[0].bus().epoch(), nodes[0].bus().head() + 100);

    let mut client = nodes[0].connect(&format!("/ws?symbols=*&after={epoch}-{ahead}")).await;

    client.expect(r#"{"type":"subscribed","resumed":true}"#).await;
    let ahead = nodes[0].bus().head() + 100;
    let (status, page) = get(&nodes[0], &format!("/api/v1/events?symbols=*&after={epoch}-{ahead}")).await;
    assert_eq!((status, &page["epoch"]), (200, &(&*epoch).into()));
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
