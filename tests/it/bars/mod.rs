//! Tests of the bars: the fold of trades, derived bars, seeks and eviction, called step by step without a
//! runtime. The last file tests the task that reads the log.

mod eviction;
mod random_trades;
mod rules;
mod task;

use std::sync::Arc;

use tickerplant::bars::{BarInterval, Config, Fold, ServedBar};
use tickerplant::bus::{self, Bus, LastValueCache, Reader};
use tickerplant::market::{Bar, Event, FeedKind, FeedState, Payload, Time, Trade};

/// A bus, and a fold that reads the bus.
struct Folding {
    bus: Arc<Bus>,
    reader: Reader,
    fold: Fold,
}

impl Folding {
    fn start(config: Config) -> Self {
        let bus = Bus::new(&bus::Config::default(), FeedKind::Replay, "test".to_owned());
        let (reader, checkpoint) = bus.reader("bars");
        let fold = Fold::new(config, &checkpoint);
        Self { bus, reader, fold }
    }

    fn publish(&mut self, events: impl IntoIterator<Item = Event>) {
        self.bus.publish(events.into_iter().collect());
        self.read();
    }

    fn seek(&mut self, target: Time) {
        self.bus.seek(LastValueCache::at(self.bus.head()), target, FeedState::Running);
        self.read();
    }

    fn read(&mut self) {
        while let Some(read) = self.reader.try_next() {
            self.fold.apply(&read);
        }
    }

    fn bars(&self, symbol: &str, interval: BarInterval) -> Vec<ServedBar> {
        let bars = self.fold.get(&symbol.parse().unwrap());
        bars.map_or_else(Vec::new, |bars| bars.bars(interval, self.fold.market_time()))
    }

    /// Returns the bars of a symbol as texts, e.g. `14:30:00 1 3 1 2 x30 partial`.
    fn texts(&self, symbol: &str, interval: &str) -> Vec<String> {
        let bars = self.bars(symbol, BarInterval::from_name(interval).unwrap());
        bars.iter().map(text).collect()
    }
}

/// Returns a bar as a text: the time of day, the prices, the volume, and whether the bar is partial.
fn text(ServedBar { start, bar, is_partial }: &ServedBar) -> String {
    let Bar { open, high, low, close, volume, .. } = bar;
    let prices = [*open, *high, *low, Some(*close)];
    let prices = prices.map(|price| price.map_or_else(|| "-".to_owned(), |price| price.to_string()));
    let volume = volume.map_or_else(String::new, |volume| format!(" x{volume}"));
    let partial = if *is_partial { " partial" } else { "" };
    format!("{} {}{volume}{partial}", &start.to_string()[11..19], prices.join(" "))
}

/// Returns the moment with this time of day, e.g. `14:30:00.5`.
fn at(time: &str) -> Time {
    format!("2024-01-03T{time}Z").parse().unwrap()
}

fn trade(time: &str, price: &str, size: &str) -> Event {
    let size = (!size.is_empty()).then(|| size.parse().unwrap());
    let trade = Trade { price: price.parse().unwrap(), size };
    Event { symbol: "A".parse().unwrap(), time: at(time), payload: Payload::Trade(trade) }
}

/// Returns a bar of a feed. The empty interval stands for a source that states no interval.
fn bar(time: &str, interval: &str, prices: [&str; 4], volume: &str) -> Event {
    let [open, high, low, close] = prices.map(|price| price.parse().unwrap());
    let interval = (!interval.is_empty()).then(|| interval.parse().unwrap());
    let volume = Some(volume.parse().unwrap());
    let bar = Bar { interval, open: Some(open), high: Some(high), low: Some(low), close, volume };
    Event { symbol: "A".parse().unwrap(), time: at(time), payload: Payload::Bar(bar) }
}
