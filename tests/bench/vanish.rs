//! What another client notices when many vanish at once: one client gets updates all the time while the others, in a
//! process of their own, are killed with it. Of each pair the others had no subscription the first time, and each of them
//! the same symbols the second time.
//!
//! The others are the benchmark's own executable, called as `server crowd --address HOST:PORT --clients 10000`.

use std::env;
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::clients::{self, Clients, Watch};
use crate::crowd::Crowd;
use crate::peers::Contender;
use crate::run::Plan;
use crate::scenario::{Feed, Scenario};
use crate::table::Spread;

/// How many symbols each of those that vanish has. The feed brings none of them.
const SYMBOLS: u32 = 100;

/// Updates a second of the client that stays.
const RATE: u32 = 1_000;

/// How long those that vanish read before they may: what answers their subscriptions is behind them by then.
const SETTLE: Duration = Duration::from_secs(1);

/// How long they read at the most. The server drops them about then, as they answer no pings.
const LIFETIME: Duration = Duration::from_secs(30);

/// A server, and its pairs of runs.
pub struct Pairs {
    pub contender: Contender,
    clients: u32,
    /// The longest waits, in milliseconds: without subscriptions, and with them.
    runs: Vec<(f64, f64)>,
}

impl Pairs {
    pub const fn new(contender: Contender, clients: u32) -> Self {
        Self { contender, clients, runs: Vec::new() }
    }

    /// Runs once without and once with subscriptions.
    pub fn run(&mut self, plan: &Plan) -> io::Result<()> {
        let without = self.longest_wait(plan, 0)?;
        let with = self.longest_wait(plan, SYMBOLS)?;
        eprintln!("  longest wait {without:.1} ms, with subscriptions {with:.1} ms");
        self.runs.push((without, with));
        Ok(())
    }

    /// Returns the longest time between two reads of the client that stays, in milliseconds, from when the others vanish.
    fn longest_wait(&self, plan: &Plan, symbols: u32) -> io::Result<f64> {
        let scenario =
            Scenario { name: 'V', clients: 1, each: 1, symbols: 1, rate: RATE, feed: Feed::Simulated };
        let server = plan.start(&self.contender, &scenario)?;
        let (address, clients) = (server.address(), self.clients);
        let crowd = format!("crowd --address {address} --clients {clients} --symbols {symbols}");
        let crowd = Crowd::start(&crowd)?;
        let stays = clients::open(server.address(), &scenario.queries()[0])?;
        longest_gap(&stays, plan.warm_up)?;
        drop(crowd);
        Ok(longest_gap(&stays, plan.time)?.as_secs_f64() * 1e3)
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

/// Prints the pairs.
pub fn print(all: &[Pairs]) {
    let Some(first) = all.first() else { return };
    println!("\n{} clients vanish at once, beside one with {RATE} updates a second", first.clients);
    let with = format!("{SYMBOLS} symbols each");
    println!(
        "  {:<22} {:>24} {:>24} {:>24}",
        "longest wait of it, ms", "without a subscription", with, "ratio of pairs"
    );
    println!(
        "  {:<22} {:>24} {:>24} {:>24}",
        "", "least/middle/most", "least/middle/most", "least/middle/most"
    );
    all.iter().for_each(Pairs::print);
}

/// Reads a client's updates for so long; returns the longest time between two reads. It gives up after its socket's
/// timeout, and returns that.
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

/// What the process of those that vanish is told.
#[derive(Parser)]
struct Args {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    clients: usize,
    /// Symbols of each client; none where there are none
    #[arg(long)]
    symbols: u32,
}

/// Connects the clients, says so, and reads until it is killed.
pub fn main() -> io::Result<()> {
    let args = Args::parse_from(env::args().skip(1));
    let names: Vec<_> = (0..args.symbols).map(|symbol| format!("V{symbol:03}")).collect();
    let query = if names.is_empty() { String::new() } else { format!("symbols={}", names.join(",")) };
    let watch = Watch { each_event: false, sample: 1 };
    let mut clients = Clients::connect(args.address, &vec![query; args.clients], watch)?;
    clients.measure(SETTLE)?;
    println!();
    clients.measure(LIFETIME)
}
