//! The long soak: many well-behaved clients, a few slow clients, and even fewer hostile clients.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::canary::{self, Canary, HEAD_START, spread};
use crate::fleet::{Client, Fleet};
use crate::hostile_client::HostileClient;
use crate::memory_bound::{MemoryBound, mib};
use crate::process::Server;
use crate::results::{Results, list};
use crate::server_under_test::ServerSettings;
use crate::statistics::{float, histogram, percentile};
use crate::stream_checker::{Delivery, Subscription};
use crate::subscriber::{Pace, Subscriber};

/// The time between two cuts. A cut resets the connection of one client, which then connects again.
const SLICE: Duration = Duration::from_millis(250);

/// The longest time from a cut until the client connects again, in milliseconds.
const AWAY: u64 = 3000;

/// The clients connect at random moments within this time, in milliseconds.
const ARRIVAL: u64 = 2000;

/// The number of symbols that each well-behaved client subscribes to.
const EACH: usize = 10;

/// Of this many clients, one gets every event of all symbols.
const EVERY_EVENT: usize = 100;
/// Of this many clients, one reads slowly.
const SLOW: usize = 20;
/// Of this many clients, one is hostile.
const HOSTILE: usize = 100;

/// A slow client reads this many bytes ten times a second. At the default rate of events, the server has
/// about eight times as many bytes to send to this client.
const SLOW_BYTES: usize = 8 * 1024;

/// How long the server may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// The canary clients are a few well-behaved clients on a thread of their own. The 99th percentile of their
/// delays should be below this limit, in milliseconds.
const MAX_P99: f64 = 50.0;

struct Soak {
    server: Server,
    fleet: Fleet,
    canary: Canary,
    memory: MemoryBound,
    /// Three histograms of the canary clients' delays. The first histogram contains the delays since the last
    /// report. The second histogram contains all delays before the slow and hostile clients joined. The third
    /// histogram contains all later delays.
    delays: [Histogram<u64>; 3],
    is_strained: bool,
    warnings: u64,
}

/// Runs the soak for the duration `time`.
pub fn run(settings: &ServerSettings, clients: u32, time: Duration, report: Duration) -> io::Result<Results> {
    let server = settings.start()?;
    let memory = MemoryBound::new(&server)?;
    let mut fleet = Fleet::new(server.address(), settings.symbols)?;
    let canary = Canary::start(server.address(), settings.symbols, canary::clients(settings.symbols));
    let clients = clients as usize;
    let (slow, hostile) = (clients / SLOW, clients.div_ceil(HOSTILE));
    let begin = Instant::now();
    for number in 0..clients - slow - hostile {
        let begins = if number == 0 { begin } else { begin + HEAD_START + millis(ARRIVAL) };
        let subscription = well_behaved(number, settings.symbols);
        fleet.subscribe(subscription, Pace::Prompt, begins);
    }
    let delays = [histogram(), histogram(), histogram()];
    let mut soak = Soak { server, fleet, canary, memory, delays, is_strained: false, warnings: 0 };
    println!("{} well-behaved clients, {} events a second", soak.fleet.len(), settings.rate);
    soak.go_on(begin + time / 5, report)?;
    soak.strain(slow, hostile);
    soak.go_on(begin + time, report)?;
    soak.finish()
}

/// Returns the subscription of a well-behaved client. Every ten consecutive clients have the same mix of
/// deliveries and conflation intervals.
fn well_behaved(number: usize, symbols: usize) -> Subscription {
    let delivery = match number % 10 {
        0..=2 => Delivery::Latest(0),
        3 | 4 => Delivery::Latest(250),
        5 => Delivery::Latest(1000),
        _ => Delivery::Every,
    };
    let (symbols, delivery) = if number.is_multiple_of(EVERY_EVENT) {
        (Vec::new(), Delivery::Every)
    } else {
        (spread(number, EACH, symbols), delivery)
    };
    Subscription { symbols, delivery, is_measured: false }
}

/// Returns the subscription and the pace of a slow client. Slow clients subscribe to all symbols.
fn slow_client(number: usize) -> (Subscription, Pace) {
    let (delivery, pace) = match number % 5 {
        0 | 1 => (Delivery::Every, Pace::Slow(SLOW_BYTES)),
        2 | 3 => (Delivery::Latest(0), Pace::Slow(SLOW_BYTES)),
        _ => (Delivery::Every, Pace::Pauses),
    };
    (Subscription { symbols: Vec::new(), delivery, is_measured: false }, pace)
}

impl Soak {
    /// Adds the slow clients and the hostile clients to the fleet.
    fn strain(&mut self, slow: usize, hostile: usize) {
        println!("{slow} slow and {hostile} hostile clients join");
        self.take_delays();
        self.is_strained = true;
        let begin = Instant::now();
        for number in 0..slow {
            let (subscription, pace) = slow_client(number);
            self.fleet.subscribe(subscription, pace, begin + millis(ARRIVAL));
        }
        for number in 0..hostile {
            let begins = begin + millis(ARRIVAL);
            self.fleet.add(|token| Client::HostileClient(HostileClient::new(token, number, begins)));
        }
    }

    /// Runs the clients until the time `until`. Prints a report each time that the duration `report` has
    /// passed.
    fn go_on(&mut self, until: Instant, report: Duration) -> io::Result<()> {
        let mut next = Instant::now() + report;
        while Instant::now() < until {
            self.fleet.run((Instant::now() + SLICE).min(until))?;
            self.cut_one();
            let (memory, bound) = self.check_memory()?;
            if Instant::now() >= next {
                next += report;
                self.report(memory, bound);
            }
            if let Some(status) = self.server.ended()? {
                let log = self.server.warnings().join("\n");
                return Err(io::Error::other(format!("the server has ended with {status}: {log}")));
            }
        }
        Ok(())
    }

