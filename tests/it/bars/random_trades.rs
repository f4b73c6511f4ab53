//! Compares the bars with a naive model, for random trades, late trades, seeks and limits.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use rust_decimal::Decimal;
use tickerplant::bars::{BarInterval, Config, ServedBar};
use tickerplant::market::{Bar, Event, Payload, Price, Quote, Size, Time, Trade};

use super::Folding;
use crate::support::proptest_cases::cases;

const SYMBOLS: [&str; 2] = ["A", "B"];

#[derive(Clone, Debug)]
enum Step {
    Trade { symbol: usize, time: Time, trade: Trade },
    Quote { symbol: usize, time: Time },
    Seek(Time),
}

/// The trades of one interval of one symbol, by the start of their bar. Each trade comes with whether it may
/// change the close.
struct ModelSeries {
    interval: BarInterval,
    limit: usize,
    bars: BTreeMap<Time, Vec<(Trade, bool)>>,
    floor: Time,
}

struct ModelSymbol {
    newest: Option<Time>,
    seconds: ModelSeries,
    minutes: ModelSeries,
}

impl ModelSeries {
    fn new(interval: BarInterval, limit: usize) -> Self {
        Self { interval, limit, bars: BTreeMap::new(), floor: Time::from_nanos(i64::MIN) }
    }

    fn trade(&mut self, time: Time, trade: &Trade, is_late: bool) {
        let start = self.interval.start_of(time);
        if start < self.floor {
            return;
        }
        let bar = self.bars.entry(start).or_default();
        bar.push((trade.clone(), !is_late || bar.is_empty()));
        if self.bars.len() > self.limit {
            let (evicted, _) = self.bars.pop_first().unwrap();
            self.floor = Time::from_nanos(evicted.as_nanos() + 1);
        }
    }

    fn drop_from(&mut self, target: Time) {
        let start = self.interval.start_of(target);
        self.bars.split_off(&start);
        self.floor = self.floor.min(start);
    }
}

impl ModelSymbol {
    fn new(config: &Config) -> Self {
        Self {
            newest: None,
            seconds: ModelSeries::new(BarInterval::Second, config.seconds),
            minutes: ModelSeries::new(BarInterval::Minute, config.minutes),
        }
    }

    fn trade(&mut self, time: Time, trade: &Trade) {
        let is_late = self.newest.is_some_and(|newest| time < newest);
        self.seconds.trade(time, trade, is_late);
        self.minutes.trade(time, trade, is_late);
        self.newest = self.newest.max(Some(time));
    }

    fn seek(&mut self, target: Time) {
        if self.newest.is_none_or(|newest| newest < target) {
            return;
        }
        self.newest = Some(target);
        self.seconds.drop_from(target);
        self.minutes.drop_from(target);
        let minute = BarInterval::Minute.start_of(target);
        let kept: Vec<_> = self.seconds.bars.range(minute..).flat_map(|(_, trades)| trades.clone()).collect();
        if self.seconds.floor <= minute && !kept.is_empty() {
            self.minutes.bars.insert(minute, kept);
        }
    }

    fn bars(&self, interval: BarInterval, market_time: Time) -> Vec<ServedBar> {
        // After a seek, a symbol may have seconds but no minutes. Then the seconds stand in for the minutes.
        let is_of_seconds = interval == BarInterval::Second || self.minutes.bars.is_empty();
        let series = if is_of_seconds { &self.seconds } else { &self.minutes };
        let floor = match interval {
            BarInterval::Second | BarInterval::Minute => series.floor,
            _ => series.floor.max(self.minutes.floor),
        };
        let mut groups: BTreeMap<Time, Vec<Bar>> = BTreeMap::new();
        for (start, trades) in &series.bars {
            groups.entry(interval.start_of(*start)).or_default().push(bar_of(trades));
        }
        groups.retain(|start, _| interval == series.interval || *start >= floor);
        let served = |(start, parts): (Time, Vec<Bar>)| ServedBar {
            start,
            bar: joined(&parts),
            is_partial: interval.end_of(start) > market_time,
        };
        groups.into_iter().map(served).collect()
    }
}

