//! The reconnect storm: all connections are cut at once. Within seconds, all clients connect again and resume
//! with their cursors.

use std::io;
use std::time::{Duration, Instant};

use crate::canary::{HEAD_START, spread};
use crate::fleet::Fleet;
use crate::memory_bound::{MemoryBound, mib};
use crate::process::Server;
use crate::results::Results;
use crate::server_under_test::ServerSettings;
use crate::stream_checker::{Delivery, Subscription};
use crate::subscriber::{Pace, Subscriber};

/// The number of symbols that each client subscribes to.
const EACH: usize = 2;

/// Of this many clients, one gets every event of all symbols.
const EVERY_EVENT: usize = 500;

/// The clients connect at random moments within this time.
const ARRIVAL: Duration = Duration::from_secs(5);

/// The clients read undisturbed for this long, once before the cut and once after all clients have caught up.
const UNDISTURBED: Duration = Duration::from_secs(5);

/// How long the clients may take to catch up.
const PATIENCE: Duration = Duration::from_mins(1);

/// The time between two checks whether all clients have caught up.
const SLICE: Duration = Duration::from_millis(20);

struct Storm {
    server: Server,
    fleet: Fleet,
    memory: MemoryBound,
}

/// Connects this many clients, cuts their connections, and lets the clients connect again.
pub fn run(settings: &ServerSettings, clients: u32) -> io::Result<Results> {
    let server = settings.start()?;
    let memory = MemoryBound::new(&server)?;
    let mut fleet = Fleet::new(server.address(), settings.symbols)?;
    let begin = Instant::now();
    // The connection of this first client is not cut. So the client records the events that the other clients
    // miss.
    let all = || Subscription { symbols: Vec::new(), delivery: Delivery::Every, is_measured: false };
    fleet.subscribe(all(), Pace::Prompt, begin);
    for number in 0..clients as usize {
        let begins = begin + HEAD_START + moment();
        let delivery = Delivery::Every;
        let symbols = spread(number, EACH, settings.symbols);
        let subscription = match number % EVERY_EVENT {
            0 => all(),
            _ => Subscription { symbols, delivery, is_measured: false },
        };
        fleet.subscribe(subscription, Pace::Prompt, begins);
    }
    let mut storm = Storm { server, fleet, memory };
    println!("{clients} clients × {EACH} of {} symbols, {} events a second", settings.symbols, settings.rate);
    storm.wait_until_caught_up("connected")?;
    storm.fleet.run(Instant::now() + UNDISTURBED)?;
    storm.break_all();
    storm.wait_until_caught_up("back and caught up")?;
    storm.fleet.run(Instant::now() + UNDISTURBED)?;
    storm.finish(clients)
}

/// Returns a random delay of at most `ARRIVAL`.
fn moment() -> Duration {
    ARRIVAL.mul_f64(rand::random())
}

impl Storm {
    fn break_all(&mut self) {
        let now = Instant::now();
        let mut is_witness = true;
        self.fleet.each(|subscriber, context| {
            if !std::mem::take(&mut is_witness) {
                subscriber.cut(now + moment(), context);
            }
        });
    }

    fn wait_until_caught_up(&mut self, what: &str) -> io::Result<()> {
        let begin = Instant::now();
        loop {
            self.fleet.run(Instant::now() + SLICE)?;
            let (memory, _) = self.memory.check(&self.server, self.fleet.len(), 0)?;
            let caught_up = self.fleet.subscribers().filter(|subscriber| subscriber.is_caught_up()).count();
            let took = begin.elapsed();
            if caught_up == self.fleet.len() || took > PATIENCE {
                println!(
                    "  {caught_up} of {} {what} after {:.2} s ({:.2} s after the last client connected), RSS {} MiB",
                    self.fleet.len(),
                    took.as_secs_f64(),
                    took.saturating_sub(ARRIVAL).as_secs_f64(),
                    mib(memory)
                );
                return Ok(());
            }
        }
    }

    fn finish(mut self, clients: u32) -> io::Result<Results> {
        self.fleet.each(|subscriber, _| subscriber.ask_whether_caught_up());
        self.fleet.run(Instant::now() + UNDISTURBED)?;
        self.fleet.each(Subscriber::compare_counts);
        let mut results = Results::new();
        results.add(self.fleet.results());
        let clients = u64::from(clients);
        println!("\nat the end");
        println!(
            "  {} of {clients} resumed, {} of them exactly; {} events lost, {} repeated",
            results.resumed, results.exact, results.lost, results.extra
        );
        results.print();
        println!("  memory: {}", self.memory.text());
        for warning in self.server.warnings() {
            println!("  the server: {warning}");
        }
        if results.resumed != clients || results.exact != clients {
            let exact = results.exact;
            results
                .record_violation("not every resume was exact", format_args!("{exact} of {clients} exactly"));
        }
        if !self.memory.is_bounded() {
            results.record_violation("the memory exceeded its bound", self.memory.text());
        }
        Ok(results)
    }
}
