//! Nodes, networks and NATS servers that fail.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use async_nats::jetstream;
use serde_json::Value;
use tickerplant::cluster::Storage;
use tickerplant::market::FeedState;
use tokio::io::AsyncWriteExt;

use super::nats_server::NatsServer;
use super::{config, get, node, node_command, nodes, ready, ready_process, until, view};
use crate::support::faulty_proxy::{Fault, Proxy};
use crate::support::process::{ServerProcess, can_signal, line_with};
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// Reads past the snapshots of a new client. Returns the sequence number of the first event.
async fn first_event(client: &mut Client) -> u64 {
    let reply = client.expect(r#"{"type":"subscribed"}"#).await;
    for _ in 0..reply["snapshots"].as_u64().unwrap() {
        client.expect(r#"{"type":"snapshot"}"#).await;
    }
    next_event(client, |_| {}).await
}

/// Returns the sequence number of the next event. Shows every other frame.
async fn next_event(client: &mut Client, mut show: impl FnMut(&Value)) -> u64 {
    loop {
        let frame = client.json().await;
        match frame["type"].as_str().unwrap() {
            "trade" | "quote" => return frame["seq"].as_u64().unwrap(),
            "heartbeat" => {}
            _ => show(&frame),
        }
    }
}

/// Reads `count` events, and checks that none is missing and none comes twice. Returns the sequence number of the
/// last one, and the states of the feed that came between.
async fn read_on(client: &mut Client, mut seq: u64, count: u64) -> (u64, Vec<String>) {
    let mut states = Vec::new();
    for _ in 0..count {
        let show = |frame: &Value| {
            assert_eq!(frame["type"], "feed", "{frame}");
            states.push(frame["state"].as_str().unwrap().to_owned());
        };
        let next = next_event(client, show).await;
        assert_eq!(next, seq + 1);
        seq = next;
    }
    (seq, states)
}

/// Reads until the client gets this state of the feed. Checks the events meanwhile.
async fn read_to_state(client: &mut Client, seq: &mut u64, state: &str) -> Value {
    loop {
        let frame = client.json().await;
        match frame["type"].as_str().unwrap() {
            "feed" if frame["state"] == state => return frame,
            "trade" | "quote" => {
                *seq += 1;
                assert_eq!(frame["seq"], *seq);
            }
            _ => {}
        }
    }
}

/// Returns whether a node names the leader with this id.
async fn follows(node: SocketAddr, leader: &str) -> bool {
    view(node).await["leader"] == leader
}

/// Starts a node whose connection to the NATS server goes through a proxy.
async fn node_behind_proxy(nats: &NatsServer) -> (Proxy, TestServer) {
    let proxy = Proxy::start(([127, 0, 0, 1], nats.port()).into()).await;
    let mut config = config(nats);
    config.cluster.url = vec![format!("nats://{}", proxy.address())];
    config.cluster.ahead_wait = Duration::from_millis(200);
    let node = TestServer::feed(config).await;
    ready(&node).await;
    (proxy, node)
}

#[tokio::test]
async fn a_node_that_is_cut_off_says_so_and_then_has_all_events() {
    let Some(nats) = NatsServer::start().await else { return };
    let _leader = nodes(&nats, 1).await;
    let (proxy, node) = node_behind_proxy(&nats).await;
    let mut client = node.connect("/ws?symbols=*&delivery=every").await;
    let mut seq = first_event(&mut client).await;

    for fault in [Fault::Silence, Fault::Reset] {
        proxy.strike(fault);
        let frame = read_to_state(&mut client, &mut seq, "degraded").await;
        assert!(frame["detail"].as_str().unwrap().starts_with("cut off from the cluster"), "{frame}");

        proxy.strike(Fault::None);
        read_to_state(&mut client, &mut seq, "running").await;
        (seq, _) = read_on(&mut client, seq, 500).await;
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_sends_clients_that_are_ahead_to_other_nodes() {
    let Some(nats) = NatsServer::start().await else { return };
    let leader = nodes(&nats, 1).await.remove(0);
    let (proxy, node) = node_behind_proxy(&nats).await;
    let mut client = node.connect("/ws?symbols=*&delivery=every").await;
    let mut seq = first_event(&mut client).await;
    proxy.strike(Fault::Silence);
    read_to_state(&mut client, &mut seq, "degraded").await;
    let ahead = format!("{}-{}", leader.bus().epoch(), leader.bus().head());

    for path in ["/api/v1/events", "/ndjson"] {
        let (status, answer) = get(&node, &format!("{path}?symbols=*&after={ahead}")).await;
        assert_eq!((status, &answer["error"]["code"]), (503, &"not_ready".into()), "{path}: {answer}");
    }
    let mut client = node.connect("/ws").await;
    client.send(&format!(r#"{{"action":"subscribe","symbols":["*"],"after":"{ahead}"}}"#)).await;
    assert_eq!(client.closed().await.0, 1013);
}

#[tokio::test]
async fn a_leader_that_is_cut_off_is_replaced_and_follows() {
    let Some(nats) = NatsServer::start().await else { return };
    let (proxy, old) = node_behind_proxy(&nats).await;
    let new = nodes(&nats, 1).await.remove(0);
    let id = view(new.address()).await["node"].as_str().unwrap().to_owned();
    let mut client = old.connect("/ws?symbols=*&delivery=every").await;
    let mut seq = first_event(&mut client).await;

    proxy.strike(Fault::Silence);
    until(async || follows(new.address(), &id).await).await;
    read_to_state(&mut client, &mut seq, "degraded").await;
    proxy.strike(Fault::None);

    until(async || follows(old.address(), &id).await).await;
    read_to_state(&mut client, &mut seq, "running").await;
    read_on(&mut client, seq, 500).await;
}

#[tokio::test]
async fn a_slow_connection_delays_events_and_loses_none() {
    let Some(nats) = NatsServer::start().await else { return };
    let _leader = nodes(&nats, 1).await;
    let (proxy, node) = node_behind_proxy(&nats).await;
    let mut client = node.connect("/ws?symbols=*&delivery=every").await;
    let seq = first_event(&mut client).await;

    proxy.strike(Fault::Delay(Duration::from_millis(200)));
    let (seq, states) = read_on(&mut client, seq, 1000).await;
    assert!(states.is_empty(), "{states:?}");
    proxy.strike(Fault::None);
    read_on(&mut client, seq, 500).await;
}

#[tokio::test]
async fn a_leader_that_is_stopped_for_five_seconds_is_replaced_and_follows() {
    if !can_signal("a stopped leader").await {
        return;
    }
    let Some(nats) = NatsServer::start().await else { return };
    let old = node(&[nats.url()], &[]).await;
    ready_process(&old).await;
    let new = node(&[nats.url()], &[]).await;
    ready_process(&new).await;
    let id = view(new.address()).await["node"].as_str().unwrap().to_owned();
    let mut near = old.connect("/ws?symbols=*&delivery=every").await;
    let mut far = new.connect("/ws?symbols=*&delivery=every").await;
    let (near_seq, far_seq) = (first_event(&mut near).await, first_event(&mut far).await);

    old.signal("STOP").await;
    until(async || follows(new.address(), &id).await).await;
    // At 200 events a second, these take the rest of the five seconds.
    let (far_seq, _) = read_on(&mut far, far_seq, 800).await;
    old.signal("CONT").await;

    until(async || follows(old.address(), &id).await).await;
    read_on(&mut far, far_seq, 200).await;
    read_on(&mut near, near_seq, 1200).await;
    assert_eq!(view(old.address()).await["takeovers"], 2);
}

#[tokio::test]
async fn a_stream_in_memory_is_gone_after_a_restart_and_a_new_epoch_begins() {
    let Some(mut nats) = NatsServer::start().await else { return };
    let mut config = config(&nats);
    config.cluster.storage = Storage::Memory;
    let nodes = [TestServer::feed(config.clone()).await, TestServer::feed(config).await];
    for node in &nodes {
        ready(node).await;
    }
    let old = nodes[0].bus().epoch();
    let mut every = nodes[0].connect("/ws?symbols=*&delivery=every").await;
    let mut latest = nodes[1].connect("/ws?symbols=*").await;
    first_event(&mut every).await;
    first_event(&mut latest).await;

    nats.restart().await;

    assert_eq!(every.closed().await.0, 4008);
    let gap = loop {
        let frame = latest.json().await;
        if frame["type"] == "gap" {
            break frame;
        }
    };
    assert_eq!(gap["reason"], "epoch_changed");
    assert_ne!(gap["epoch"], *old);
    for _ in 0..gap["snapshots"].as_u64().unwrap_or(0) {
        latest.expect(r#"{"type":"snapshot"}"#).await;
    }
    until(async || nodes.iter().all(|node| node.bus().epoch() == nodes[0].bus().epoch())).await;
    assert_eq!(gap["epoch"], *nodes[0].bus().epoch());
    let head = nodes[1].bus().head();
    until(async || nodes.iter().all(|node| node.bus().head() > head + 200)).await;
}

/// Starts a node that publishes the lines of its standard input.
async fn stdin_node(nats: &NatsServer) -> ServerProcess {
    let mut command = node_command(&[nats.url()], &[("feed.kind", "stdin")]);
    command.stdin(Stdio::piped());
    ServerProcess::spawn(command).await
}

async fn write(node: &mut ServerProcess, price: u32) {
    let line = format!("{{\"type\":\"trade\",\"symbol\":\"A\",\"price\":{price}}}\n");
    node.process.stdin.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_takeover_of_standard_input_is_told_to_clients() {
    let Some(nats) = NatsServer::start().await else { return };
    let mut old = stdin_node(&nats).await;
    until(async || view(old.address()).await["caught_up"] == true).await;
    let mut new = stdin_node(&nats).await;
    until(async || view(new.address()).await["caught_up"] == true).await;
    let mut client = new.connect("/ws?symbols=A&delivery=every").await;
    client.expect(r#"{"type":"subscribed"}"#).await;
    write(&mut old, 1).await;
    // Only the leader's lines are published.
    write(&mut new, 2).await;
    assert_eq!(first_price(&mut client).await, 1);

    old.process.kill().await.unwrap();

    let mut seq = 1;
    read_to_state(&mut client, &mut seq, "restarting").await;
    read_to_state(&mut client, &mut seq, "running").await;
    write(&mut new, 3).await;
    assert_eq!(first_price(&mut client).await, 3);
}

/// Returns the price of the next trade.
async fn first_price(client: &mut Client) -> u64 {
    loop {
        let frame = client.json().await;
        if frame["type"] == "trade" {
            return frame["price"].as_u64().unwrap();
        }
    }
}

/// Returns the name of the NATS server that leads the stream.
async fn stream_leader(nats: &NatsServer) -> Option<String> {
    let context = jetstream::new(async_nats::connect(nats.url()).await.ok()?);
    let stream = context.get_stream("tickerplant_main").await.ok()?;
    stream.cached_info().cluster.as_ref()?.leader.clone()
}

#[tokio::test]
async fn three_nats_servers_lose_nothing_when_the_leader_of_the_stream_dies() {
    let Some(mut servers) = NatsServer::three().await else { return };
    let mut config = config(&servers[0]);
    config.cluster.url = servers.iter().map(|server| server.url().to_owned()).collect();
    config.cluster.replicas = 3;
    let nodes = [TestServer::feed(config.clone()).await, TestServer::feed(config).await];
    for node in &nodes {
        ready(node).await;
    }
    let epoch = nodes[0].bus().epoch();
    let mut clients = Vec::new();
    for node in &nodes {
        let mut client = node.connect("/ws?symbols=*&delivery=every").await;
        let seq = first_event(&mut client).await;
        clients.push((client, seq));
    }
    let leader = stream_leader(&servers[0]).await.expect("the stream has a leader");
    let number: usize = leader.trim_start_matches('n').parse().unwrap();

    servers[number].kill().await;

    for (client, seq) in &mut clients {
        (*seq, _) = read_on(client, *seq, 1000).await;
    }
    servers[number].restart().await;
    for (client, seq) in &mut clients {
        read_on(client, *seq, 500).await;
    }
    for node in &nodes {
        assert_eq!(node.bus().epoch(), epoch);
        assert_ne!(node.bus().feed_state(), FeedState::Stalled);
    }
}

#[tokio::test]
async fn a_node_with_another_seed_serves_the_feed_but_never_leads() {
    let Some(nats) = NatsServer::start().await else { return };
    let with_seed = async |seed| {
        let settings = [("feed.simulated.seed", seed), ("feed.stalled_after", "3s")];
        let node = node(&[nats.url()], &settings).await;
        ready_process(&node).await;
        node
    };
    let mut first = with_seed("1").await;
    let mut other = with_seed("2").await;
    let line = line_with(&mut other.log, "cannot lead").await;
    assert!(line.contains("this node has the seed 2, the leader has the seed 1"), "{line}");
    let mut client = other.connect("/ws?symbols=*&delivery=every").await;
    let mut seq = first_event(&mut client).await;

    first.process.kill().await.unwrap();
    read_to_state(&mut client, &mut seq, "stalled").await;
    let same = with_seed("1").await;
    read_to_state(&mut client, &mut seq, "running").await;

    read_on(&mut client, seq, 200).await;
    let id = view(same.address()).await["node"].as_str().unwrap().to_owned();
    assert!(follows(other.address(), &id).await);
}
