//! Tests with clients that vanish without a close, and with clients that are still there but answer or read
//! slowly.

use std::time::Duration;

use tokio::select;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;

use crate::support::faulty_proxy::{Fault, Proxy};
use crate::support::process::{PATIENCE, ServerProcess};
use crate::support::subscriber::{EVERY, Subscriber};

#[tokio::test]
async fn clients_that_vanish_lose_their_permits_and_others_keep_theirs() {
    let settings =
        [("limits.connections", "4"), ("limits.ping_interval", "200ms"), ("limits.ping_timeout", "500ms")];
    let server =
        ServerProcess::configured(&["--profile", "gbm", "--rate", "2000", "--symbols", "A,B"], &settings)
            .await;
    let address = server.address();
    let proxy = Proxy::start(address).await;
    let mut beside = Subscriber::connect(address, EVERY).await;
    // A client without events, a client with `delivery=latest`, and a client with `delivery=every`.
    let queries = ["symbols=QUIET", "symbols=*", EVERY];
    let mut vanishing = JoinSet::new();
    for query in queries {
        let mut subscriber = Subscriber::connect(proxy.address(), query).await;
        subscriber.catch_up().await;
        vanishing.spawn(async move { subscriber.read_to_end().await });
    }
    assert_full(Subscriber::try_connect(address, EVERY).await);

    proxy.strike(Fault::Silence);

    let mut staying = JoinSet::new();
    let all_places = async {
        while staying.len() < queries.len() {
            match Subscriber::try_connect(address, "symbols=QUIET").await {
                Ok(mut subscriber) => {
                    staying.spawn(async move { subscriber.read_to_end().await });
                }
                full => assert_full(full),
            }
        }
    };
    select! {
        came = timeout(PATIENCE, all_places) => came.expect("their places are free again"),
        end = beside.read_to_end() => panic!("{end:?}"),
    }
    // The server keeps clients that answer pings, although they send nothing else.
    beside.read_to(beside.seq + 4000).await;
    assert!(staying.try_join_next().is_none());
    assert_full(Subscriber::try_connect(address, EVERY).await);
}

fn assert_full(answer: Result<Subscriber, Error>) {
    match answer.map(|_| "a place") {
        Err(Error::Http(response)) if response.status() == 503 => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_with_late_pongs_stays() {
    let settings = [("limits.ping_interval", "200ms"), ("limits.ping_timeout", "1s")];
    let server = ServerProcess::configured(&["--profile", "gbm", "--rate", "100"], &settings).await;
    let proxy = Proxy::start(server.address()).await;
    // A round trip takes 1.6 s, longer than the ping timeout.
    proxy.strike(Fault::Delay(Duration::from_millis(800)));

    let mut subscriber = Subscriber::connect(proxy.address(), EVERY).await;

    subscriber.read_to(subscriber.seq + 300).await;
    subscriber.catch_up().await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_but_steadily_stays() {
    let settings =
        [("limits.ping_interval", "200ms"), ("limits.ping_timeout", "2s"), ("server.send_buffer", "8192")];
    let server = ServerProcess::configured(&["--profile", "gbm", "--rate", "2000"], &settings).await;
    let proxy = Proxy::start(server.address()).await;
    let mut subscriber = Subscriber::connect(proxy.address(), "symbols=*").await;

    // The client reads far less than the feed publishes. So the client always has unread updates before a
    // ping.
    proxy.strike(Fault::Drip(64, Duration::from_millis(1)));

    for _ in 0..1500 {
        subscriber.next_event().await;
    }
}
