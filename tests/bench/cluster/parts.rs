//! The parts of the benchmark.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream;
use futures_util::StreamExt;
use hdrhistogram::Histogram;
use tickerplant::market::Time;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::fleet::{self, Fleet, Setup, get, request, signal, until};
use crate::reader::Readers;
use crate::statistics::{self, Spread, float, percentile};
use crate::{Args, SETUPS};

/// The clients of the part `cpu`, which all get every event.
const CLIENTS: usize = 100;

/// How many events a second the part `catch-up` has.
const CATCH_UP_RATE: u64 = 20_000;

/// Events a second, and so messages a second, of the part `latency`.
const LATENCY_RATE: u64 = 500;

/// The settings of a simulated feed.
fn simulated<'a>(rate: &'a str, symbols: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("feed.kind", "simulated"), ("feed.simulated.rate", rate), ("feed.simulated.symbols", symbols)]
}

/// Measures each setup once in each round, and returns the values of each setup.
async fn rounds(
    args: &Args,
    setups: &[Setup],
    mut measure: impl AsyncFnMut(Setup) -> io::Result<f64>,
) -> io::Result<Vec<Vec<f64>>> {
    let mut values = vec![Vec::new(); setups.len()];
    for _ in 0..args.rounds {
        for (values, setup) in values.iter_mut().zip(setups) {
            values.push(measure(*setup).await?);
        }
    }
    Ok(values)
}

/// Prints the values of each setup, and their ratios to those of the first setup.
fn print(title: &str, digits: usize, setups: &[Setup], values: &[Vec<f64>]) {
    println!("\n{title} (least/median/greatest)");
    for (setup, own) in setups.iter().zip(values) {
        let ratio = Spread::of_ratios(own, &values[0]);
        let spread = Spread::of(own.iter().copied());
        println!("  {:<16} {:>20}   ratio {}", setup.name(), spread.text(digits), ratio.text(2));
    }
}

/// Measures the CPU of a delivery.
pub async fn cpu(args: &Args) -> io::Result<()> {
    let values = rounds(args, &SETUPS, async |setup| {
        let fleet = Fleet::start(setup, &simulated("1000", "50"), true).await?;
        let node = fleet.nodes.last().expect("there is a node");
        let mut readers =
            Readers::connect(node.address(), "symbols=*&delivery=every", CLIENTS, false).await?;
        sleep(Duration::from_secs(1)).await;
        let (cpu, lines) = (node.cpu()?, readers.counts.lines.load(Relaxed));
        sleep(Duration::from_secs(args.seconds)).await;
        let (cpu, lines) = (node.cpu()?.saturating_sub(cpu), readers.counts.lines.load(Relaxed) - lines);
        readers.check()?;
        Ok(cpu.as_secs_f64() * 1e6 / float(lines))
    });
    print("CPU of a delivery in µs: 100 clients, 1,000 events a second", 2, &SETUPS, &values.await?);
    Ok(())
}

/// Measures what a cluster adds to the delay of an event.
pub async fn latency(args: &Args) -> io::Result<()> {
    let (mut bare, mut medians) = (vec![Vec::new(); SETUPS.len()], vec![Vec::new(); SETUPS.len()]);
    let values = rounds(args, &SETUPS, async |setup| {
        let mut fleet = Fleet::start(setup, &[("feed.kind", "stdin")], true).await?;
        let node = fleet.nodes.last().expect("there is a node").address();
        let mut readers = Readers::connect(node, "symbols=A&delivery=every", 1, true).await?;
        let mut input = fleet.input()?;
        let mut write = async |seconds| {
            every_tick(seconds, |time, _| {
                let line =
                    format!("{{\"type\":\"trade\",\"symbol\":\"A\",\"time\":\"{time}\",\"price\":1}}\n");
                input.write_all(line.as_bytes())
            })
            .await
        };
        write(1).await?;
        readers.counts.take_delays();
        write(args.seconds).await?;
        sleep(Duration::from_millis(200)).await;
        readers.check()?;
        let delays = readers.counts.take_delays();
        let index = SETUPS.iter().position(|one| *one == setup).expect("it is a setup");
        if let Some(url) = fleet.nats_url() {
            let trip = bare_trip(url, fleet_replicas(setup), args.seconds).await?;
            bare[index].push(percentile(&trip, 99.0) / 1e6);
        }
        medians[index].push(percentile(&delays, 50.0) / 1e6);
        Ok(percentile(&delays, 99.0) / 1e6)
    })
    .await?;
    print("p50 of the delays in ms, from standard input to a client", 2, &SETUPS, &medians);
    print("p99 of the delays in ms, from standard input to a client", 2, &SETUPS, &values);
    for (index, setup) in SETUPS.iter().enumerate().skip(1) {
        let added: Vec<_> = values[index].iter().zip(&values[0]).map(|(own, lone)| own - lone).collect();
        let target = bare[index].iter().map(|bare| 1.0 + 4.0 * bare);
        println!(
            "  {:<16} added p99 {}; bare p99 {}; batch_window + 4 × bare {}",
            setup.name(),
            Spread::of(added).text(2),
            Spread::of(bare[index].iter().copied()).text(2),
            Spread::of(target).text(2)
        );
    }
    Ok(())
}

