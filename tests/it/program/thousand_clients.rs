//! Tests with a thousand clients of one server.

use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::faulty_proxy::{Fault, Proxy};
use crate::support::process::{PATIENCE, ServerProcess, can_signal, has_descriptors};
use crate::support::subscriber::{EVERY, Frame, Subscriber};

const CLIENTS: usize = 1000;

/// Connects one client for each query. All clients connect at the same time.
async fn connect_all(address: SocketAddr, queries: impl Iterator<Item = String>) -> Vec<Subscriber> {
    let mut connecting = JoinSet::new();
    for query in queries {
        connecting.spawn(async move { Subscriber::connect(address, &query).await });
    }
    timeout(PATIENCE, connecting.join_all()).await.expect("all connect")
}

#[tokio::test]
async fn a_thousand_clients_that_are_cut_off_resume_and_miss_nothing() {
    let name = "a thousand clients that are cut off";
    // Each client uses three file descriptors: its own, and two in the proxy.
    if !has_descriptors(3 * CLIENTS + 500, name) {
        return;
    }
    let server = ServerProcess::start(&["--profile", "gbm", "--rate", "40"]).await;
    let proxy = Proxy::start(server.address()).await;
    let subscribers = connect_all(proxy.address(), (0..CLIENTS).map(|_| EVERY.to_owned())).await;

    // Cuts the clients off only when each of them is receiving events.
    let (report, mut reports) = mpsc::channel(CLIENTS);
    let mut following = JoinSet::new();
    for mut subscriber in subscribers {
        let report = report.clone();
        following.spawn(async move {
            subscriber.read_to(subscriber.seq + 5).await;
            report.send(()).await.unwrap();
            assert!(matches!(subscriber.read_to_end().await, Frame::Lost));
            (subscriber.cursor(), subscriber.seq)
        });
    }
    for _ in 0..CLIENTS {
        timeout(PATIENCE, reports.recv()).await.expect("all get events").expect("all get events");
    }
    proxy.strike(Fault::Reset);
    let cut = timeout(PATIENCE, following.join_all()).await.expect("all are cut off");
    proxy.strike(Fault::None);

    let head = cut.iter().map(|(_, seq)| *seq).max().unwrap() + 20;
    let mut returning = JoinSet::new();
    for (cursor, _) in cut {
        let address = proxy.address();
        returning.spawn(async move {
            let mut subscriber = Subscriber::resume(address, EVERY, &cursor).await;
            assert!(subscriber.resumed, "{cursor}");
            subscriber.read_to(head).await;
        });
    }
    timeout(PATIENCE, returning.join_all()).await.expect("all come back");
}

#[tokio::test]
async fn a_shutdown_closes_a_thousand_clients_and_does_not_wait_for_those_that_do_not_read() {
    let name = "a shutdown with a thousand clients";
    if !can_signal(name).await || !has_descriptors(CLIENTS + 500, name) {
        return;
    }
    let symbols: Vec<String> = (0..100).map(|n| format!("S{n}")).collect();
    let server =
        ServerProcess::start(&["--profile", "gbm", "--rate", "1000", "--symbols", &symbols.join(",")]).await;
    let queries = (0..CLIENTS - 20).map(|n| format!("symbols=S{}", n % 100));
    let readers = connect_all(server.address(), queries).await;
    let mut still = Vec::new();
    for _ in 0..20 {
        still.push(Subscriber::connect_with_room(server.address(), "symbols=*", 4096).await);
    }
    // Waits for more events than the system buffers for clients that do not read.
    let mut beside = Subscriber::connect(server.address(), EVERY).await;
    beside.read_to(beside.seq + 1500).await;

    let mut leaving = JoinSet::new();
    for mut reader in readers {
        leaving.spawn(async move { reader.read_to_end().await });
    }
    leaving.spawn(async move { beside.read_to_end().await });
    let (status, ends) = tokio::join!(server.terminate(), leaving.join_all());

    assert_eq!(status.code(), Some(0));
    for end in ends {
        assert!(matches!(end, Frame::Closed(1001, _)), "{end:?}");
    }
    drop(still);
}
