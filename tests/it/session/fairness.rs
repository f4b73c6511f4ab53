//! A client that floods its shard, and the others of that shard.

use std::time::Duration;

use tickerplant::session::Config;
use tickerplant::tally::Limit;
use tokio::io::AsyncWriteExt;

use crate::support::events::trade;
use crate::support::local_set::locally;
use crate::support::session_harness::SessionHarness;

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_client_lets_the_others_have_their_turn() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut witness = harness.connect("symbols=A", 4096).await;
        witness.json().await;
        let mut flooding = harness.connect("", 65_536).await;
        // A masked text frame with a mask of zeros.
        let ping = [&b"\x81\x91\0\0\0\0"[..], br#"{"action":"ping"}"#].concat();

        flooding.socket.get_mut().write_all(&ping.repeat(2000)).await.unwrap();
        harness.publish([trade("A", "1")]);
        witness.event().await;

        let refused = harness.bus.tally().strikes(Limit::CommandRate);
        assert!(refused < 1000, "{refused} of 1900 before the others");
    })
    .await;
}
