//! Tests that a client that floods a shard with commands does not block the other clients. Also tests that
//! the shard removes the subscriptions of all clients that leave at the same time.

use std::time::Duration;

use tickerplant::counters::Limit;
use tickerplant::session::Config;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::support::events::trade;
use crate::support::local_set::locally;
use crate::support::session_harness::SessionHarness;

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_client_does_not_block_others() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut witness = harness.connect("symbols=A", 4096).await;
        witness.json().await;
        let mut flooding = harness.connect("", 65_536).await;
        // A text frame with a ping command, masked with zeros.
        let ping = [&b"\x81\x91\0\0\0\0"[..], br#"{"action":"ping"}"#].concat();

        flooding.socket.get_mut().write_all(&ping.repeat(2000)).await.unwrap();
        harness.publish([trade("A", "1")]);
        witness.event().await;

        let refused = harness.bus.counters().count_of(Limit::CommandRate);
        assert!(refused < 1000, "{refused} of 1900 before the others");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn subscriptions_of_clients_that_left_together_are_removed_although_no_event_comes() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let symbols: Vec<_> = (0..1000).map(|number| format!("S{number}")).collect();
        let query = format!("symbols={}", symbols.join(","));
        for _ in 0..3 {
            let mut peer = harness.connect(&query, 65_536).await;
            peer.json().await;
            drop(peer);
        }

        // The paused clock moves only when all tasks wait. So after this sleep, the shard has no work left.
        sleep(Duration::from_millis(1)).await;

        assert!(!harness.shard().is_turn_wanted(), "something was left");
    })
    .await;
}
