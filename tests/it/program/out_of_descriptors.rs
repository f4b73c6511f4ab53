//! Tests of a server that has no file descriptors left for new connections.

use std::fs;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::process::{
    PATIENCE, ServerProcess, has_descriptors, line_with, tickerplant_with_descriptors,
};
use crate::support::subscriber::{EVERY, Subscriber};

#[tokio::test]
async fn without_descriptors_the_server_serves_its_clients_and_accepts_others_when_some_leave() {
    const CLIENTS: usize = 300;
    let name = "a server without descriptors";
    if !cfg!(target_os = "linux") {
        eprintln!("skipped, this is not Linux: {name}");
        return;
    }
    if !has_descriptors(CLIENTS + 500, name) {
        return;
    }
    let mut server =
        ServerProcess::spawn(tickerplant_with_descriptors(256, &["--profile", "gbm", "--rate", "20"])).await;
    let address = server.address();
    let mut beside = Subscriber::connect(address, EVERY).await;

    let mut connecting = JoinSet::new();
    for _ in 0..CLIENTS {
        connecting.spawn(Subscriber::connect(address, "symbols=QUIET"));
    }
    line_with(&mut server.log, "cannot accept").await;
    beside.catch_up().await;
    let (before, begun) = (cpu_time(&server), Instant::now());
    beside.read_to(beside.seq + 40).await;
    let (used, elapsed) = (cpu_time(&server).saturating_sub(before), begun.elapsed());
    // An accept loop that retries without a pause would use a whole core.
    assert!(used < elapsed / 8, "{used:?} in {elapsed:?}");

    let mut connected = Vec::new();
    while let Some(subscriber) = connecting.try_join_next() {
        connected.push(subscriber.unwrap());
    }
    assert!((100..256).contains(&connected.len()), "{}", connected.len());
    connected.truncate(connected.len() / 2);
    timeout(PATIENCE, connecting.join_all()).await.expect("those who wait are served");
    Subscriber::connect(address, EVERY).await.catch_up().await;
    beside.catch_up().await;
}

/// Returns the processor time that a server has used.
fn cpu_time(server: &ServerProcess) -> Duration {
    let id = server.process.id().expect("the server runs");
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // Takes the fields after the program's name, which is in brackets. Times are in hundredths of a second,
    // see proc_pid_stat(5).
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}
