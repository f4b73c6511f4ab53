//! The soak: many clients that behave, a few slow ones, fewer that mean no good, for as long as is asked for.

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::abuse::Abuser;
use crate::canary::{self, Canary, HEAD_START, spread};
use crate::fleet::{Client, Fleet};
use crate::ledger::{Delivery, Wants};
use crate::plant::{Memory, Plant, mib};
use crate::process::Server;
use crate::subscriber::{Pace, Subscriber};
use crate::table::{float, histogram, percentile};
use crate::tally::{Tally, list};

/// The connections are broken one after the other at this distance, each to come back.
const SLICE: Duration = Duration::from_millis(250);

/// A client that was cut comes back after so many milliseconds at the most.
const AWAY: u64 = 3000;

/// Over this time the clients come.
const ARRIVAL: u64 = 2000;

/// The symbols of a client that behaves.
const EACH: usize = 10;

/// One in so many takes every event of all symbols.
const TAKE_ALL: usize = 100;
/// One in so many reads slowly.
const SLOW: usize = 20;
/// One in so many means no good.
const ABUSIVE: usize = 100;

/// What a slow client reads, ten times a second; it would have to read eight times as much.
const SLOW_BYTES: usize = 8 * 1024;

/// How long the server may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// The greatest delay of 99 of 100 updates, in milliseconds.
const MAX_P99: f64 = 50.0;

struct Soak {
    server: Server,
    fleet: Fleet,
    canary: Canary,
    memory: Memory,
    /// Since the last report, without the strain, and with it.
    delays: [Histogram<u64>; 3],
    is_strained: bool,
    warnings: u64,
}

/// Soaks for so long; returns what all clients saw.
pub fn run(plant: &Plant, clients: u32, time: Duration, report: Duration) -> io::Result<Tally> {
    let server = plant.start()?;
    let memory = Memory::new(&server)?;
    let mut fleet = Fleet::new(server.address(), plant.symbols)?;
    let canary = Canary::start(server.address(), plant.symbols, canary::clients(plant.symbols));
    let clients = clients as usize;
    let (slow, abusive) = (clients / SLOW, clients.div_ceil(ABUSIVE));
    let begin = Instant::now();
    for number in 0..clients - slow - abusive {
        let begins = if number == 0 { begin } else { begin + HEAD_START + millis(ARRIVAL) };
        let wants = ordinary(number, plant.symbols);
        fleet.subscribe(wants, Pace::Prompt, begins);
    }
    let delays = [histogram(), histogram(), histogram()];
    let mut soak = Soak { server, fleet, canary, memory, delays, is_strained: false, warnings: 0 };
    println!("{} clients that behave, {} events a second", soak.fleet.len(), plant.rate);
    soak.go_on(begin + time / 5, report)?;
    soak.strain(slow, abusive);
    soak.go_on(begin + time, report)?;
    soak.finish()
}

/// What a client that behaves takes: a tenth of them each.
fn ordinary(number: usize, symbols: usize) -> Wants {
    let delivery = match number % 10 {
        0..=2 => Delivery::Latest(0),
        3 | 4 => Delivery::Latest(250),
        5 => Delivery::Latest(1000),
        _ => Delivery::Every,
    };
    let (symbols, delivery) = if number.is_multiple_of(TAKE_ALL) {
        (Vec::new(), Delivery::Every)
    } else {
        (spread(number, EACH, symbols), delivery)
    };
    Wants { symbols, delivery, is_measured: false }
}

/// A slow client: all take all symbols.
fn slow_client(number: usize) -> (Wants, Pace) {
    let (delivery, pace) = match number % 5 {
        0 | 1 => (Delivery::Every, Pace::Slow(SLOW_BYTES)),
        2 | 3 => (Delivery::Latest(0), Pace::Slow(SLOW_BYTES)),
        _ => (Delivery::Every, Pace::Pauses),
    };
    (Wants { symbols: Vec::new(), delivery, is_measured: false }, pace)
}

impl Soak {
    /// Adds those that make it hard.
    fn strain(&mut self, slow: usize, abusive: usize) {
        println!("and {slow} slow ones, {abusive} that mean no good");
        self.take_delays();
        self.is_strained = true;
        let begin = Instant::now();
        for number in 0..slow {
            let (wants, pace) = slow_client(number);
            self.fleet.subscribe(wants, pace, begin + millis(ARRIVAL));
        }
        for number in 0..abusive {
            let begins = begin + millis(ARRIVAL);
            self.fleet.add(|token| Client::Abuser(Abuser::new(token, number, begins)));
        }
    }

