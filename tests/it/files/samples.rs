//! Tests of the sample files in the folder `feeds/`. The simulator writes the sample files, and a replay
//! reads them back.
//!
//! With `UPDATE_SAMPLES=1` in the environment, the tests write the sample files. Otherwise, the tests compare
//! the sample files with the output of the simulator.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::{env, fs};

use tickerplant::feed::replay::{self, Replay};
use tickerplant::feed::simulated::{Config, Walk};
use tickerplant::feed::{LineSettings, RejectCounters};
use tickerplant::market::{Bar, Event, Payload, Price, Size, Symbol, Time};

const MINUTE: i64 = 60_000_000_000;

/// Returns the configuration of a simulated market, with the first `symbols` instruments of the default
/// market.
fn market(symbols: usize, rate: u32, start: &str) -> Config {
    let default = Config::default();
    let symbols = default.symbols.list().iter().take(symbols).cloned().collect();
    Config { rate: NonZeroU32::new(rate).unwrap(), seed: 2024, start: Some(start.parse().unwrap()), symbols }
}

/// Returns the sample file of bars: the trades of one day, combined into bars of one minute.
fn bars() -> String {
    let start: Time = "2024-01-03T14:30:00Z".parse().unwrap();
    let end: Time = "2024-01-03T21:00:00Z".parse().unwrap();
    let market = market(5, 5, &start.to_string());
    let mut bars: BTreeMap<(i64, usize), Bar> = BTreeMap::new();
    let instruments = market.symbols.list();
    let place = |symbol: &Symbol| instruments.iter().position(|other| other.name == *symbol).unwrap();
    for event in Walk::new(&market).unwrap().take_while(|event| event.time < end) {
        let Payload::Trade(trade) = event.payload else { continue };
        let first = Bar {
            interval: None,
            open: Some(trade.price),
            high: Some(trade.price),
            low: Some(trade.price),
            close: trade.price,
            volume: trade.size,
        };
        bars.entry((event.time.as_nanos() / MINUTE, place(&event.symbol)))
            .and_modify(|bar| {
                bar.high = bar.high.max(first.high);
                bar.low = bar.low.min(first.low);
                bar.close = first.close;
                bar.volume = Some(Size(size(bar.volume).0 + size(first.volume).0));
            })
            .or_insert(first);
    }
    let mut text = "time,symbol,open,high,low,close,volume\n".to_owned();
    for ((minute, symbol), bar) in bars {
        let time = Time::from_nanos(minute * MINUTE);
        let name = &instruments[symbol].name;
        let [open, high, low] = [bar.open, bar.high, bar.low].map(price);
        writeln!(text, "{time},{name},{open},{high},{low},{},{}", bar.close, size(bar.volume)).unwrap();
    }
    text
}

/// Returns the sample file of ticks: trades and quotes of three minutes, with times in nanoseconds.
fn ticks() -> String {
    let end: Time = "2024-01-03T14:33:00Z".parse().unwrap();
    let market = market(3, 11, "2024-01-03T14:30:00.000000123Z");
    let mut text = "time,symbol,price,size,bid,bid_size,ask,ask_size\n".to_owned();
    for event in Walk::new(&market).unwrap().take_while(|event| event.time < end) {
        text += &tick(&event);
    }
    text
}

/// Returns the row of an event in the sample file of ticks. A trade fills the columns for price and size, and
/// a quote fills the other columns.
fn tick(Event { symbol, time, payload }: &Event) -> String {
    match payload {
        Payload::Trade(trade) => format!("{time},{symbol},{},{},,,,\n", trade.price, size(trade.size)),
        Payload::Quote(quote) => format!(
            "{time},{symbol},,,{},{},{},{}\n",
            price(quote.bid),
            size(quote.bid_size),
            price(quote.ask),
            size(quote.ask_size)
        ),
        Payload::Bar(_) | Payload::Status(_) => unreachable!("the simulator makes trades and quotes"),
    }
}

/// Unwraps a price, because the simulator sets every price.
fn price(price: Option<Price>) -> Price {
    price.unwrap()
}

fn size(size: Option<Size>) -> Size {
    size.unwrap()
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds").join(name)
}

fn compare(name: &str, written: &str) {
    let path = sample(name);
    if env::var_os("UPDATE_SAMPLES").is_some() {
        fs::write(&path, written).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap();
    assert!(shipped == written, "feeds/{name} is not what the simulator writes; run with UPDATE_SAMPLES=1");
    assert!(shipped.len() < 150_000, "feeds/{name} has {} bytes", shipped.len());
}

fn replayed(name: &str) -> Vec<Event> {
    let config = replay::Config { files: vec![sample(name)], ..replay::Config::default() };
    let input = LineSettings { line_bytes: 64 * 1024, reject_counters: RejectCounters::default() };
    let replay = Replay::open(&config, &input).unwrap();
    replay.events().unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_sample_of_bars_is_what_the_simulator_writes_and_a_replay_reads() {
    compare("bars-1m.csv", &bars());

    let events = replayed("bars-1m.csv");

    assert_eq!(events.len(), 5 * 390);
    assert!(events.iter().all(|event| matches!(event.payload, Payload::Bar(_))));
}

#[test]
fn the_sample_of_ticks_is_what_the_simulator_writes_and_a_replay_reads() {
    compare("ticks.csv", &ticks());

    let events = replayed("ticks.csv");

    let again: String = events.iter().map(tick).collect();
    assert!(ticks().ends_with(&again), "a replay of feeds/ticks.csv gives other events than the simulator");
    assert_eq!(events.len(), 11 * 180);
}
