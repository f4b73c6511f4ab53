//! Tests with clients behind a network that delays bytes, splits them, and breaks connections.

use std::time::Duration;

use crate::support::faulty_proxy::{Fault, Proxy};
use crate::support::process::ServerProcess;
use crate::support::subscriber::{EVERY, Frame, Subscriber};

#[tokio::test]
async fn single_bytes_arrive_unchanged() {
    let server = ServerProcess::start(&["--profile", "gbm", "--rate", "20"]).await;
    let proxy = Proxy::start(server.address()).await;

    // The pieces of the handshake are three bytes long, because the client's library refuses smaller pieces
    // as an attack.
    proxy.strike(Fault::Drip(3, Duration::from_millis(1)));
    let mut subscriber = Subscriber::connect(proxy.address(), EVERY).await;
    proxy.strike(Fault::Drip(1, Duration::ZERO));

    subscriber.read_to(subscriber.seq + 10).await;

    // The client's messages also arrive at the server.
    proxy.strike(Fault::Drip(1, Duration::from_millis(1)));
    subscriber.catch_up().await;
}

#[tokio::test]
async fn delayed_bytes_arrive_unchanged() {
    let server = ServerProcess::start(&["--profile", "gbm", "--rate", "100"]).await;
    let proxy = Proxy::start(server.address()).await;
    proxy.strike(Fault::Delay(Duration::from_millis(150)));

    let mut subscriber = Subscriber::connect(proxy.address(), EVERY).await;

    subscriber.read_to(subscriber.seq + 100).await;
    subscriber.catch_up().await;
}

#[tokio::test]
async fn a_client_that_ends_its_sending_side_gets_complete_frames_and_resumes() {
    let server = ServerProcess::start(&["--profile", "gbm", "--rate", "200"]).await;
    let proxy = Proxy::start(server.address()).await;
    let mut subscriber = Subscriber::connect(proxy.address(), EVERY).await;
    subscriber.read_to(subscriber.seq + 20).await;

    proxy.strike(Fault::HalfClose);
    let end = subscriber.read_to_end().await;

    assert!(matches!(end, Frame::Lost | Frame::Closed(..)), "{end:?}");
    let mut beside = Subscriber::connect(server.address(), EVERY).await;
    beside.read_to(subscriber.seq + 50).await;
    let mut again = Subscriber::resume(server.address(), EVERY, &subscriber.cursor()).await;
    assert!(again.resumed);
    again.read_to(subscriber.seq + 100).await;
}

#[tokio::test]
async fn a_silent_network_loses_nothing() {
    let server = ServerProcess::start(&["--profile", "gbm", "--rate", "2000"]).await;
    let proxy = Proxy::start(server.address()).await;
    let mut beside = Subscriber::connect(server.address(), EVERY).await;
    let mut exact = Subscriber::connect(proxy.address(), EVERY).await;
    let mut latest = Subscriber::connect(proxy.address(), "symbols=*").await;

    proxy.strike(Fault::Silence);
    // Waits for more events than the system buffers for a client that does not read.
    beside.read_to(beside.seq + 1500).await;
    proxy.strike(Fault::None);

    exact.read_to(beside.seq + 100).await;
    latest.read_to(beside.seq + 100).await;
}
