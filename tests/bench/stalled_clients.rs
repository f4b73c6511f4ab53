//! Measures how the delays of the other clients change when two clients never read. Scenario C runs once
//! without these two clients and once with them.
//!
//! The two clients subscribe to every symbol, one with `delivery=every` and one with `delivery=latest`.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::clients::{Clients, Watch};
use crate::contenders::Contender;
use crate::framing::Framing;
use crate::handshake;
use crate::runner::{Figures, Runner};
use crate::scenario::Scenario;
use crate::statistics::Spread;

const DELIVERIES: [&str; 2] = ["every", "latest"];

/// How long a stalled client reads at the end, to find out whether the server has closed the connection.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A server under test, and the results of its pairs of runs.
pub struct StalledPairs {
    pub contender: Contender,
    scenario: Scenario,
    /// For each pair of runs, the figures of the run without stalled clients and of the run with them.
    runs: Vec<(Figures, Figures)>,
    /// The number of stalled clients with `delivery=every` whose connection the server has closed.
    closed: usize,
}

impl StalledPairs {
    pub const fn new(scenario: Scenario, contender: Contender) -> Self {
        Self { contender, scenario, runs: Vec::new(), closed: 0 }
    }

    /// Runs the scenario once without and once with stalled clients.
    pub fn run(&mut self, runner: &Runner) -> io::Result<()> {
        let without = self.run_with(runner, &[])?;
        let with = self.run_with(runner, &DELIVERIES)?;
        self.runs.push((without, with));
        Ok(())
    }

    fn run_with(&mut self, runner: &Runner, deliveries: &[&str]) -> io::Result<Figures> {
        let mut server = runner.start(&self.contender, &self.scenario)?;
        let watch = Watch { each_event: true, sample: 1 };
        let mut clients =
            Clients::connect(server.address(), &self.scenario.queries(), Framing::WebSocket, watch)?;
        let symbols = self.scenario.names().join(",");
        let open =
            |delivery| handshake::open(server.address(), &format!("symbols={symbols}&delivery={delivery}"));
        let stalled: Vec<_> = deliveries.iter().map(open).collect::<io::Result<_>>()?;
        let figures = runner.measure(&mut clients, &mut server, &self.scenario)?;
        if let Some(socket) = stalled.first() {
            self.closed += usize::from(is_closed(socket)?);
        }
        Ok(figures)
    }

    fn print(&self) {
        let of = |pick: fn(&(Figures, Figures)) -> f64| Spread::of(self.runs.iter().map(pick)).text(2);
        let is_behind = self.runs.iter().any(|(without, with)| without.is_behind || with.is_behind);
        println!(
            "  {:<22} {:>22} {:>22} {:>22} {:>14} {:>8}{}",
            self.contender.title(),
            of(|(without, _)| without.p99),
            of(|(_, with)| with.p99),
            of(|(without, with)| with.p99 - without.p99),
            format!("{} of {}", self.closed, self.runs.len()),
            self.runs.iter().map(|(without, with)| without.faults + with.faults).sum::<u64>(),
            if is_behind { ", fell behind" } else { "" }
        );
    }
}

/// Prints a table with the results of each server's pairs of runs.
pub fn print(all: &[StalledPairs]) {
    let Some(first) = all.first() else { return };
    println!("\nclients that never read, beside {}", first.scenario.title());
    println!(
        "  {:<22} {:>22} {:>22} {:>22} {:>14} {:>8}",
        "p99 ms of the others", "without", "with", "difference", "every client", ""
    );
    println!(
        "  {:<22} {:>22} {:>22} {:>22} {:>14} {:>8}",
        "", "least/middle/most", "least/middle/most", "least/middle/most", "closed", "faults"
    );
    all.iter().for_each(StalledPairs::print);
}

/// Reads the pending bytes of a stalled client. Returns whether the server has closed this client's
/// connection.
fn is_closed(mut socket: &TcpStream) -> io::Result<bool> {
    let until = Instant::now() + CATCH_UP;
    socket.set_read_timeout(Some(CATCH_UP))?;
    let mut buffer = vec![0; 64 * 1024];
    while Instant::now() < until {
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(false)
}
