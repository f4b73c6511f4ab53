//! Runs a scenario: starts a server, connects the clients, and measures the figures.

use std::io;
use std::time::{Duration, Instant};

use crate::clients::{Clients, Watch};
use crate::contenders::Contender;
use crate::event_writer::EventWriter;
use crate::framing::Framing;
use crate::process::{self, Server};
use crate::relay_sender;
use crate::scenario::{Feed, Scenario};
use crate::statistics::{float, percentile};
use crate::stdin_feed;

/// A server falls behind if it delivers less than this share of the due updates.
pub const ENOUGH: f64 = 0.98;

/// At high rates, the clients of a rate search record only about this many delays each second.
const SAMPLES: u64 = 100_000;

/// Runs scenarios. All runs of a runner use the same cores and durations.
pub struct Runner {
    /// The servers' cores, or `None` if the system chooses the cores.
    pub cores: Option<String>,
    /// How long the clients read before the measurement begins.
    pub warm_up: Duration,
    /// How long the measurement takes.
    pub time: Duration,
}

/// The figures of one run.
pub struct Figures {
    /// Published events a second.
    pub events: f64,
    /// Delivered updates a second.
    pub updates: f64,
    /// CPU time of the server for each delivered update, in microseconds.
    pub cpu: f64,
    /// 99th percentile of the lateness with which this process writes events, in milliseconds. `NaN` if the
    /// server created the events.
    pub late_p99: f64,
    /// CPU time of the clients, in per cent of a core.
    pub client_load: f64,
    /// Median of the delays, in milliseconds.
    pub p50: f64,
    /// 99th percentile of the delays, in milliseconds.
    pub p99: f64,
    /// Median of the events' skews, in milliseconds. An event's skew is how much later the last client reads
    /// the event than the first client does.
    pub skew: f64,
    /// 99th percentile of the events' skews, in milliseconds.
    pub skew_p99: f64,
    /// The least and the greatest of the clients' mean ranks, from 0 (always the first reader) to 1 (always
    /// the last).
    pub ranks: (f64, f64),
    /// The mean number of updates that a client received with one read of its socket.
    pub updates_per_read: f64,
    /// Resident memory of the server for each connection, in KiB.
    pub memory: f64,
    /// Whether the server delivered too few of the due updates.
    pub is_behind: bool,
    /// The number of faults that the clients found, plus the number of the server's warnings.
    pub faults: u64,
}

impl Runner {
    /// Starts the server for a scenario.
    pub fn start(&self, contender: &Contender, scenario: &Scenario) -> io::Result<Server> {
        Server::start(&mut contender.command(self.cores.as_deref(), scenario)?)
    }

    pub fn run(&self, contender: &Contender, scenario: &Scenario) -> io::Result<Figures> {
        let mut server = self.start(contender, scenario)?;
        let empty = server.memory()?;
        let watch = Watch { each_event: true, sample: 1 };
        let mut clients =
            Clients::connect(server.address(), &scenario.queries(), contender.kind.framing(), watch)?;
        let mut figures = self.measure(&mut clients, &mut server, scenario)?;
        let resident = server.memory()?.saturating_sub(empty);
        figures.memory = f64::from(resident) / float(scenario.clients as u64);
        Ok(figures)
    }

    /// Measures a running server with clients that record as little as possible. Does not measure the memory.
    pub fn measure_cheaply(&self, server: &mut Server, scenario: &Scenario) -> io::Result<Figures> {
        let takes_all = scenario.each == scenario.symbols;
        let clients = Clients::connect(
            server.address(),
            &scenario.queries(),
            Framing::WebSocket,
            Watch {
                each_event: !takes_all,
                sample: (u64::from(scenario.rate) * scenario.subscribers() as u64 / SAMPLES).max(1),
            },
        );
        self.measure(&mut clients?, server, scenario)
    }

    /// Measures a running server with connected clients. If this process creates the events, this function
    /// starts to write them. Does not measure the memory.
    pub fn measure(
        &self,
        clients: &mut Clients,
        server: &mut Server,
        scenario: &Scenario,
    ) -> io::Result<Figures> {
        let writer = start_writer(server, scenario)?;
        clients.measure(self.warm_up)?;
        let (first, begun) = (clients.results().newest, Instant::now());
        let (cpu, own_cpu) = (server.cpu()?, process::own_cpu()?);
        clients.measure(self.time)?;
        let cpu = server.cpu()?.saturating_sub(cpu);
        let own_cpu = process::own_cpu()?.saturating_sub(own_cpu);
        let seconds = begun.elapsed().as_secs_f64();
        let written = writer.map(EventWriter::stop).transpose()?;

        let subscribers = scenario.subscribers();
        let results = clients.results();
        let updates = float(results.updates.max(1));
        // The newest events may not have reached all subscribers yet. `Arrivals::skew` leaves these events
        // out.
        let skew = results.arrivals.skew(first + 1..results.newest + 1, subscribers);
        let millis = |percent| percentile(&results.delays, percent) / 1e6;
        let mut figures = Figures {
            events: float(results.newest - first) / seconds,
            updates: updates / seconds,
            cpu: cpu.as_secs_f64() * 1e6 / updates,
            late_p99: written.as_ref().map_or(f64::NAN, |written| percentile(&written.lateness, 99.0) / 1e6),
            client_load: own_cpu.as_secs_f64() * 100.0 / seconds,
            p50: millis(50.0),
            p99: millis(99.0),
            skew: percentile(&skew, 50.0) / 1e3,
            skew_p99: percentile(&skew, 99.0) / 1e3,
            ranks: clients.ranks(subscribers),
            updates_per_read: updates / float(results.reads.max(1)),
            memory: f64::NAN,
            is_behind: updates / seconds < ENOUGH * scenario.updates(),
            faults: 0,
        };
        // A server that is behind is not checked, because the check would wait until the server has caught
        // up.
        if !figures.is_behind {
            match (scenario.feed, written.map(|written| written.count)) {
                (Feed::Relay, Some(sent)) => clients.check_messages(subscribers, sent)?,
                (_, wrote) => clients.check_arrivals(subscribers, wrote)?,
            }
        }
        figures.faults = report_faults(clients, server);
        Ok(figures)
    }
}

/// Starts the thread that writes the scenario's events, or returns `None` if the server creates the events.
fn start_writer(server: &mut Server, scenario: &Scenario) -> io::Result<Option<EventWriter>> {
    Ok(match scenario.feed {
        Feed::Simulated => None,
        Feed::Stdin => {
            let input = server.input().expect("the command pipes the server's input");
            Some(stdin_feed::start(input, scenario.names(), scenario.rate))
        }
        Feed::Relay => Some(relay_sender::start(server.address(), scenario.rate)?),
    })
}

/// Prints the server's warnings, the faults, and the numbers of checked events and correct heartbeats.
/// Returns the number of faults and warnings.
fn report_faults(clients: &Clients, server: &Server) -> u64 {
    let results = clients.results();
    let warnings = server.warnings();
    for warning in &warnings {
        eprintln!("  the server: {warning}");
    }
    let faults = results.faults.count();
    if faults > 0 {
        eprintln!("  {:?}", results.faults);
    }
    let correct = results.heartbeats - results.faults.miscounted;
    eprintln!("  {} events checked, {correct} heartbeats correct", results.checked);
    faults + warnings.len() as u64
}