fn fleet_replicas(setup: Setup) -> usize {
    if let Setup::Cluster(count) = setup { count } else { 1 }
}

/// Does something at even times, and passes the time and the number of the turn.
async fn every_tick(seconds: u64, mut tick: impl FnMut(Time, u64) -> io::Result<()>) -> io::Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(LATENCY_RATE).expect("it is small"));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..seconds * LATENCY_RATE {
        ticks.tick().await;
        tick(Time::now(), number)?;
    }
    Ok(())
}

/// Measures how long a message takes from its publisher through a stream to a consumer.
async fn bare_trip(url: &str, replicas: usize, seconds: u64) -> io::Result<Histogram<u64>> {
    let client = async_nats::connect(url).await.map_err(io::Error::other)?;
    let context = async_nats::jetstream::new(client.clone());
    let config = stream::Config {
        name: "bare".to_owned(),
        subjects: vec!["bare".to_owned()],
        num_replicas: replicas,
        ..stream::Config::default()
    };
    let stream = context.create_stream(config).await.map_err(io::Error::other)?;
    let consumer = pull::Config {
        ack_policy: AckPolicy::None,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer: PullConsumer = stream.create_consumer(consumer).await.map_err(io::Error::other)?;
    // Until the consumer has a leader of its own, nobody answers.
    sleep(Duration::from_secs(1)).await;
    let mut messages = consumer.messages().await.map_err(io::Error::other)?;
    let mut trips = statistics::histogram();
    let count = seconds * LATENCY_RATE;
    let read = async {
        for _ in 0..count {
            let message = messages.next().await.ok_or_else(|| io::Error::other("the consumer has ended"))?;
            let message = message.map_err(io::Error::other)?;
            let sent: [u8; 8] = message.payload[..8].try_into().map_err(io::Error::other)?;
            let trip = Time::now().as_nanos() - i64::from_le_bytes(sent);
            trips.saturating_record(u64::try_from(trip).unwrap_or(0));
        }
        io::Result::Ok(())
    };
    let write = async {
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(LATENCY_RATE).expect("it is small"));
        for _ in 0..count {
            ticks.tick().await;
            let mut payload = vec![0; 150];
            payload[..8].copy_from_slice(&Time::now().as_nanos().to_le_bytes());
            client.publish("bare", payload.into()).await.map_err(io::Error::other)?;
        }
        io::Result::Ok(())
    };
    tokio::try_join!(read, write)?;
    Ok(trips)
}

/// Measures how far each node is behind at a high rate.
pub async fn rate(args: &Args) -> io::Result<()> {
    println!("\nDelays in ms at 50,000 events a second for {} s: p50, p99, greatest", args.long);
    for setup in SETUPS {
        let fleet = Fleet::start(setup, &simulated("50000", "500"), false).await?;
        let mut readers = Vec::new();
        let mut symbol = String::new();
        let is_known = async || {
            let symbols = get(fleet.nodes[0].address(), "/api/v1/symbols").await.unwrap_or_default();
            symbols["symbols"][0]["symbol"].as_str().unwrap_or_default().clone_into(&mut symbol);
            !symbol.is_empty()
        };
        until(is_known, "there is a symbol").await?;
        for node in &fleet.nodes {
            let query = format!("symbols={symbol}&delivery=every");
            readers.push(Readers::connect(node.address(), &query, 1, true).await?);
        }
        sleep(Duration::from_secs(1)).await;
        for readers in &readers {
            readers.counts.take_delays();
        }
        sleep(Duration::from_secs(args.long)).await;
        for (number, readers) in readers.iter_mut().enumerate() {
            readers.check()?;
            let delays = readers.counts.take_delays();
            println!(
                "  {:<16} node {number}: {:.1}, {:.1}, {:.1} ({} events)",
                setup.name(),
                percentile(&delays, 50.0) / 1e6,
                percentile(&delays, 99.0) / 1e6,
                percentile(&delays, 100.0) / 1e6,
                delays.len()
            );
        }
    }
    Ok(())
}

