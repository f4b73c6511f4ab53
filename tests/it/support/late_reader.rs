//! A client that starts to read only after the last event has been published.

use crate::support::events::trade;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// Publishes events of the symbol `A` while the client does not read. Checks that the client then receives
/// every event.
pub async fn gets_every_event_though_it_reads_late(server: &TestServer, mut client: Client) {
    const EVENTS: u64 = 6000;
    client.expect(r#"{"type":"subscribed"}"#).await;

    // Publishes far more than the kernel buffers for a client that does not read. The server first makes many
    // small writes, and then a large one.
    for n in 1..=EVENTS / 2 {
        server.publish([trade("A", &n.to_string())]);
        tokio::task::yield_now().await;
    }
    server.publish((EVENTS / 2 + 1..=EVENTS).map(|n| trade("A", &n.to_string())));

    for seq in 1..=EVENTS {
        client.expect(&format!(r#"{{"type":"trade","seq":{seq},"price":{seq}}}"#)).await;
    }
}
