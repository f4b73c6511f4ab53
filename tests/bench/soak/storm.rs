//! The storm: all connections break at once, and all clients come back within seconds with their cursors.

use std::io;
use std::time::{Duration, Instant};

use crate::canary::{HEAD_START, spread};
use crate::fleet::Fleet;
use crate::ledger::{Delivery, Wants};
use crate::plant::{Memory, Plant, mib};
use crate::process::Server;
use crate::subscriber::{Pace, Subscriber};
use crate::tally::Tally;

/// The symbols of a client.
const EACH: usize = 2;

/// One client in so many takes all symbols.
const TAKE_ALL: usize = 500;

/// Within this time all come.
const ARRIVAL: Duration = Duration::from_secs(5);

/// How long they are left alone, before and after.
const CALM: Duration = Duration::from_secs(5);

/// How long they may take to be level.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is looked whether they are.
const SLICE: Duration = Duration::from_millis(20);

struct Storm {
    server: Server,
    fleet: Fleet,
    memory: Memory,
}

/// Lets so many clients come, go and come back; returns what they saw.
pub fn run(plant: &Plant, clients: u32) -> io::Result<Tally> {
    let server = plant.start()?;
    let memory = Memory::new(&server)?;
    let mut fleet = Fleet::new(server.address(), plant.symbols)?;
    let begin = Instant::now();
    // It stays, and knows what the others missed.
    let all = || Wants { symbols: Vec::new(), delivery: Delivery::Every, is_measured: false };
    fleet.subscribe(all(), Pace::Prompt, begin);
    for number in 0..clients as usize {
        let begins = begin + HEAD_START + moment();
        let delivery = Delivery::Every;
        let symbols = spread(number, EACH, plant.symbols);
        let wants = match number % TAKE_ALL {
            0 => all(),
            _ => Wants { symbols, delivery, is_measured: false },
        };
        fleet.subscribe(wants, Pace::Prompt, begins);
    }
    let mut storm = Storm { server, fleet, memory };
    println!("{clients} clients × {EACH} of {} symbols, {} events a second", plant.symbols, plant.rate);
    storm.wait_until_level("connected")?;
    storm.fleet.run(Instant::now() + CALM)?;
    storm.break_all();
    storm.wait_until_level("back and level")?;
    storm.fleet.run(Instant::now() + CALM)?;
    storm.finish(clients)
}

/// Some moment of the time in which they come.
fn moment() -> Duration {
    ARRIVAL.mul_f64(rand::random())
}

impl Storm {
    fn break_all(&mut self) {
        let now = Instant::now();
        let mut is_witness = true;
        self.fleet.each(|subscriber, world| {
            if !std::mem::take(&mut is_witness) {
                subscriber.cut(now + moment(), world);
            }
        });
    }

    fn wait_until_level(&mut self, what: &str) -> io::Result<()> {
        let begin = Instant::now();
        loop {
            self.fleet.run(Instant::now() + SLICE)?;
            let (memory, _) = self.memory.look(&self.server, self.fleet.len(), 0)?;
            let level = self.fleet.subscribers().filter(|subscriber| subscriber.is_level()).count();
            let took = begin.elapsed();
            if level == self.fleet.len() || took > PATIENCE {
                println!(
                    "  {level} of {} {what} after {:.2} s ({:.2} s after the last was to come), RSS {} MiB",
                    self.fleet.len(),
                    took.as_secs_f64(),
                    took.saturating_sub(ARRIVAL).as_secs_f64(),
                    mib(memory)
                );
                return Ok(());
            }
        }
    }

    fn finish(mut self, clients: u32) -> io::Result<Tally> {
        self.fleet.each(|subscriber, _| subscriber.ask_level());
        self.fleet.run(Instant::now() + CALM)?;
        self.fleet.each(Subscriber::settle);
        let mut tally = Tally::new();
        tally.add(self.fleet.tally());
        let clients = u64::from(clients);
        println!("\nat the end");
        println!(
            "  {} of {clients} resumed, {} of them exactly; {} events lost, {} more than once",
            tally.resumed, tally.exact, tally.lost, tally.extra
        );
        tally.print();
        println!("  memory: {}", self.memory.text());
        for warning in self.server.warnings() {
            println!("  the server: {warning}");
        }
        if tally.resumed != clients || tally.exact != clients {
            let exact = tally.exact;
            tally.violation("not all came back as they went", format_args!("{exact} of {clients} exactly"));
        }
        if !self.memory.is_bounded() {
            tally.violation("memory over its bound", self.memory.text());
        }
        Ok(tally)
    }
}
