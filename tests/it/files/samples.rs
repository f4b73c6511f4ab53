//! Tests of the sample files in the folder `feeds/`: a replay reads every row.

use std::fs;
use std::path::{Path, PathBuf};

use tickerplant::feed::replay::{self, Replay};
use tickerplant::feed::{LineSettings, RejectCounters};
use tickerplant::market::{Event, Payload};

/// Returns the row of an event in the sample file of ticks. A trade fills the columns for price and size, and
/// a quote fills the other columns.
fn tick(Event { symbol, time, payload }: &Event) -> String {
    match payload {
        Payload::Trade(trade) => format!("{time},{symbol},{},{},,,,\n", trade.price, trade.size.unwrap()),
        Payload::Quote(quote) => format!(
            "{time},{symbol},,,{},{},{},{}\n",
            quote.bid.unwrap(),
            quote.bid_size.unwrap(),
            quote.ask.unwrap(),
            quote.ask_size.unwrap()
        ),
        Payload::Bar(_) | Payload::Status(_) => {
            unreachable!("the sample file of ticks has trades and quotes")
        }
    }
}

/// Returns the row of an event in the sample file of bars.
fn bar(Event { symbol, time, payload }: &Event) -> String {
    let Payload::Bar(bar) = payload else { unreachable!("the sample file of bars has only bars") };
    let [open, high, low] = [bar.open, bar.high, bar.low].map(Option::unwrap);
    format!("{time},{symbol},{open},{high},{low},{},{}\n", bar.close, bar.volume.unwrap())
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds").join(name)
}

/// Checks that a replay gives an event for each row of a sample file. `row` writes an event as in the file.
fn check(name: &str, rows: usize, row: fn(&Event) -> String) {
    let config = replay::Config { files: vec![sample(name)], ..replay::Config::default() };
    let input = LineSettings { line_bytes: 64 * 1024, reject_counters: RejectCounters::default() };
    let replay = Replay::open(&config, &input).unwrap();
    let events: Vec<Event> = replay.events().unwrap().map(Result::unwrap).collect();

    let again: String = events.iter().map(row).collect();

    let file = fs::read_to_string(sample(name)).unwrap();
    assert!(file.split_once('\n').unwrap().1 == again, "a replay of feeds/{name} gives other events");
    assert_eq!(events.len(), rows);
    assert!(file.len() < 150_000, "feeds/{name} has {} bytes", file.len());
}

#[test]
fn a_replay_reads_every_row_of_the_sample_of_bars() {
    check("bars-1m.csv", 5 * 390, bar);
}

#[test]
fn a_replay_reads_every_row_of_the_sample_of_ticks() {
    check("ticks.csv", 11 * 180, tick);
}
