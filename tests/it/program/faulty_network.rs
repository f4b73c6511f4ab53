//! What clients get over a network that delays, cuts into pieces, and cuts off.

use std::time::Duration;

use crate::support::faulty_proxy::{Fault, Proxy};
use crate::support::process::ServerProcess;
use crate::support::subscriber::{EVERY, Frame, Subscriber};

#[tokio::test]
async fn a_line_that_brings_bytes_one_by_one_changes_nothing_of_what_arrives() {
    let server = ServerProcess::start(&["--rate", "20"]).await;
    let proxy = Proxy::start(server.address()).await;

    // The client's own library takes a handshake in pieces as small as these, and none smaller, for an attack.
    proxy.strike(Fault::Drip(3, Duration::from_millis(1)));
    let mut subscriber = Subscriber::connect(proxy.address(), EVERY).await;
    proxy.strike(Fault::Drip(1, Duration::ZERO));

    subscriber.read_to(subscriber.seq + 10).await;

    // And what it says itself.
    proxy.strike(Fault::Drip(1, Duration::from_millis(1)));
    subscriber.catch_up().await;
}

#[tokio::test]
async fn a_line_that_delays_changes_nothing_of_what_arrives() {
    let server = ServerProcess::start(&["--rate", "100"]).await;
    let proxy = Proxy::start(server.address()).await;
    proxy.strike(Fault::Delay(Duration::from_millis(150)));

    let mut subscriber = Subscriber::connect(proxy.address(), EVERY).await;

    subscriber.read_to(subscriber.seq + 100).await;
    subscriber.catch_up().await;
}

#[tokio::test]
async fn a_client_whose_words_end_gets_whole_frames_to_the_end_and_comes_back() {
    let server = ServerProcess::start(&["--rate", "200"]).await;
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
async fn a_line_that_falls_silent_for_a_while_loses_nothing() {
    let server = ServerProcess::start(&["--rate", "2000"]).await;
    let proxy = Proxy::start(server.address()).await;
    let mut beside = Subscriber::connect(server.address(), EVERY).await;
    let mut exact = Subscriber::connect(proxy.address(), EVERY).await;
    let mut latest = Subscriber::connect(proxy.address(), "symbols=*").await;

    proxy.strike(Fault::Silence);
    // More than the system takes for a client that does not read.
    beside.read_to(beside.seq + 1500).await;
    proxy.strike(Fault::None);

    exact.read_to(beside.seq + 100).await;
    latest.read_to(beside.seq + 100).await;
}