    /// Cuts the connection of a random client. The client then connects again. Does nothing if the chosen
    /// client is slow or hostile, or has not caught up.
    fn cut_one(&mut self) {
        let index = rand::random_range(0..self.fleet.len());
        let back = Instant::now() + millis(AWAY);
        self.fleet.one(index, |subscriber, context| {
            if subscriber.is_prompt() && subscriber.is_caught_up() {
                subscriber.cut(back, context);
            }
        });
    }

    /// Returns the server's memory and the upper bound of this memory, in KiB.
    fn check_memory(&mut self) -> io::Result<(u32, u32)> {
        // The canary's connections count too.
        let connections = self.fleet.connections() + canary::CLIENTS;
        self.memory.check(&self.server, connections, self.fleet.slow_every())
    }

    fn take_delays(&mut self) {
        let delays = self.canary.delays();
        self.delays[1 + usize::from(self.is_strained)] += &delays;
        self.delays[0] += &delays;
    }

    fn report(&mut self, memory: u32, bound: u32) {
        self.take_delays();
        let results = self.fleet.results();
        println!(
            "{:>6.0} s  {:>5} connections  RSS {:>6} MiB of {:>6}  canary p50 {:>6.2} p99 {:>6.2} ms  \
             {} events, {} updates, {} merged, {} gaps, {} of {} resumed exactly, {} pings",
            self.memory.age().as_secs_f64(),
            self.fleet.connections(),
            mib(memory),
            mib(bound),
            percentile(&self.delays[0], 50.0) / 1e6,
            percentile(&self.delays[0], 99.0) / 1e6,
            self.fleet.published().count(),
            results.updates,
            results.merged,
            results.gaps.values().sum::<u64>(),
            results.exact,
            results.resumed,
            results.pings,
        );
        println!("          ends: {}", list(&results.ends));
        self.delays[0].reset();
        for warning in self.server.warnings() {
            self.warnings += 1;
            println!("          the server: {warning}");
        }
    }

    /// Tells the server to stop while all clients are connected, and prints the results.
    fn finish(mut self) -> io::Result<Results> {
        self.take_delays();
        self.fleet.each(Subscriber::compare_counts);
        self.canary.expect_shutdown();
        self.fleet.context().is_ending = true;
        // During this time, the canary's thread learns of the shutdown.
        self.fleet.run(Instant::now() + SLICE)?;
        let connected: Vec<_> = self.fleet.subscribers().map(is_reader).collect();
        let begin = Instant::now();
        self.server.terminate()?;
        let status = self.wait(begin + STOP)?;
        let took = begin.elapsed();
        // The clients read the last frames, which may still be on their way.
        self.fleet.run(Instant::now() + SLICE)?;
        let readers = connected.iter().filter(|is_reader| **is_reader).count();
        let closed = self.fleet.subscribers().zip(&connected);
        let closed = closed.filter(|(reader, was)| **was && reader.closed() == Some(1001)).count();

        let mut results = Results::new();
        results.add(self.fleet.results());
        results.add(&self.canary.stop()?);
        println!("\nat the end");
        results.print();
        println!("  memory: {}", self.memory.text());
        print_delays(&self.delays);
        let code = status.map_or_else(|| "not at all".to_owned(), |status| status.to_string());
        println!(
            "  stopped by SIGTERM after {:.2} s with {code}; {closed} of {readers} clients that read got a close 1001",
            took.as_secs_f64()
        );
        println!("  {} warnings of the server", self.warnings + self.server.warnings().len() as u64);
        if !self.memory.is_bounded() {
            results.record_violation("the memory exceeded its bound", self.memory.text());
        }
        if closed < readers {
            results.record_violation(
                "a client that reads got no close 1001",
                format_args!("{closed} of {readers}"),
            );
        }
        if !status.is_some_and(|status| status.success()) {
            results.record_violation("the server did not exit with success", code);
        }
        Ok(results)
    }

    /// Runs the clients until the server process has ended, but at most until the time `until`. Returns the
    /// exit status of the server if it has ended.
    fn wait(&mut self, until: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            let status = self.server.ended()?;
            if status.is_some() || Instant::now() >= until {
                return Ok(status);
            }
            self.fleet.run(Instant::now() + SLICE / 10)?;
        }
    }
}

/// Returns whether the subscriber reads promptly and has caught up.
fn is_reader(subscriber: &Subscriber) -> bool {
    subscriber.is_prompt() && subscriber.is_caught_up()
}

fn print_delays([_, base, strained]: &[Histogram<u64>; 3]) {
    let millis = |delays, percent| percentile(delays, percent) / 1e6;
    let (base_p99, p99) = (millis(base, 99.0), millis(strained, 99.0));
    for (title, delays) in [("without slow and hostile clients", base), ("with them", strained)] {
        println!(
            "  canary, {title}: {} updates, p50 {:.2}, p99 {:.2}, p99.9 {:.2}, at most {:.1} ms",
            delays.len(),
            millis(delays, 50.0),
            millis(delays, 99.0),
            millis(delays, 99.9),
            float(delays.max()) / 1e6
        );
    }
    let answer = |is_true| if is_true { "yes" } else { "no" };
    println!(
        "  p99 under {MAX_P99} ms: {}; at most twice that without them ({:.2} times): {}",
        answer(p99 < MAX_P99),
        p99 / base_p99,
        answer(p99 <= 2.0 * base_p99)
    );
}

/// Returns a random time of at most this many milliseconds.
fn millis(most: u64) -> Duration {
    Duration::from_millis(rand::random_range(0..=most))
}
