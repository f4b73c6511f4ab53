//! Measures how the clients' delays change when a program requests the snapshots of all symbols ten times a
//! second. A pair of runs has one run without these requests and one run with them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::clients::{Clients, Watch};
use crate::contenders::Contender;
use crate::framing::Framing;
use crate::runner::{Figures, Runner};
use crate::scenario::{Feed, Scenario};
use crate::statistics::Spread;

/// The load beside the requests: 100,000 updates a second of 5,000 symbols.
const SCENARIO: Scenario =
    Scenario { name: 'H', clients: 1000, each: 50, symbols: 5000, rate: 10_000, feed: Feed::Stdin };

/// The time between two requests.
const PERIOD: Duration = Duration::from_millis(100);

/// A server under test, and the results of its pairs of runs.
pub struct SnapshotPairs {
    pub contender: Contender,
    /// For each pair of runs, the figures of the run without requests and of the run with them.
    runs: Vec<(Figures, Figures)>,
    /// The times until the end of each response, in milliseconds.
    answers: Vec<f64>,
}

/// A thread that requests the snapshots. The thread ends when its sender is dropped.
struct Requests {
    stop: Sender<()>,
    thread: JoinHandle<io::Result<Vec<f64>>>,
}

impl SnapshotPairs {
    pub const fn new(contender: Contender) -> Self {
        Self { contender, runs: Vec::new(), answers: Vec::new() }
    }

    /// Runs the scenario once without and once with requests.
    pub fn run(&mut self, runner: &Runner) -> io::Result<()> {
        let without = self.run_with(runner, false)?;
        let with = self.run_with(runner, true)?;
        self.runs.push((without, with));
        Ok(())
    }

    fn run_with(&mut self, runner: &Runner, has_requests: bool) -> io::Result<Figures> {
        let mut server = runner.start(&self.contender, &SCENARIO)?;
        let watch = Watch { each_event: true, sample: 1 };
        let mut clients = Clients::connect(server.address(), &SCENARIO.queries(), Framing::WebSocket, watch)?;
        let requests = has_requests.then(|| Requests::start(server.address()));
        let figures = runner.measure(&mut clients, &mut server, &SCENARIO)?;
        if let Some(requests) = requests {
            self.answers.extend(requests.stop()?);
        }
        Ok(figures)
    }

    fn print(&self) {
        let of = |pick: fn(&(Figures, Figures)) -> f64| Spread::of(self.runs.iter().map(pick)).text(2);
        let is_behind = self.runs.iter().any(|(without, with)| without.is_behind || with.is_behind);
        println!(
            "  {:<22} {:>22} {:>22} {:>22} {:>24} {:>8}{}",
            self.contender.title(),
            of(|(without, _)| without.p99),
            of(|(_, with)| with.p99),
            of(|(without, with)| with.p99 - without.p99),
            Spread::of(self.answers.iter().copied()).text(1),
            self.runs.iter().map(|(without, with)| without.faults + with.faults).sum::<u64>(),
            if is_behind { ", fell behind" } else { "" }
        );
    }
}

/// Prints a table with the results of each server's pairs of runs.
pub fn print(all: &[SnapshotPairs]) {
    println!("\nten requests a second for all snapshots, beside {}", SCENARIO.title());
    println!(
        "  {:<22} {:>22} {:>22} {:>22} {:>24} {:>8}",
        "p99 ms of the updates", "without", "with", "difference", "ms until the answer's end", ""
    );
    println!(
        "  {:<22} {:>22} {:>22} {:>22} {:>24} {:>8}",
        "", "least/middle/most", "least/middle/most", "least/middle/most", "least/middle/most", "faults"
    );
    all.iter().for_each(SnapshotPairs::print);
}

impl Requests {
    fn start(address: SocketAddr) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut socket = BufReader::new(TcpStream::connect(address)?);
            let mut answers = Vec::new();
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                let asked = Instant::now();
                request(&mut socket)?;
                answers.push(asked.elapsed().as_secs_f64() * 1e3);
            }
            Ok(answers)
        });
        Self { stop, thread }
    }

    /// Ends the thread. Returns the times until the end of each response, in milliseconds.
    fn stop(self) -> io::Result<Vec<f64>> {
        drop(self.stop);
        self.thread.join().expect("the requests do not panic")
    }
}

/// Requests the snapshots of all symbols, and reads the whole response.
fn request(socket: &mut BufReader<TcpStream>) -> io::Result<()> {
    socket.get_mut().write_all(b"GET /api/v1/snapshots?symbols=* HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        socket.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line == "\r\n" {
            break;
        }
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    io::copy(&mut socket.by_ref().take(length), &mut io::sink()).map(drop)
}
