//! Tests of the addresses on which the built program listens, and of the log lines with these addresses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::process::{PATIENCE, assert_is_one_error, configured, line_with, run, tickerplant};

#[tokio::test]
async fn a_node_does_not_name_a_seed_before_it_knows_that_of_the_cluster() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cluster = format!("nats://{closed}");
    let mut process = tickerplant(&["--listen", "127.0.0.1:0", "--cluster", &cluster]).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();

    line_with(&mut log, "listening").await;
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.starts_with("Open ")) {
        lines.push(timeout(PATIENCE, log.next_line()).await.unwrap().unwrap().unwrap());
    }

    assert!(lines.iter().all(|line| !line.contains("Repeat this market")), "{lines:?}");
}

#[tokio::test]
async fn localhost_is_served_on_both_loopback_addresses() {
    let mut process = tickerplant(&["--listen", "localhost:0"]).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let listening = line_with(&mut log, "listening").await;
    let repeat = line_with(&mut log, "Repeat this market with: ").await;
    let last = timeout(PATIENCE, log.next_line()).await.unwrap().unwrap().unwrap();

    let addresses = listening.split("address=").nth(1).unwrap().split(' ').next().unwrap();
    let addresses: Vec<SocketAddr> = addresses.split(',').map(|address| address.parse().unwrap()).collect();
    assert_eq!(last, format!("Open http://localhost:{}", addresses[0].port()));
    assert!(repeat.contains(" tickerplant --feed simulated --profile realistic --seed "), "{repeat}");
    assert_eq!(addresses[0].ip(), Ipv4Addr::LOCALHOST);
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok();
    assert_eq!(addresses.len(), if has_ipv6 { 2 } else { 1 }, "{listening}");
    for address in addresses {
        let url = format!("ws://{address}/ws");
        TcpStream::connect(address).await.unwrap();
        let (code, out, err) = run(tickerplant(&["send", "hi", "--url", &url])).await;
        assert_eq!((code, out.as_str()), (0, "Received: hi\n"), "{err}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_on_one_address_of_a_name_is_an_error_that_names_the_address() {
    let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
        eprintln!("skipped, this machine has no IPv6: a port that is taken on one address");
        return;
    };
    let address = taken.local_addr().unwrap();

    let listen = format!("localhost:{}", address.port());
    let (code, _, err) = run(tickerplant(&["--listen", &listen])).await;

    assert_eq!(code, 69, "{err}");
    assert_is_one_error(&err, &format!("cannot listen on {address}"));
}

#[tokio::test]
async fn the_start_ends_with_a_url_that_a_browser_can_open() {
    for (listen, host) in [("127.0.0.1:0", "127.0.0.1"), ("0.0.0.0:0", "127.0.0.1")] {
        let mut process = tickerplant(&["--allow-anonymous", "--listen", listen]).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let listening = line_with(&mut log, "listening").await;
        let port = listening.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        let port = port.parse::<SocketAddr>().unwrap().port();

        assert_eq!(line_with(&mut log, "Open").await, format!("Open http://{host}:{port}"));
    }
}

#[tokio::test]
async fn the_url_at_the_start_has_a_host_that_the_server_accepts() {
    let mut command =
        configured(tickerplant(&["--allow-anonymous"]), &[("server.allowed_hosts", "ticks.example")]);
    let mut process = command.args(["--listen", "0.0.0.0:0"]).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();

    let url = line_with(&mut log, "Open").await;

    assert!(url.starts_with("Open http://ticks.example:"), "{url}");
}

#[tokio::test]
async fn a_log_that_begins_at_warn_has_no_url() {
    let mut command = tickerplant(&["--feed", "stdin", "--log", "warn", "--listen", "127.0.0.1:0"]);
    let mut process = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();

    process.stdin.take().unwrap().write_all(b"no event\n").await.unwrap();

    // The feed logs a warning about the bad line.
    let first = timeout(PATIENCE, log.next_line()).await.unwrap().unwrap().unwrap();
    assert!(first.contains("WARN"), "{first}");
}