fn bar_of(trades: &[(Trade, bool)]) -> Bar {
    let prices = || trades.iter().map(|(trade, _)| trade.price);
    let closing = trades.iter().filter(|(_, may_close)| *may_close);
    Bar {
        interval: None,
        open: prices().next(),
        high: prices().max(),
        low: prices().min(),
        close: closing.map(|(trade, _)| trade.price).next_back().unwrap(),
        volume: sum(trades.iter().map(|(trade, _)| trade.size)),
    }
}

fn joined(parts: &[Bar]) -> Bar {
    Bar {
        interval: None,
        open: parts[0].open,
        high: parts.iter().filter_map(|bar| bar.high).max(),
        low: parts.iter().filter_map(|bar| bar.low).min(),
        close: parts.last().unwrap().close,
        volume: sum(parts.iter().map(|bar| bar.volume)),
    }
}

fn sum(sizes: impl Iterator<Item = Option<Size>>) -> Option<Size> {
    sizes.flatten().reduce(|Size(sum), Size(size)| Size(sum + size))
}

/// Returns a random moment. Most moments are close to each other, so that many trades share a bar.
fn time() -> impl Strategy<Value = Time> {
    const MILLI: i64 = 1_000_000;
    prop_oneof![0..5_000_i64, 0..400_000_i64, 0..8_000_000_i64, 0..200_000_000_i64]
        .prop_map(|millis| Time::from_nanos((millis - 100_000) * MILLI))
}

fn decimal(most: i64) -> impl Strategy<Value = Decimal> {
    prop_oneof![
        (1..most, 0..3_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
        (i64::MAX / 2..i64::MAX, 0..10_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let symbol = || 0..SYMBOLS.len();
    let trade = (decimal(500), proptest::option::of(decimal(100)));
    let trade = trade.prop_map(|(price, size)| Trade { price: Price(price), size: size.map(Size) });
    prop_oneof![
        20 => (symbol(), time(), trade).prop_map(|(symbol, time, trade)| Step::Trade { symbol, time, trade }),
        1 => (symbol(), time()).prop_map(|(symbol, time)| Step::Quote { symbol, time }),
        1 => time().prop_map(Step::Seek),
    ]
}

fn event(symbol: usize, time: Time, payload: Payload) -> Event {
    Event { symbol: SYMBOLS[symbol].parse().unwrap(), time, payload }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn the_bars_are_those_of_a_naive_model(
        steps in vec(step(), 1..80),
        seconds in 1..12_usize,
        minutes in 1..12_usize,
    ) {
        let config = Config { seconds, minutes, ..Config::default() };
        let mut folding = Folding::start(config.clone());
        let mut model = [ModelSymbol::new(&config), ModelSymbol::new(&config)];
        let mut market_time = Time::from_nanos(i64::MIN);

        for step in steps {
            match step {
                Step::Trade { symbol, time, trade } => {
                    model[symbol].trade(time, &trade);
                    market_time = market_time.max(time);
                    folding.publish([event(symbol, time, Payload::Trade(trade))]);
                }
                Step::Quote { symbol, time } => {
                    let bid = Some(Price(Decimal::ONE));
                    let quote = Quote { bid, bid_size: None, ask: None, ask_size: None };
                    market_time = market_time.max(time);
                    folding.publish([event(symbol, time, Payload::Quote(quote))]);
                }
                Step::Seek(target) => {
                    for symbol in &mut model {
                        symbol.seek(target);
                    }
                    market_time = target;
                    folding.seek(target);
                }
            }
            for (symbol, model) in SYMBOLS.iter().zip(&model) {
                for interval in BarInterval::ALL {
                    prop_assert_eq!(
                        folding.bars(symbol, interval),
                        model.bars(interval, market_time),
                        "{} {}", symbol, interval.name()
                    );
                }
            }
        }
    }
}