/// Measures a replay at full speed.
pub async fn replay(args: &Args) -> io::Result<()> {
    let path = fleet::folder().join("cluster-replay.csv");
    write_trades(&path, args.rows)?;
    let files = path.display().to_string();
    let settings = [
        ("feed.kind", "replay"),
        ("feed.replay.files", &*files),
        ("feed.clock.speed", "max"),
        ("feed.clock.paused", "true"),
    ];
    let values = rounds(args, &SETUPS, async |setup| {
        let fleet = Fleet::start(setup, &settings, false).await?;
        let mut readers = Vec::new();
        for node in &fleet.nodes {
            readers.push(Readers::connect(node.address(), "symbols=*&delivery=every", 1, false).await?);
        }
        let begin = Instant::now();
        request(fleet.nodes[0].address(), "POST /api/v1/feed", r#"{"action":"resume"}"#).await?;
        let mut has_ended = async || readers.iter().all(|one| one.counts.has_ended.load(Relaxed));
        until(&mut has_ended, "the replay has ended").await?;
        let seconds = begin.elapsed().as_secs_f64();
        for readers in &readers {
            let lines = readers.counts.lines.load(Relaxed);
            if lines < u64::from(args.rows) {
                return Err(io::Error::other(format!("a client got only {lines} lines")));
            }
        }
        Ok(f64::from(args.rows) / seconds)
    });
    let title = "Events a second of a replay at full speed, one client with delivery=every on each node";
    print(title, 0, &SETUPS, &values.await?);
    std::fs::remove_file(path)
}

/// Writes a CSV file with trades.
fn write_trades(path: &Path, rows: u32) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "time,symbol,price,size")?;
    for row in 0..rows {
        let time = Time::from_nanos(1_704_292_200_000_000_000 + i64::from(row) * 1_000_000);
        let symbol = ["AAPL", "MSFT", "NVDA", "AMZN"][row as usize % 4];
        writeln!(out, "{time},{symbol},{}.{:02},{}", 100 + row % 400, row % 100, 1 + row % 900)?;
    }
    out.flush()
}

/// Measures how fast a node reads what it has missed.
pub async fn catch_up(args: &Args) -> io::Result<()> {
    println!("\nA node that was stopped for {} s at {CATCH_UP_RATE} events a second", args.long);
    for setup in &SETUPS[1..] {
        let rate = CATCH_UP_RATE.to_string();
        let fleet = Fleet::start(*setup, &simulated(&rate, "500"), true).await?;
        let stopped = fleet.nodes.len() - 1;
        let before = fleet.seq(stopped).await?;
        signal(&fleet.nodes[stopped], "STOP")?;
        sleep(Duration::from_secs(args.long)).await;
        let missed = fleet.seq(0).await? - before;
        signal(&fleet.nodes[stopped], "CONT")?;
        let begin = Instant::now();
        // Less than 50 ms of events is on its way.
        let is_level = async || match (fleet.seq(stopped).await, fleet.seq(0).await) {
            (Ok(own), Ok(leader)) => own + CATCH_UP_RATE / 20 >= leader,
            _ => false,
        };
        until(is_level, "the node has caught up").await?;
        let seconds = begin.elapsed().as_secs_f64();
        let read = fleet.seq(stopped).await? - before;
        println!(
            "  {:<16} {missed} missed, level after {seconds:.1} s: {:.0} events a second, {:.1} × the rate",
            setup.name(),
            float(read) / seconds,
            float(read) / seconds / float(CATCH_UP_RATE)
        );
    }
    Ok(())
}

/// Measures the time without an event at a living node.
pub async fn silence(args: &Args) -> io::Result<()> {
    println!("\nLongest time without an event at a living node in s, lease 1 s (least/median/greatest)");
    let mut settings = simulated("1000", "50");
    settings.push(("cluster.lease", "1s"));
    for setup in &SETUPS[1..] {
        let mut fleet = Fleet::start(*setup, &settings, false).await?;
        for how in ["KILL", "TERM"] {
            let mut values = Vec::new();
            for _ in 0..args.kills {
                let leader = fleet.leader().await?;
                let living = (leader + 1) % fleet.nodes.len();
                let living = fleet.nodes[living].address();
                let mut readers = Readers::connect(living, "symbols=*&delivery=every", 1, false).await?;
                sleep(Duration::from_millis(300)).await;
                readers.counts.reset_silence();
                signal(&fleet.nodes[leader], how)?;
                sleep(Duration::from_secs(3)).await;
                readers.check()?;
                values.push(readers.counts.silence());
                drop(fleet.nodes.swap_remove(leader));
                fleet.add(false).await?;
            }
            println!(
                "  {:<16} {how} of the leader, {} times: {}",
                setup.name(),
                values.len(),
                Spread::of(values).text(2)
            );
        }
        if *setup == Setup::Cluster(1) {
            continue;
        }
        let mut values = Vec::new();
        for _ in 0..args.rounds {
            let mut readers =
                Readers::connect(fleet.nodes[0].address(), "symbols=*&delivery=every", 1, false).await?;
            sleep(Duration::from_millis(300)).await;
            readers.counts.reset_silence();
            let killed = fleet.kill_stream_leader().await?;
            sleep(Duration::from_secs(20)).await;
            readers.check()?;
            values.push(readers.counts.silence());
            fleet.restart_nats(killed)?;
            sleep(Duration::from_secs(5)).await;
        }
        println!("  {:<16} KILL of the stream's leader: {}", setup.name(), Spread::of(values).text(2));
    }
    Ok(())
}
