//! Measures the memory of an idle connection. Many clients subscribe to one symbol each, and there are almost
//! no events.

use std::io;
use std::time::Duration;

use crate::clients::{Clients, Watch};
use crate::contenders::Contender;
use crate::runner::Runner;
use crate::scenario::{Feed, Scenario};
use crate::statistics::Spread;

/// How long the connections are idle before the memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// A server, and its measured memory in each run.
pub struct IdleMemory {
    pub contender: Contender,
    clients: u32,
    /// Two figures of each run, in KiB: the resident memory for each connection, and the resident memory
    /// without connections.
    runs: Vec<(f64, f64)>,
    faults: u64,
}

impl IdleMemory {
    pub const fn new(contender: Contender, clients: u32) -> Self {
        Self { contender, clients, runs: Vec::new(), faults: 0 }
    }

    /// Starts the server once more and measures its memory.
    pub fn run(&mut self, runner: &Runner) -> io::Result<()> {
        let scenario = Scenario {
            name: 'M',
            clients: usize::try_from(self.clients).map_err(io::Error::other)?,
            each: 1,
            symbols: 100,
            rate: 1,
            feed: Feed::Simulated,
        };
        let server = runner.start(&self.contender, &scenario)?;
        let empty = server.memory()?;
        let watch = Watch { each_event: false, sample: 1 };
        let mut clients =
            Clients::connect(server.address(), &scenario.queries(), self.contender.kind.framing(), watch)?;
        clients.measure(SETTLE)?;
        let each = f64::from(server.memory()?.saturating_sub(empty)) / f64::from(self.clients);
        self.runs.push((each, empty.into()));
        self.faults += clients.results().faults.count() + clients.gone();
        Ok(())
    }

    fn print(&self) {
        println!(
            "  {:<22} {:>24} {:>24} {:>8}",
            self.contender.title(),
            Spread::of(self.runs.iter().map(|run| run.0)).text(2),
            Spread::of(self.runs.iter().map(|run| run.1 / 1024.0)).text(1),
            self.faults
        );
    }
}

/// Prints a table with the memory of each server.
pub fn print(all: &[IdleMemory]) {
    let Some(first) = all.first() else { return };
    println!("\n{} idle connections with one symbol each", first.clients);
    println!("  {:<22} {:>24} {:>24} {:>8}", "", "resident KiB each", "MiB without any", "");
    println!("  {:<22} {:>24} {:>24} {:>8}", "", "least/middle/most", "least/middle/most", "faults");
    all.iter().for_each(IdleMemory::print);
}
