//! The simulated feed: a seeded random walk for each symbol, with quotes and trades at evenly spaced times.
//!
//! A symbol's path is the sequence of its quotes and trades, regardless of their times. A path depends only
//! on the seed, and on the symbol's name and settings. Two things affect only the times of a symbol's quotes
//! and trades: the rate of events, and the other symbols.

use std::collections::HashSet;
use std::num::NonZeroU32;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::error::FeedError;
use super::instruments::PRICES;
use crate::market::{Event, Payload, Price, Quote, Size, Symbol, Time, Trade};
use crate::range::{self, Check, MILLION};

pub use super::instruments::{Instrument, Instruments};

/// The number of decimals of a price: a tick is 0.01.
const DECIMALS: u32 = 2;
/// The number of ticks in one unit of the currency.
const TICKS: f64 = 100.0;
/// The average number of trades among ten events of a symbol.
const TRADES_IN_TEN: u32 = 4;

/// The settings of the simulation (`[feed.simulated]` in config.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The model that makes the prices and times.
    pub profile: Profile,
    /// The number of events per second of market time, for all symbols together.
    pub rate: NonZeroU32,
    /// The seed of the random numbers. The same seed gives the same quotes and trades.
    pub seed: u64,
    /// The market time of the first event. The default is the wall-clock time of the first event.
    #[serde(with = "time_as_text")]
    pub start: Option<Time>,
    /// The simulated instruments, or the number of instruments to invent. The name of each instrument must be
    /// unique.
    pub symbols: Instruments,
}

/// The model that makes the prices and times of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A random walk for each symbol, whose events are evenly spaced. Tests and benchmarks need this constant
    /// load.
    Gbm,
}

/// The endless events of the simulation: the interleaved paths of all symbols.
#[derive(Debug)]
pub struct Walk {
    paths: Vec<Path>,
    /// The random generator that draws the symbol of the next event.
    order: ChaCha8Rng,
    /// The time of the first event. If the configuration has no start, the first event sets this field.
    start: Option<Time>,
    rate: u32,
    /// The number of events produced so far.
    count: u64,
}

/// The path of one symbol: the random walk that makes the symbol's quotes and trades.
#[derive(Debug)]
struct Path {
    symbol: Symbol,
    rng: ChaCha8Rng,
    /// The current price of the random walk, around which bids and asks are made.
    fair: f64,
    volatility: f64,
    /// The best bid and ask in ticks; `None` before the first quote.
    book: Option<(i64, i64)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::Gbm,
            rate: NonZeroU32::new(100).expect("the default is not zero"),
            seed: 42,
            start: None,
            symbols: Instruments::default(),
        }
    }
}

impl Config {
    /// Returns a check for each number and time in the section `[feed.simulated]` of the configuration.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            range::text("profile", "gbm", true),
            range::whole_number("rate", self.rate.get(), 1..=MILLION),
            // The maximum is TOML's largest whole number.
            range::whole_number("seed", self.seed, 0..=i64::MAX.unsigned_abs()),
            range::text("start", "a time such as 2024-01-03T14:30:00Z", true),
        ]
    }
}

impl Walk {
    /// Creates the random walk for a configuration.
    ///
    /// # Errors
    ///
    /// Returns [`FeedError::Simulated`] if there is no symbol, if a symbol is there twice, or if a price or a
    /// volatility is out of range.
    pub fn new(config: &Config) -> Result<Self, FeedError> {
        let fault = |fault| FeedError::Simulated { key: "symbols", fault };
        let instruments = config.symbols.list();
        if instruments.is_empty() {
            return Err(fault("there is none".to_owned()));
        }
        let mut names = HashSet::new();
        for instrument in &*instruments {
            if !names.insert(&instrument.name) {
                return Err(fault(format!("`{}` is there twice", instrument.name)));
            }
            if let Some(found) = instrument.fault() {
                return Err(fault(found));
            }
        }
        Ok(Self {
            paths: instruments.iter().map(|instrument| Path::new(config.seed, instrument)).collect(),
            order: rng(config.seed, ""),
            start: config.start,
            rate: config.rate.get(),
            count: 0,
        })
    }

