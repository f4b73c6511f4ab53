//! Measures the delays of updates to clients with a conflation interval.
//!
//! An update may wait until the end of the client's interval. An update contains its newest event and may
//! conflate older events. The benchmark measures two ages of an update: the age of the newest event and the
//! age of the oldest event. The age of the oldest event is the stricter measure. An age lasts until the
//! client has read the update, so it includes the time of the transport. The delays of clients without an
//! interval show how long the transport alone takes.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::canary::{self, Canary, HEAD_START, spread};
use crate::fleet::Fleet;
use crate::results::Results;
use crate::server_under_test::ServerSettings;
use crate::statistics::{float, percentile};
use crate::stream_checker::{Delivery, Subscription};
use crate::subscriber::{Pace, Subscriber};

/// The number of symbols that each client subscribes to.
const EACH: usize = 10;

/// The clients connect at random moments within this time, so that their intervals end at different moments.
const ARRIVAL: Duration = Duration::from_secs(2);

/// How long the clients read before the measurement.
const WARM_UP: Duration = Duration::from_secs(3);

/// An update is in time if its age is at most the interval plus this many nanoseconds.
const GRACE: u64 = 5_000_000;

/// At least this percentage of the updates should be in time.
const MIN_WITHIN: f64 = 99.9;

/// Measures the delays for the duration `time`.
pub fn run(settings: &ServerSettings, clients: u32, interval: u32, time: Duration) -> io::Result<Results> {
    let server = settings.start()?;
    let mut fleet = Fleet::new(server.address(), settings.symbols)?;
    let begin = Instant::now();
    let all = Subscription { symbols: Vec::new(), delivery: Delivery::Every, is_measured: false };
    fleet.subscribe(all, Pace::Prompt, begin);
    for number in 0..clients as usize {
        let symbols = spread(number, EACH, settings.symbols);
        let subscription = Subscription { symbols, delivery: Delivery::Latest(interval), is_measured: true };
        let begins = begin + HEAD_START + ARRIVAL.mul_f64(rand::random());
        fleet.subscribe(subscription, Pace::Prompt, begins);
    }
    let canary = Canary::start(server.address(), settings.symbols, canary::clients(settings.symbols));
    fleet.run(begin + WARM_UP)?;
    canary.delays();
    let results = &mut fleet.context().observations.results;
    results.delays.reset();
    results.ages.reset();
    fleet.run(Instant::now() + time)?;
    fleet.each(Subscriber::compare_counts);

    let without = canary.delays();
    let mut results = Results::new();
    results.add(fleet.results());
    println!(
        "\n{clients} clients × {EACH} of {} symbols, {} events a second, interval {interval} ms: {} updates, {} merged",
        settings.symbols, settings.rate, results.updates, results.merged
    );
    let interval = u64::from(interval) * 1_000_000;
    print("age of an update's own event", &results.delays, interval);
    print("age of the oldest event that it conflates", &results.ages, interval);
    println!(
        "  delays of clients without an interval: p50 {:.2}, p99 {:.2}, p99.9 {:.2}, at most {:.2} ms",
        percentile(&without, 50.0) / 1e6,
        percentile(&without, 99.0) / 1e6,
        percentile(&without, 99.9) / 1e6,
        float(without.max()) / 1e6
    );
    let canary_results = canary.stop()?;
    results.violations.extend(canary_results.violations);
    for warning in server.warnings() {
        println!("  the server: {warning}");
    }
    Ok(results)
}

fn print(title: &str, delays: &Histogram<u64>, interval: u64) {
    let beyond = |nanos: f64| (nanos - float(interval)) / 1e6;
    let within = delays.quantile_below(interval + GRACE) * 100.0;
    println!(
        "  {title}: beyond the interval p50 {:.2}, p99 {:.2}, p99.9 {:.2}, at most {:.2} ms",
        beyond(percentile(delays, 50.0)),
        beyond(percentile(delays, 99.0)),
        beyond(percentile(delays, 99.9)),
        beyond(float(delays.max())),
    );
    let answer = if within >= MIN_WITHIN { "yes" } else { "no" };
    println!("    within 5 ms beyond it: {within:.3} % (at least {MIN_WITHIN} %: {answer})");
}
