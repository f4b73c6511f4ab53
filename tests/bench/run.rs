//! One run: a server of its own, the clients of a scenario, and what that showed.

use std::io;
use std::time::{Duration, Instant};

use crate::clients::{Clients, Watch};
use crate::peers::Contender;
use crate::process::{self, Server};
use crate::scenario::{Feed, Scenario};
use crate::table::{float, percentile};
use crate::written::Writer;

/// A server that delivers less than this part of what is due falls behind.
pub const ENOUGH: f64 = 0.98;

/// Delays that are looked at each second where there are too many for all.
const SAMPLES: u64 = 100_000;

/// How each run is done.
pub struct Plan {
    /// On which cores the servers run, where that is fixed.
    pub cores: Option<String>,
    /// Before it is measured.
    pub warm_up: Duration,
    /// How long it is measured.
    pub time: Duration,
}

/// What one run showed.
pub struct Figures {
    /// Events published a second.
    pub events: f64,
    /// Updates delivered a second.
    pub updates: f64,
    /// Time of the server on a core for each delivered update, in microseconds.
    pub cpu: f64,
    /// Share of a core that the clients took, in per cent.
    pub load: f64,
    /// Half of the updates had at most this delay, in milliseconds.
    pub p50: f64,
    /// 99 of 100 updates had at most this delay, in milliseconds.
    pub p99: f64,
    /// Between the first and the last client that got an event, in milliseconds: half of the events had at most this.
    pub skew: f64,
    /// And 99 of 100 this.
    pub skew_p99: f64,
    /// The least and the greatest mean place of a client among those that got the same events.
    pub places: (f64, f64),
    /// Updates that one read of a client brought.
    pub batch: f64,
    /// Resident memory of the server a connection, in KiB.
    pub memory: f64,
    /// Less came than was due.
    pub is_behind: bool,
    /// Whatever else should not have been, and warnings of the server.
    pub faults: u64,
}

impl Plan {
    /// Starts the server for a scenario.
    pub fn start(&self, contender: &Contender, scenario: &Scenario) -> io::Result<Server> {
        let names = scenario.names();
        Server::start(&mut contender.command(self.cores.as_deref(), &names, scenario.rate, scenario.feed)?)
    }

    /// Runs a scenario once.
    pub fn run(&self, contender: &Contender, scenario: &Scenario) -> io::Result<Figures> {
        let mut server = self.start(contender, scenario)?;
        let writer = match scenario.feed {
            Feed::Simulated => None,
            Feed::Written => {
                let input = server.input().expect("the command pipes the server's input");
                Some(Writer::start(input, scenario.names(), scenario.rate))
            }
        };
        let empty = server.memory()?;
        let watch = Watch { each_event: true, sample: 1 };
        let mut clients = Clients::connect(server.address(), &scenario.queries(), watch)?;
        let mut figures = self.measure(&mut clients, &server, scenario)?;
        let resident = server.memory()?.saturating_sub(empty);
        figures.memory = f64::from(resident) / float(scenario.clients as u64);
        drop(writer);
        Ok(figures)
    }

    /// Measures a running server with clients that are as cheap as they can be; all but the memory.
    pub fn sample(&self, server: &Server, scenario: &Scenario) -> io::Result<Figures> {
        let takes_all = scenario.each == scenario.symbols;
        let clients = Clients::connect(
            server.address(),
            &scenario.queries(),
            Watch {
                each_event: !takes_all,
                sample: (u64::from(scenario.rate) * scenario.takers() as u64 / SAMPLES).max(1),
            },
        );
        self.measure(&mut clients?, server, scenario)
    }

    /// Measures clients that are connected; all but the memory.
    pub fn measure(
        &self,
        clients: &mut Clients,
        server: &Server,
        scenario: &Scenario,
    ) -> io::Result<Figures> {
        clients.measure(self.warm_up)?;
        let (first, begun) = (clients.tally().newest, Instant::now());
        let (cpu, own_cpu) = (server.cpu()?, process::own_cpu()?);
        clients.measure(self.time)?;
        let cpu = server.cpu()?.saturating_sub(cpu);
        let own_cpu = process::own_cpu()?.saturating_sub(own_cpu);
        let seconds = begun.elapsed().as_secs_f64();

        let takers = scenario.takers();
        let tally = clients.tally();
        let updates = float(tally.updates.max(1));
        // What has just been published is still on its way.
        let skew = tally.arrivals.skew(first + 1..tally.newest + 1, takers);
        let millis = |percent| percentile(&tally.delays, percent) / 1e6;
        let mut figures = Figures {
            events: float(tally.newest - first) / seconds,
            updates: updates / seconds,
            cpu: cpu.as_secs_f64() * 1e6 / updates,
            load: own_cpu.as_secs_f64() * 100.0 / seconds,
            p50: millis(50.0),
            p99: millis(99.0),
            skew: percentile(&skew, 50.0) / 1e3,
            skew_p99: percentile(&skew, 99.0) / 1e3,
            places: clients.places(takers),
            batch: updates / float(tally.reads.max(1)),
            memory: f64::NAN,
            is_behind: updates / seconds < ENOUGH * scenario.updates(),
            faults: 0,
        };
        // One that is behind would have to catch up first.
        if !figures.is_behind {
            clients.settle(takers)?;
        }
        figures.faults = check(clients, server);
        Ok(figures)
    }
}

/// Says on standard error what was right and what was not, and counts the latter.
fn check(clients: &Clients, server: &Server) -> u64 {
    let tally = clients.tally();
    let warnings = server.warnings();
    for warning in &warnings {
        eprintln!("  the server: {warning}");
    }
    let faults = tally.faults.count();
    if faults > 0 {
        eprintln!("  {:?}", tally.faults);
    }
    let agreed = tally.heartbeats - tally.faults.miscounted;
    eprintln!("  {} events checked, {agreed} heartbeats agreed", tally.whole);
    faults + warnings.len() as u64
}