    /// Returns the symbols.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.paths.iter().map(|path| &path.symbol)
    }

    /// Returns the path that makes the next event. At first, each path makes one event, so that every symbol
    /// soon has a quote. After these first events, paths are drawn at random.
    fn next_path(&mut self) -> &mut Path {
        let index = match usize::try_from(self.count) {
            Ok(count) if count < self.paths.len() => count,
            _ => self.order.random_range(0..self.paths.len()),
        };
        &mut self.paths[index]
    }

    /// Returns the time of the next event, `start + count / rate`. The result is exact to the nanosecond for
    /// any count.
    fn next_time(&mut self) -> Time {
        let nanos = u128::from(self.count) * 1_000_000_000 / u128::from(self.rate);
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        let start = *self.start.get_or_insert_with(Time::now);
        Time::from_nanos(start.as_nanos().saturating_add(nanos))
    }
}

impl Iterator for Walk {
    type Item = Event;

    /// Returns the next event; never `None`.
    fn next(&mut self) -> Option<Event> {
        let time = self.next_time();
        let path = self.next_path();
        let event = Event { symbol: path.symbol.clone(), time, payload: path.step() };
        self.count += 1;
        Some(event)
    }
}

impl Path {
    fn new(seed: u64, instrument: &Instrument) -> Self {
        let mut rng = rng(seed, instrument.name.as_str());
        let drawn_price = 10.0 * 50_f64.powf(rng.random());
        let drawn_volatility = rng.random_range(0.000_1..0.000_4);
        Self {
            symbol: instrument.name.clone(),
            rng,
            fair: instrument.price.unwrap_or(drawn_price),
            volatility: instrument.volatility.unwrap_or(drawn_volatility),
            book: None,
        }
    }

    /// Makes the next quote or trade. The first event of a path is a quote, because the price of a trade is
    /// the bid or the ask of an earlier quote.
    fn step(&mut self) -> Payload {
        let is_trade = self.rng.random_ratio(TRADES_IN_TEN, 10);
        match self.book {
            Some(book) if is_trade => Payload::Trade(self.trade(book)),
            _ => Payload::Quote(self.quote()),
        }
    }

    fn quote(&mut self) -> Quote {
        if self.book.is_some() {
            let step: f64 = self.rng.sample(StandardNormal);
            self.fair = (self.fair * (1.0 + self.volatility * step)).clamp(*PRICES.start(), *PRICES.end());
        }
        let fair = ticks(self.fair);
        let spread = self.rng.random_range(1..=3 + fair / 10_000);
        let bid = (fair - spread / 2).max(1);
        let ask = bid + spread;
        self.book = Some((bid, ask));
        Quote {
            bid: Some(price(bid)),
            bid_size: Some(round_lots(&mut self.rng)),
            ask: Some(price(ask)),
            ask_size: Some(round_lots(&mut self.rng)),
        }
    }

    fn trade(&mut self, (bid, ask): (i64, i64)) -> Trade {
        let paid = if self.rng.random() { ask } else { bid };
        let size = if self.rng.random_ratio(7, 10) {
            round_lots(&mut self.rng)
        } else {
            shares(self.rng.random_range(1..100))
        };
        Trade { price: price(paid), size: Some(size) }
    }
}

#[cfg(test)]
impl Walk {
    /// Creates a walk that panics at its first event, because the walk has no symbols.
    pub(super) fn broken() -> Self {
        Self { paths: Vec::new(), ..Self::new(&Config::default()).unwrap() }
    }
}

