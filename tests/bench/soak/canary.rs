//! A few clients on a thread of their own: what one who behaves notices of all the others.
//!
//! Their delays hold nothing of the other clients' own work, as far as there is a core to spare.

use std::io;
use std::iter;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::fleet::Fleet;
use crate::ledger::{Delivery, Wants};
use crate::subscriber::{Pace, Subscriber};
use crate::table::histogram;
use crate::tally::Tally;

/// How often their delays are handed over.
const SLICE: Duration = Duration::from_millis(100);

/// Clients that are measured.
const MEASURED: usize = 4;

/// All of them: one more takes every event, and can say what the others should have had.
pub const CLIENTS: usize = MEASURED + 1;

/// By so much the one that takes every event comes before the others.
pub const HEAD_START: Duration = Duration::from_millis(200);

/// The symbols of each.
const EACH: usize = 10;

/// What the thread and the others share.
struct Shared {
    delays: Mutex<Histogram<u64>>,
    is_ending: AtomicBool,
    stop: AtomicBool,
}

/// The clients. Dropped, they go.
pub struct Canary {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<Tally>>>,
}

impl Canary {
    /// Connects these, to a server with so many symbols.
    pub fn start(address: SocketAddr, symbols: usize, clients: Vec<Wants>) -> Self {
        let shared = Arc::new(Shared {
            delays: Mutex::new(histogram()),
            is_ending: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || watch(address, symbols, clients, &theirs));
        Self { shared, thread: Some(thread) }
    }

    /// The delays since they were asked for last.
    pub fn delays(&self) -> Histogram<u64> {
        let mut delays = self.shared.delays.lock().expect("the thread does not panic with it");
        std::mem::replace(&mut *delays, histogram())
    }

    /// The server has been told to stop.
    pub fn expect_the_end(&self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
    }

    /// Lets them go, and returns what they saw.
    pub fn stop(mut self) -> io::Result<Tally> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is stopped once");
        thread.join().map_err(|_| io::Error::other("the canary's thread has failed"))?
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // It ends within a slice; nobody asks what it saw.
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// Of so many symbols, what the clients take: every event, and some symbols each.
pub fn clients(symbols: usize) -> Vec<Wants> {
    let all = Wants { symbols: Vec::new(), delivery: Delivery::Every, is_measured: false };
    let measured = (0..MEASURED).map(|number| {
        let delivery = if number % 2 == 0 { Delivery::Every } else { Delivery::Latest(0) };
        Wants { symbols: spread(number, EACH, symbols), delivery, is_measured: true }
    });
    iter::once(all).chain(measured).collect()
}

/// Lets them join a fleet, one after the other.
pub fn join(fleet: &mut Fleet, clients: Vec<Wants>) {
    let mut begins = Instant::now();
    for wants in clients {
        fleet.subscribe(wants, Pace::Prompt, begins);
        begins += HEAD_START;
    }
}

/// Runs the clients until they are stopped.
fn watch(address: SocketAddr, symbols: usize, clients: Vec<Wants>, shared: &Shared) -> io::Result<Tally> {
    let mut fleet = Fleet::new(address, symbols)?;
    join(&mut fleet, clients);
    while !shared.stop.load(Ordering::Relaxed) {
        fleet.world().is_ending = shared.is_ending.load(Ordering::Relaxed);
        fleet.run(Instant::now() + SLICE)?;
        let delays = &mut fleet.world().notes.tally.delays;
        *shared.delays.lock().expect("the others do not panic with it") += &*delays;
        delays.reset();
    }
    fleet.each(Subscriber::settle);
    let mut tally = Tally::new();
    tally.add(fleet.tally());
    Ok(tally)
}

/// Some of all symbols, by their numbers, ascending; each client has others.
pub fn spread(client: usize, each: usize, symbols: usize) -> Vec<usize> {
    let mut some: Vec<_> = (0..each).map(|number| (client * each + number) % symbols).collect();
    some.sort_unstable();
    some
}
