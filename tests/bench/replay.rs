//! Measures how fast files are read and replayed.
//!
//! To measure reading, this process does the work of `tickerplant cat FILE > /dev/null`. For comparison, the
//! csv crate splits the lines of the same file into cells. Our reader and the csv crate take turns, and the
//! CPU time of each is measured. Other load on the machine therefore hardly affects the ratio of the two CPU
//! times.
//!
//! To measure the speed from end to end, a server replays the file at full speed to one client with
//! `delivery=every`. This process is the client.
//!
//! To measure lateness, a server replays a file on a schedule: the times in the file say when each event is
//! due. The benchmark compares the arrival of each event with its due time. The event that is least behind
//! the schedule counts as punctual: its lateness is 0. The lateness includes delays of the server, the kernel
//! and this client.
//!
//! ```text
//! cargo bench --bench replay
//! cargo bench --bench replay -- --rows 10000000 --pairs 3
//! ```
//!
//! A slow result does not fail the benchmark.

#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod process;
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod statistics;
#[allow(dead_code, reason = "the other benchmarks use the rest")]
mod websocket;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tickerplant::feed::replay::Config;
use tickerplant::files;
use tickerplant::market::Time;

use process::Server;
use statistics::Spread;

/// How long the client waits for the next bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measure how fast files are read and replayed
#[derive(Parser)]
struct Args {
    /// Rows of the file; each row is a trade of some 70 bytes
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    rows: u32,
    /// How often each measurement is repeated
    #[arg(long, value_name = "N", default_value_t = 7)]
    pairs: u32,
    /// Set by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("trades.csv");
    let bytes = write_trades(&path, args.rows)?;
    println!("{} rows, {} bytes a row", args.rows, bytes / u64::from(args.rows));
    let rows = f64::from(args.rows);
    let (mut ours, mut records, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.pairs {
        let (own, loops) = (rows / cat(&path)?, rows / csv_loop(&path)?);
        ours.push(own / 1e6);
        records.push(loops / 1e6);
        shares.push(own / loops);
    }
    println!("\nmillion rows a second on one core, least/middle/most of {}", args.pairs);
    println!("  {:<28} {:>20}", "cat > /dev/null", Spread::of(ours).text(2));
    println!("  {:<28} {:>20}", "csv crate, records alone", Spread::of(records).text(2));
    println!("  {:<28} {:>20}", "ratio", Spread::of(shares).text(3));
    let (mut rates, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..args.pairs {
        let (rate, kib) = replayed(&path, u64::from(args.rows))?;
        rates.push(rate / 1e6);
        memory.push(f64::from(kib) / 1024.0);
    }
    println!("\nreplay at full speed to one client with delivery=every");
    println!("  {:<28} {:>20}", "million events a second", Spread::of(rates).text(2));
    println!("  {:<28} {:>20}", "resident MiB at the end", Spread::of(memory).text(1));
    println!(
        "\na file of 60 s with an event each 10 ms, lateness in ms: p50/p99/most, and of the last event"
    );
    for (speed, events) in [(10_u32, 6000), (1, 1500)] {
        let late = on_schedule(folder.path(), speed, events)?;
        println!(
            "  {:<28} {:>20} {:>8.2}",
            format!("at speed {speed}, {events} events"),
            late.text,
            late.end
        );
    }
    Ok(())
}

/// Writes a CSV file with `rows` trades in time order. Returns the length of the file, in bytes.
fn write_trades(path: &Path, rows: u32) -> io::Result<u64> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut out = BufWriter::new(File::create(path)?);
    let mut nanos = 1_704_292_200_000_000_000;
    writeln!(out, "time,symbol,price,size,exchange,id,conditions,tape")?;
    for row in 0..rows {
        nanos += rng.random_range(1..2000) * 1000;
        let symbol = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM"][rng.random_range(0..8)];
        let (whole, cents, size) =
            (rng.random_range(100..500), rng.random_range(0..100), rng.random_range(1..900));
        let time = Time::from_nanos(nanos);
        writeln!(
            out,
            "{time},{symbol},{whole}.{cents:02},{size},XNAS,{},@ TI,C",
            9_000_000_000 + u64::from(row)
        )?;
    }
    out.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

/// Prints all events of a file to `/dev/null`, and returns the CPU time of the printing, in seconds.
fn cat(path: &Path) -> io::Result<f64> {
    let config = Config { files: vec![PathBuf::from(path)], ..Config::default() };
    let mut out = File::create("/dev/null")?;
    let before = process::own_cpu()?;
    files::cat(&config, 64 * 1024, &mut out).map_err(io::Error::other)?;
    Ok(process::own_cpu()?.saturating_sub(before).as_secs_f64())
}

/// Splits all lines of a file into cells with the csv crate, and returns the CPU time of the splitting, in
/// seconds.
fn csv_loop(path: &Path) -> io::Result<f64> {
    let before = process::own_cpu()?;
    let mut reader = csv::Reader::from_path(path)?;
    let (mut record, mut bytes) = (csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        bytes += record.as_slice().len();
    }
    std::hint::black_box(bytes);
    Ok(process::own_cpu()?.saturating_sub(before).as_secs_f64())
}

/// Replays a file at full speed to one client. Returns how many events a second the client received, and the
/// server's resident memory at the end, in KiB.
fn replayed(path: &Path, rows: u64) -> io::Result<(f64, u32)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickerplant"));
    command.args(["--feed", "replay", "--speed", "max", "--wait-for-client", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command.arg(path))?;
    let begin = Instant::now();
    let mut events = 0;
    read_to_the_end(&server, |payload| events += u64::from(payload.starts_with(br#"{"type":"trade""#)))?;
    let seconds = begin.elapsed().as_secs_f64();
    if events != rows {
        return Err(io::Error::other(format!("{events} of {rows} events arrived")));
    }
    #[expect(clippy::cast_precision_loss, reason = "the count is far below 2^53")]
    Ok((events as f64 / seconds, server.memory()?))
}

/// The lateness of events, in milliseconds.
struct Late {
    text: String,
    /// How late the last event arrives, if the first event counts as punctual.
    end: f64,
}

/// Replays a file on its schedule, and measures when the events arrive.
fn on_schedule(folder: &Path, speed: u32, events: usize) -> io::Result<Late> {
    let path = folder.join("schedule.csv");
    let mut out = BufWriter::new(File::create(&path)?);
    writeln!(out, "time,price")?;
    for event in 0..events {
        let time =
            Time::from_nanos(1_704_292_200_000_000_000 + i64::try_from(event).unwrap_or(0) * 10_000_000);
        writeln!(out, "{time},{}.25", 100 + event % 7)?;
    }
    out.flush()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickerplant"));
    command.args(["--feed", "replay", "--symbol", "S001", "--wait-for-client", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command.args(["--speed", &speed.to_string()]).arg(&path))?;
    let mut arrivals = Vec::with_capacity(events);
    read_to_the_end(&server, |payload| {
        arrivals.extend(payload.starts_with(br#"{"type":"trade""#).then(Instant::now));
    })?;
    let [Some(first), Some(last)] = [arrivals.first(), arrivals.last()] else {
        return Err(io::Error::other("no event arrived"));
    };
    let step = Duration::from_millis(10) / speed;
    let due = |index: usize| step * u32::try_from(index).unwrap_or(u32::MAX);
    let millis = |of: Duration| of.as_secs_f64() * 1e3;
    let offsets = arrivals.iter().enumerate().map(|(index, at)| millis(*at - *first) - millis(due(index)));
    let mut late: Vec<f64> = offsets.collect();
    let end = millis(*last - *first) - millis(due(arrivals.len() - 1));
    late.sort_by(f64::total_cmp);
    let at = |part: usize| late[(late.len() - 1) * part / 100] - late[0];
    Ok(Late { text: format!("{:.2}/{:.2}/{:.2}", at(50), at(99), at(100)), end })
}

/// Subscribes to all symbols of a server, and calls `on_frame` with each frame until the feed has ended.
fn read_to_the_end(server: &Server, mut on_frame: impl FnMut(&[u8])) -> io::Result<()> {
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(websocket::request(server.address(), "symbols=*&delivery=every").as_bytes())?;
    let mut buffer = vec![0; 1 << 20];
    let (mut filled, mut is_upgraded) = (0, false);
    loop {
        let count = stream.read(&mut buffer[filled..])?;
        if count == 0 {
            return Err(io::Error::other("the server closed the connection before the end of the feed"));
        }
        filled += count;
        let mut rest = &buffer[..filled];
        if !is_upgraded {
            let Some(end) = websocket::head_end(rest) else { continue };
            rest = &rest[end..];
            is_upgraded = true;
        }
        while let Some((_, payload, behind)) = websocket::split_frame(rest) {
            on_frame(payload);
            if payload.starts_with(br#"{"type":"feed","state":"ended""#) {
                return Ok(());
            }
            rest = behind;
        }
        let left = rest.len();
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
    }
}