/// Creates the random generator for a name. The generator is a `ChaCha8`, whose key consists of the seed and
/// the hash of the name.
fn rng(seed: u64, name: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&fnv1a(name).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Returns the 64-bit FNV-1a hash of a text. The standard library's hash is not used here: a new release may
/// change it, and would thereby change the simulated prices.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Draws a random size from 100 to 2,000 shares, in lots of 100.
fn round_lots(rng: &mut impl Rng) -> Size {
    shares(rng.random_range(1..=20) * 100)
}

fn shares(count: i64) -> Size {
    Size(Decimal::from(count))
}

fn price(ticks: i64) -> Price {
    Price(Decimal::new(ticks, DECIMALS))
}

#[expect(clippy::cast_possible_truncation, reason = "prices are bounded far below 2^53 ticks")]
fn ticks(price: f64) -> i64 {
    (price * TICKS).round() as i64
}

/// Reads and writes a time of the configuration as a text in RFC 3339.
mod time_as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::market::Time;

    #[expect(clippy::ref_option, reason = "serde hands out the field by reference")]
    pub fn serialize<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(names: &[&str], rate: u32) -> Config {
        Config {
            symbols: names.iter().map(|name| Instrument::named(name.parse().unwrap())).collect(),
            rate: NonZeroU32::new(rate).unwrap(),
            start: Some("2024-01-03T14:30:00Z".parse().unwrap()),
            ..Config::default()
        }
    }

    fn events(config: &Config, count: usize) -> Vec<Event> {
        Walk::new(config).unwrap().take(count).collect()
    }

    fn path_of(name: &str, events: &[Event]) -> Vec<Payload> {
        let own = events.iter().filter(|event| event.symbol.as_str() == name);
        own.map(|event| event.payload.clone()).take(100).collect()
    }

    #[test]
    fn the_same_settings_give_the_same_events() {
        let config = config(&["AAPL", "MSFT"], 100);

        assert_eq!(events(&config, 1000), events(&config, 1000));
        assert_ne!(events(&config, 1000), events(&Config { seed: 43, ..config }, 1000));
    }

    #[test]
    fn a_symbols_path_does_not_depend_on_the_others_nor_on_the_rate() {
        let alone = path_of("AAPL", &events(&config(&["AAPL"], 1), 100));

        let among_others = path_of("AAPL", &events(&config(&["MSFT", "AAPL", "SPY"], 50_000), 1000));

        assert_eq!(alone.len(), 100);
        assert_eq!(alone, among_others);
    }

    #[test]
    fn times_lie_on_an_exact_grid() {
        let events = events(&config(&["AAPL"], 3), 7);

        let times: Vec<_> = events.iter().map(|event| event.time.to_string()).collect();

        assert_eq!(times[1], "2024-01-03T14:30:00.333333333Z");
        assert_eq!(times[3], "2024-01-03T14:30:01Z");
        assert_eq!(times[6], "2024-01-03T14:30:02Z");
    }

    #[test]
    fn every_symbol_has_a_quote_before_any_comes_again() {
        let events = events(&config(&["A", "B", "C"], 10), 3);

        let first: Vec<_> = events.iter().map(|event| event.symbol.as_str()).collect();

        assert_eq!(first, ["A", "B", "C"]);
        assert!(events.iter().all(|event| matches!(event.payload, Payload::Quote(_))));
    }

    #[test]
    fn trades_print_at_the_bid_or_the_offer_and_prices_stay_whole_ticks() {
        let penny = Instrument {
            price: Some(0.03),
            volatility: Some(0.1),
            ..Instrument::named("PENNY".parse().unwrap())
        };
        let config = Config { symbols: Instruments::Named(vec![penny]), ..config(&[], 10) };
        let mut book = None;

        for event in events(&config, 5000) {
            match event.payload {
                Payload::Quote(Quote { bid: Some(bid), ask: Some(ask), .. }) => {
                    assert!(price(1) <= bid && bid < ask, "{bid} {ask}");
                    assert_eq!(bid.0.scale(), DECIMALS);
                    book = Some((bid, ask));
                }
                Payload::Trade(trade) => {
                    let (bid, ask) = book.unwrap();
                    assert!(trade.price == bid || trade.price == ask);
                    assert!(trade.size.unwrap().0 >= Decimal::ONE);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_errors_by_name() {
        let message = |config: &Config| Walk::new(config).unwrap_err().to_string();
        let with = |price, volatility| {
            let instrument = Instrument { name: "AAPL".parse().unwrap(), price, volatility };
            Config { symbols: Instruments::Named(vec![instrument]), ..Config::default() }
        };

        assert_eq!(message(&config(&[], 1)), "feed.simulated.symbols: there is none");
        assert_eq!(message(&config(&["A", "B", "A"], 1)), "feed.simulated.symbols: `A` is there twice");
        assert!(message(&with(Some(0.0), None)).contains("`AAPL` has the price `0`"));
        assert!(message(&with(None, Some(f64::NAN))).contains("`AAPL` has the volatility `NaN`"));
    }

    #[test]
    fn an_instrument_in_toml_is_a_name_or_a_table_and_comes_back() {
        let text = r#"
            symbols = ["AAPL", { name = "MSFT", price = 402.5 }]
            start = "2024-01-03T14:30:00Z"
        "#;

        let config: Config = toml::from_str(text).unwrap();

        assert_eq!(config.symbols.list()[0], Instrument::named("AAPL".parse().unwrap()));
        assert_eq!(config.symbols.list()[1].price, Some(402.5));
        let again = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&again).unwrap(), config, "{again}");
        let typo = toml::from_str::<Config>(r#"symbols = [{ name = "A", prize = 1 }]"#).unwrap_err();
        assert!(typo.to_string().contains("unknown field `prize`"), "{typo}");
    }
}
