//! The canary of the soak test: a few well-behaved clients on a thread of their own. The delays of the canary
//! clients show how the other clients of the test affect well-behaved clients.
//!
//! If the thread has a core of its own, the work of this process's other clients does not delay the canary
//! clients.

use std::io;
use std::iter;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::fleet::Fleet;
use crate::results::Results;
use crate::statistics::histogram;
use crate::stream_checker::{Delivery, Subscription};
use crate::subscriber::{Pace, Subscriber};

/// The interval at which the canary's thread passes the measured delays to the caller.
const SLICE: Duration = Duration::from_millis(100);

/// The number of canary clients whose delays are measured.
const MEASURED: usize = 4;

/// The number of canary clients: the measured clients, and one client that gets every event. The client that
/// gets every event shows which events the measured clients miss.
pub const CLIENTS: usize = MEASURED + 1;

/// The client that gets every event connects this much earlier than the next client.
pub const HEAD_START: Duration = Duration::from_millis(200);

/// The number of symbols of each measured client.
const EACH: usize = 10;

/// The state that the thread shares with the caller.
struct Shared {
    delays: Mutex<Histogram<u64>>,
    is_ending: AtomicBool,
    stop: AtomicBool,
}

/// The canary clients. Dropping this value stops the clients.
pub struct Canary {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<Results>>>,
}

impl Canary {
    /// Starts a thread whose clients connect to a server with this many symbols.
    pub fn start(address: SocketAddr, symbols: usize, clients: Vec<Subscription>) -> Self {
        let shared = Arc::new(Shared {
            delays: Mutex::new(histogram()),
            is_ending: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || run_clients(address, symbols, clients, &for_thread));
        Self { shared, thread: Some(thread) }
    }

    /// Returns the delays that were measured since the last call of this function.
    pub fn delays(&self) -> Histogram<u64> {
        let mut delays =
            self.shared.delays.lock().expect("the thread does not panic while it holds the lock");
        std::mem::replace(&mut *delays, histogram())
    }

    /// Tells the clients that the server will shut down, so that they do not connect again.
    pub fn expect_shutdown(&self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
    }

    /// Stops the clients and returns their results.
    pub fn stop(mut self) -> io::Result<Results> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("the canary is stopped only once");
        thread.join().map_err(|_| io::Error::other("the canary's thread has failed"))?
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // The thread ends within `SLICE`, and its results are dropped.
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// Returns the subscriptions of the canary clients. The first subscription contains all symbols. Each
/// measured client subscribes to a few symbols.
pub fn clients(symbols: usize) -> Vec<Subscription> {
    let all = Subscription { symbols: Vec::new(), delivery: Delivery::Every, is_measured: false };
    let measured = (0..MEASURED).map(|number| {
        let delivery = if number % 2 == 0 { Delivery::Every } else { Delivery::Latest(0) };
        Subscription { symbols: spread(number, EACH, symbols), delivery, is_measured: true }
    });
    iter::once(all).chain(measured).collect()
}

/// Adds the canary clients to a fleet of test clients. The clients connect one after the other.
pub fn join(fleet: &mut Fleet, clients: Vec<Subscription>) {
    let mut begins = Instant::now();
    for subscription in clients {
        fleet.subscribe(subscription, Pace::Prompt, begins);
        begins += HEAD_START;
    }
}

/// Runs the canary clients until `shared.stop` is set.
fn run_clients(
    address: SocketAddr,
    symbols: usize,
    clients: Vec<Subscription>,
    shared: &Shared,
) -> io::Result<Results> {
    let mut fleet = Fleet::new(address, symbols)?;
    join(&mut fleet, clients);
    while !shared.stop.load(Ordering::Relaxed) {
        fleet.context().is_ending = shared.is_ending.load(Ordering::Relaxed);
        fleet.run(Instant::now() + SLICE)?;
        let delays = &mut fleet.context().observations.results.delays;
        *shared.delays.lock().expect("the caller does not panic while it holds the lock") += &*delays;
        delays.reset();
    }
    fleet.each(Subscriber::compare_counts);
    let mut results = Results::new();
    results.add(fleet.results());
    Ok(results)
}

/// Returns the indices of a client's symbols, in ascending order. Clients with successive numbers get
/// different groups of symbols.
pub fn spread(client: usize, each: usize, symbols: usize) -> Vec<usize> {
    let mut some: Vec<_> = (0..each).map(|number| (client * each + number) % symbols).collect();
    some.sort_unstable();
    some
}
