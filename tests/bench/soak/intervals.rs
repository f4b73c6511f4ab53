//! Intervals: how long an update waits for a client that asked for the newest every so many milliseconds.
//!
//! What is merged may be held for the interval. Of each update two times are looked at: that of its own event, and
//! that of the oldest event that it stands for, which is the stricter one. Both end when the client has read it: clients
//! without an interval show how much of that is not the server's alarm.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::canary::{self, Canary, HEAD_START, spread};
use crate::fleet::Fleet;
use crate::ledger::{Delivery, Wants};
use crate::plant::Plant;
use crate::subscriber::{Pace, Subscriber};
use crate::table::{float, percentile};
use crate::tally::Tally;

/// The symbols of a client.
const EACH: usize = 10;

/// Over this time the clients come, so that they do not all wait for the same moments.
const ARRIVAL: Duration = Duration::from_secs(2);

/// Before it is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// An update may leave so much later than its interval, in nanoseconds,
const GRACE: u64 = 5_000_000;

/// in all but so many of 100 cases.
const WANTED: f64 = 99.9;

/// Measures for so long; returns what the clients saw.
pub fn run(plant: &Plant, clients: u32, interval: u32, time: Duration) -> io::Result<Tally> {
    let server = plant.start()?;
    let mut fleet = Fleet::new(server.address(), plant.symbols)?;
    let begin = Instant::now();
    let all = Wants { symbols: Vec::new(), delivery: Delivery::Every, is_measured: false };
    fleet.subscribe(all, Pace::Prompt, begin);
    for number in 0..clients as usize {
        let symbols = spread(number, EACH, plant.symbols);
        let wants = Wants { symbols, delivery: Delivery::Latest(interval), is_measured: true };
        let begins = begin + HEAD_START + ARRIVAL.mul_f64(rand::random());
        fleet.subscribe(wants, Pace::Prompt, begins);
    }
    let canary = Canary::start(server.address(), plant.symbols, canary::clients(plant.symbols));
    fleet.run(begin + WARM_UP)?;
    canary.delays();
    let tally = &mut fleet.world().notes.tally;
    tally.delays.reset();
    tally.ages.reset();
    fleet.run(Instant::now() + time)?;
    fleet.each(Subscriber::settle);

    let without = canary.delays();
    let mut tally = Tally::new();
    tally.add(fleet.tally());
    println!(
        "\n{clients} clients × {EACH} of {} symbols, {} events a second, interval {interval} ms: {} updates, {} merged",
        plant.symbols, plant.rate, tally.updates, tally.merged
    );
    let interval = u64::from(interval) * 1_000_000;
    print("by an update's own event", &tally.delays, interval);
    print("by the oldest event in it", &tally.ages, interval);
    println!(
        "  clients without an interval, beside them: p50 {:.2}, p99 {:.2}, p99.9 {:.2}, at most {:.2} ms",
        percentile(&without, 50.0) / 1e6,
        percentile(&without, 99.0) / 1e6,
        percentile(&without, 99.9) / 1e6,
        float(without.max()) / 1e6
    );
    let theirs = canary.stop()?;
    tally.violations.extend(theirs.violations);
    for warning in server.warnings() {
        println!("  the server: {warning}");
    }
    Ok(tally)
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
    let answer = if within >= WANTED { "yes" } else { "no" };
    println!("    within 5 ms beyond it: {within:.3} % (wanted {WANTED}: {answer})");
}
