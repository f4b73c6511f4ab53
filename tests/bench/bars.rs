//! Measures how fast the bars are folded from trades, on one core.
//!
//! In each round, the fold reads 100,000 trades, which are one second of market time. `item/s` is the number
//! of trades a second. With `symbols = 10,000`, each trade is far from the previous one in memory.

use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, Divan};
use rust_decimal::Decimal;
use tickerplant::bars::{BarInterval, Config, Fold};
use tickerplant::bus::{self, Bus, Read, Segment};
use tickerplant::market::{Event, FeedKind, Payload, Price, Size, Symbol, Time, Trade};

const TRADES: i64 = 100_000;

const SEGMENT: usize = 1024;

fn main() {
    Divan::from_args().main();
}

fn new_fold() -> Fold {
    let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "bench".to_owned());
    let (_reader, checkpoint) = bus.reader("bench");
    Fold::new(Config::default(), &checkpoint)
}

/// Returns the segments of the log for one second of market time. With `is_mixed`, the prices and sizes have
/// different numbers of decimal places.
fn segments(symbols: &[Symbol], second: i64, is_mixed: bool) -> Vec<Read> {
    let events = (0..TRADES).map(|n| {
        // A prime number, so that the order of the symbols looks random.
        let symbol = symbols[usize::try_from(n * 7919).unwrap() % symbols.len()].clone();
        let scale = if is_mixed { u32::try_from(n % 3).unwrap() } else { 2 };
        let (price, size) = (Decimal::new(18_000 + n % 977, scale), Decimal::new(1 + n % 500, scale));
        let trade = Trade { price: Price(price), size: Some(Size(size)) };
        let time = Time::from_nanos(second * 1_000_000_000 + n * (1_000_000_000 / TRADES));
        Event { symbol, time, payload: Payload::Trade(trade) }
    });
    let events: Vec<Event> = events.collect();
    let segment = |events: &[Event]| Segment::Events { first: 1, events: events.into() };
    events.chunks(SEGMENT).map(|events| Read::Segment(Arc::new(segment(events)))).collect()
}

fn symbols(count: usize) -> Vec<Symbol> {
    (0..count).map(|n| format!("S{n}").parse().expect("it is a symbol")).collect()
}

fn fold(bencher: Bencher<'_, '_>, count: usize, is_mixed: bool) {
    let symbols = symbols(count);
    let (mut fold, mut second) = (new_fold(), 0);
    bencher
        .counter(ItemsCount::new(TRADES.unsigned_abs()))
        .with_inputs(|| {
            second += 1;
            segments(&symbols, second, is_mixed)
        })
        .bench_local_values(|reads| reads.iter().for_each(|read| fold.apply(read)));
}

#[divan::bench(args = [10, 500, 10_000], sample_count = 30, sample_size = 1)]
fn trades(bencher: Bencher<'_, '_>, symbols: usize) {
    fold(bencher, symbols, false);
}

#[divan::bench(args = [10, 500, 10_000], sample_count = 30, sample_size = 1)]
fn trades_of_mixed_decimal_places(bencher: Bencher<'_, '_>, symbols: usize) {
    fold(bencher, symbols, true);
}

/// Measures the derivation of bars for a response. The symbol has 900 seconds and 4,320 minutes.
#[divan::bench(args = ["1s", "1m", "5m", "1h", "1d"])]
fn answer(bencher: Bencher<'_, '_>, interval: &str) {
    let interval = BarInterval::from_name(interval).expect("it is served");
    let symbols = symbols(1);
    let mut fold = new_fold();
    let seconds = (0..4320).map(|minute| minute * 60).chain(4320 * 60..4320 * 60 + 900);
    let trade = Trade { price: Price(Decimal::new(12345, 2)), size: None };
    let events = seconds.map(|second| Event {
        symbol: symbols[0].clone(),
        time: Time::from_nanos(second * 1_000_000_000),
        payload: Payload::Trade(trade.clone()),
    });
    fold.apply(&Read::Segment(Arc::new(Segment::Events { first: 1, events: events.collect() })));
    bencher.bench_local(|| {
        let bars = fold.get(&symbols[0]).expect("it has trades").clone();
        bars.bars(interval, fold.market_time())
    });
}
