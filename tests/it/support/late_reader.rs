//! A client that reads nothing until everything has been published.

use crate::support::events::trade;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// Connects a client with every event of `A`, publishes, and only then lets the client read.
pub async fn gets_every_event_though_it_reads_late(server: &TestServer, mut client: Client) {
    const EVENTS: u64 = 6000;
    client.expect(r#"{"type":"subscribed"}"#).await;

    // Far more than the kernel buffers for a client that does not read: many small writes, and a large one.
    for n in 1..=EVENTS / 2 {
        server.publish([trade("A", &n.to_string())]);
        tokio::task::yield_now().await;
    }
    server.publish((EVENTS / 2 + 1..=EVENTS).map(|n| trade("A", &n.to_string())));

    for seq in 1..=EVENTS {
        client.expect(&format!(r#"{{"type":"trade","seq":{seq},"price":{seq}}}"#)).await;
    }
}