    /// Runs until a moment, and says every so often how it goes.
    fn go_on(&mut self, until: Instant, report: Duration) -> io::Result<()> {
        let mut next = Instant::now() + report;
        while Instant::now() < until {
            self.fleet.run((Instant::now() + SLICE).min(until))?;
            self.cut_one();
            let (memory, bound) = self.look()?;
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

    /// Breaks the connection of one that behaves, which comes back.
    fn cut_one(&mut self) {
        let index = rand::random_range(0..self.fleet.len());
        let back = Instant::now() + millis(AWAY);
        self.fleet.one(index, |subscriber, world| {
            if subscriber.is_prompt() && subscriber.is_level() {
                subscriber.cut(back, world);
            }
        });
    }

    /// The server's memory and its bound, in KiB.
    fn look(&mut self) -> io::Result<(u32, u32)> {
        // The canary has a few as well.
        let connections = self.fleet.connections() + canary::CLIENTS;
        self.memory.look(&self.server, connections, self.fleet.slow_every())
    }

    fn take_delays(&mut self) {
        let delays = self.canary.delays();
        self.delays[1 + usize::from(self.is_strained)] += &delays;
        self.delays[0] += &delays;
    }

    fn report(&mut self, memory: u32, bound: u32) {
        self.take_delays();
        let tally = self.fleet.tally();
        println!(
            "{:>6.0} s  {:>5} connections  RSS {:>6} MiB of {:>6}  canary p50 {:>6.2} p99 {:>6.2} ms  \
             {} events, {} updates, {} merged, {} gaps, {} of {} resumed exactly, {} pings",
            self.memory.age().as_secs_f64(),
            self.fleet.connections(),
            mib(memory),
            mib(bound),
            percentile(&self.delays[0], 50.0) / 1e6,
            percentile(&self.delays[0], 99.0) / 1e6,
            self.fleet.witness().seen(),
            tally.updates,
            tally.merged,
            tally.gaps.values().sum::<u64>(),
            tally.exact,
            tally.resumed,
            tally.pings,
        );
        println!("          ends: {}", list(&tally.ends));
        self.delays[0].reset();
        for warning in self.server.warnings() {
            self.warnings += 1;
            println!("          the server: {warning}");
        }
    }

    /// Tells the server to stop while all are connected, and sums up.
    fn finish(mut self) -> io::Result<Tally> {
        self.take_delays();
        self.fleet.each(Subscriber::settle);
        self.canary.expect_the_end();
        self.fleet.world().is_ending = true;
        // By then the canary knows.
        self.fleet.run(Instant::now() + SLICE)?;
        let connected: Vec<_> = self.fleet.subscribers().map(is_reader).collect();
        let begin = Instant::now();
        self.server.terminate()?;
        let status = self.wait(begin + STOP)?;
        let took = begin.elapsed();
        // What is on its way still comes.
        self.fleet.run(Instant::now() + SLICE)?;
        let readers = connected.iter().filter(|is_reader| **is_reader).count();
        let told = self.fleet.subscribers().zip(&connected);
        let told = told.filter(|(reader, was)| **was && reader.closed() == Some(1001)).count();

        let mut tally = Tally::new();
        tally.add(self.fleet.tally());
        tally.add(&self.canary.stop()?);
        println!("\nat the end");
        tally.print();
        println!("  memory: {}", self.memory.text());
        print_delays(&self.delays);
        let code = status.map_or_else(|| "not at all".to_owned(), |status| status.to_string());
        println!(
            "  stopped by SIGTERM after {:.2} s with {code}; of {readers} clients that read, {told} were told (1001)",
            took.as_secs_f64()
        );
        println!("  {} warnings of the server", self.warnings + self.server.warnings().len() as u64);
        if !self.memory.is_bounded() {
            tally.violation("memory over its bound", self.memory.text());
        }
        if told < readers {
            tally.violation(
                "a client that reads was not told of the end",
                format_args!("{told} of {readers}"),
            );
        }
        if !status.is_some_and(|status| status.success()) {
            tally.violation("the server did not stop as it should", code);
        }
        Ok(tally)
    }

    /// Runs until the server has ended, but not for longer than until a moment.
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

/// Whether it reads all that comes, and is connected.
fn is_reader(subscriber: &Subscriber) -> bool {
    subscriber.is_prompt() && subscriber.is_level()
}

fn print_delays([_, base, strained]: &[Histogram<u64>; 3]) {
    let millis = |delays, percent| percentile(delays, percent) / 1e6;
    let (base_p99, p99) = (millis(base, 99.0), millis(strained, 99.0));
    for (title, delays) in [("alone", base), ("strained", strained)] {
        println!(
            "  canary, {title}: {} updates, p50 {:.2}, p99 {:.2}, p99.9 {:.2}, at most {:.1} ms",
            delays.len(),
            millis(delays, 50.0),
            millis(delays, 99.0),
            millis(delays, 99.9),
            float(delays.max()) / 1e6
        );
    }
    let answer = |is_so| if is_so { "yes" } else { "no" };
    println!(
        "  p99 under {MAX_P99} ms: {}; within twice that without strain ({:.2} times): {}",
        answer(p99 < MAX_P99),
        p99 / base_p99,
        answer(p99 <= 2.0 * base_p99)
    );
}

/// A time of so many milliseconds at the most.
fn millis(most: u64) -> Duration {
    Duration::from_millis(rand::random_range(0..=most))
}
