//! Measures how one client is affected when many other clients vanish at once.
//!
//! One client gets updates all the time. The other clients run in a process of their own, which is killed.
//! The benchmark makes pairs of runs. In the first run of a pair, the other clients have no subscription. In the
//! second run of a pair, all other clients have the same subscription.
//!
//! The killed process runs the benchmark's own executable, for example with the command line `server
//! vanishing-clients --address HOST:PORT --clients 10000 --symbols 100`.

use std::env;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::client_process::ClientProcess;
use crate::clients::{Clients, Watch};
use crate::contenders::Contender;
use crate::framing::Framing;
use crate::handshake;
use crate::runner::Runner;
use crate::scenario::{Feed, Scenario};
use crate::statistics::Spread;

/// The number of symbols that each vanishing client subscribes to. The feed has no events of these symbols.
const SYMBOLS: u32 = 100;

/// The number of updates that the remaining client gets each second.
const RATE: u32 = 1_000;

/// How long the vanishing clients read before their process reports that they are connected. Within this
/// time, the server's answers to the vanishing clients' subscriptions arrive.
const SETTLE: Duration = Duration::from_secs(1);

/// The longest time that the vanishing clients read, if nobody kills their process.
const LIFETIME: Duration = Duration::from_secs(30);

/// A server under test, and the results of its pairs of runs.
pub struct VanishPairs {
    pub contender: Contender,
    clients: u32,
    /// For each pair of runs, the longest wait without subscriptions and the longest wait with subscriptions,
    /// in milliseconds. A wait is the time between two successive reads of the remaining client.
    runs: Vec<(f64, f64)>,
}

impl VanishPairs {
    pub const fn new(contender: Contender, clients: u32) -> Self {
        Self { contender, clients, runs: Vec::new() }
    }

    /// Runs the benchmark once without and once with subscriptions, and stores the longest wait of each run.
    pub fn run(&mut self, runner: &Runner) -> io::Result<()> {
        let without = self.longest_wait(runner, 0)?;
        let with = self.longest_wait(runner, SYMBOLS)?;
        eprintln!("  longest wait {without:.1} ms, with subscriptions {with:.1} ms");
        self.runs.push((without, with));
        Ok(())
    }

    /// Connects all clients, and kills the process with the vanishing clients. Returns the remaining client's
    /// longest wait after the kill, in milliseconds.
    fn longest_wait(&self, runner: &Runner, symbols: u32) -> io::Result<f64> {
        let scenario =
            Scenario { name: 'V', clients: 1, each: 1, symbols: 1, rate: RATE, feed: Feed::Simulated };
        let server = runner.start(&self.contender, &scenario)?;
        let (address, clients) = (server.address(), self.clients);
        let client_process =
            format!("vanishing-clients --address {address} --clients {clients} --symbols {symbols}");
        let client_process = ClientProcess::start(&client_process)?;
        let stays = handshake::open(server.address(), &scenario.queries()[0])?;
        longest_gap(&stays, runner.warm_up)?;
        drop(client_process);
        Ok(longest_gap(&stays, runner.time)?.as_secs_f64() * 1e3)
    }

    fn print(&self) {
        let of = |pick: fn(&(f64, f64)) -> f64| Spread::of(self.runs.iter().map(pick));
        println!(
            "  {:<22} {:>24} {:>24} {:>24}",
            self.contender.title(),
            of(|(without, _)| *without).text(1),
            of(|(_, with)| *with).text(1),
            of(|(without, with)| with / without).text(2),
        );
    }
}

/// Prints a table with the results of each server's pairs of runs.
pub fn print(all: &[VanishPairs]) {
    let Some(first) = all.first() else { return };
    println!("\n{} clients vanish at once, beside one with {RATE} updates a second", first.clients);
    let with = format!("{SYMBOLS} symbols each");
    println!(
        "  {:<22} {:>24} {:>24} {:>24}",
        "longest wait, ms", "without a subscription", with, "ratio of pairs"
    );
    println!(
        "  {:<22} {:>24} {:>24} {:>24}",
        "", "least/middle/most", "least/middle/most", "least/middle/most"
    );
    all.iter().for_each(VanishPairs::print);
}

/// Reads a client's updates for the duration `time`. Returns the longest time between two reads. If nothing
/// arrives within the socket's timeout, returns the time since the last read.
fn longest_gap(mut socket: &TcpStream, time: Duration) -> io::Result<Duration> {
    let mut buffer = vec![0; 64 * 1024];
    let (start, mut last, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
    while start.elapsed() < time {
        match socket.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(last.elapsed()),
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        longest = longest.max(now - last);
        last = now;
    }
    Ok(longest)
}

/// The arguments of the process with the vanishing clients.
#[derive(Parser)]
struct Args {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    clients: usize,
    /// The number of symbols to which each client subscribes
    #[arg(long)]
    symbols: u32,
}

/// The main function of the process with the vanishing clients. Connects these clients, writes a byte to
/// standard output, and reads until the process is killed.
pub fn main() -> io::Result<()> {
    let args = Args::parse_from(env::args().skip(1));
    let names: Vec<_> = (0..args.symbols).map(|symbol| format!("V{symbol:03}")).collect();
    let query = if names.is_empty() { String::new() } else { format!("symbols={}", names.join(",")) };
    let watch = Watch { each_event: false, sample: 1 };
    let mut clients = Clients::connect(args.address, &vec![query; args.clients], Framing::WebSocket, watch)?;
    clients.measure(SETTLE)?;
    println!();
    clients.measure(LIFETIME)
}
