//! Assembles the simulation from its settings.

use std::collections::HashSet;

use super::arrivals::{Arrivals, Beat};
use super::config::Config;
use super::factors::Factors;
use super::grid::Setup;
use super::hours::Hours;
use super::instrument::{Instrument, PRICES};
use super::model::{Dynamics, Model};
use super::path::{Loads, Motion, Traits};
use super::profile::Profile;
use super::quotes::{Sizes, Tick};
use super::random::{Key, Purpose};
use super::simulation::Simulation;
use super::ticker::{Prices, Ticker};
use super::well_known::{self, WellKnown};
use crate::feed::error::FeedError;

/// The share of events that are trades.
const TRADES: f64 = 0.4;

/// An instrument whose values are all known.
struct Known<'a> {
    instrument: &'a Instrument,
    price: f64,
    volatility: f64,
    weight: f64,
    sector: Option<&'a str>,
}

/// Assembles the simulation from its settings. Without a seed or a start, these are 0 and 1970-01-01.
///
/// # Errors
///
/// Returns [`FeedError::Simulated`] if there is no symbol, if a symbol is there twice, or if a value is out
/// of range.
pub fn assemble(config: &Config, model: Model) -> Result<Simulation, FeedError> {
    let instruments = config.symbols.list();
    check(config, &instruments)?;
    let seed = config.seed.unwrap_or(0);
    let start = config.start.unwrap_or_default();
    let known: Vec<Known<'_>> = instruments.iter().map(|instrument| Known::new(seed, instrument)).collect();
    let rates = rates(config.rate.get().into(), &known)?;
    let mut sectors: Vec<&str> = known.iter().filter_map(|known| known.sector).collect();
    sectors.sort_unstable();
    sectors.dedup();
    let dynamics = Dynamics::new(model);
    let traits = known.iter().map(|known| traits(config, &dynamics, seed, known, &sectors)).collect();
    let mut tickers = tickers(config, &model, seed, start.as_nanos(), &known, &rates);
    set_beats(config, seed, start.as_nanos(), &known, &mut tickers);
    let setup = Setup { dynamics, hours: config.session.clone(), traits };
    let sizes = Sizes::new(config.lot.get(), config.odd_lots);
    Ok(Simulation::begin(setup, Factors::new(seed, &sectors), sizes, tickers, start))
}

/// Checks what the checks of single settings do not see.
fn check(config: &Config, instruments: &[Instrument]) -> Result<(), FeedError> {
    let fault = |fault| FeedError::Simulated { key: "symbols", fault };
    if instruments.is_empty() {
        return Err(fault("there is none".to_owned()));
    }
    let mut names = HashSet::new();
    for instrument in instruments {
        if !names.insert(&instrument.name) {
            return Err(fault(format!("`{}` is there twice", instrument.name)));
        }
        if let Some(found) = instrument.fault() {
            return Err(fault(found));
        }
    }
    if config.session != Hours::AllDay && config.profile != Profile::Realistic {
        let fault = format!("the profile {} trades all day, so it is 24h", config.profile.name());
        return Err(FeedError::Simulated { key: "session", fault });
    }
    Ok(())
}

impl<'a> Known<'a> {
    fn new(seed: u64, instrument: &'a Instrument) -> Self {
        let mut stream = Key::new(seed, instrument.name.as_str(), Purpose::Traits).stream(0);
        let drawn_price = 10.0 * libm::pow(50.0, stream.uniform());
        let drawn_volatility = 0.15 + 0.45 * stream.uniform();
        let drawn_weight = libm::exp(0.8 * stream.normal());
        let known = well_known::find(instrument.name.as_str());
        let or =
            |given: Option<f64>, of: fn(&WellKnown) -> f64, drawn| given.or(known.map(of)).unwrap_or(drawn);
        let sector = instrument.sector.as_deref().or(known.map(|known| known.sector));
        Self {
            instrument,
            price: or(instrument.price, |known| known.price, drawn_price),
            volatility: or(instrument.annual_volatility, |known| known.volatility, drawn_volatility),
            weight: or(None, |known| known.weight, drawn_weight),
            sector: sector.filter(|sector| !sector.is_empty()),
        }
    }

    fn key(&self, seed: u64, purpose: Purpose) -> Key {
        Key::new(seed, self.instrument.name.as_str(), purpose)
    }
}

/// Returns the mean number of events per second of each symbol. The symbols without a rate of their own
/// share, by their weights, what is left of the rate of all symbols.
fn rates(all: f64, known: &[Known<'_>]) -> Result<Vec<f64>, FeedError> {
    let own: f64 = known.iter().filter_map(|known| known.instrument.rate).sum();
    let others = known.iter().filter(|known| known.instrument.rate.is_none());
    let weights: f64 = others.map(|known| known.weight).sum();
    if weights > 0.0 && own >= all {
        let fault = format!("the rates of single symbols add up to {own}, and feed.simulated.rate is {all}");
        return Err(FeedError::Simulated { key: "symbols", fault });
    }
    let share = |known: &Known<'_>| known.instrument.rate.unwrap_or((all - own) * known.weight / weights);
    Ok(known.iter().map(share).collect())
}

fn traits(config: &Config, dynamics: &Dynamics, seed: u64, known: &Known<'_>, sectors: &[&str]) -> Traits {
    let (minutes, minutes_of_a_day) = config.session.minutes();
    let variance = known.volatility * known.volatility;
    let motion = match config.profile {
        Profile::Flat | Profile::Saw | Profile::Step => Motion::Still,
        Profile::Gbm => Motion::Brownian((variance / minutes).sqrt()),
        Profile::Realistic => {
            let has_nights = config.session != Hours::AllDay;
            let gap_share = if has_nights { dynamics.model.gap_share } else { 0.0 };
            // Own volatilities and jumps make the correlation of two symbols less than that of their shocks.
            let model = &dynamics.model;
            let own_variance = model.volatility_sd * model.volatility_sd * (1.0 - model.common_volatility);
            let loss = libm::exp(-own_variance) * (1.0 - dynamics.jump_share);
            let market = (config.correlation / loss).min(1.0);
            let both = (config.sector_correlation / loss).min(1.0).max(market);
            let sector = known.sector.and_then(|sector| sectors.binary_search(&sector).ok());
            let sector = sector.map(|sector| (sector, (both - market).sqrt()));
            Motion::Realistic(Loads {
                sd: (variance * (1.0 - gap_share) / minutes).sqrt(),
                gap_sd: (variance * gap_share * minutes_of_a_day / minutes).sqrt(),
                market: market.sqrt(),
                own: (1.0 - if sector.is_some() { both } else { market }).sqrt(),
                sector,
            })
        }
    };
    let price = known.price.clamp(*PRICES.start(), *PRICES.end());
    Traits { key: known.key(seed, Purpose::Price), home: libm::log(price), motion }
}

fn tickers(
    config: &Config,
    model: &Model,
    seed: u64,
    start: i64,
    known: &[Known<'_>],
    rates: &[f64],
) -> Vec<Ticker> {
    let ticker = |(known, rate): (&Known<'_>, &f64)| {
        let tick = Tick::of(known.price);
        let home = tick.nearest(known.price);
        let trades_of_a_minute = TRADES * 60.0 * rate;
        let prices = match config.profile {
            Profile::Realistic | Profile::Gbm => Prices::Quoted {
                half_spread: model.half_spread / trades_of_a_minute.sqrt(),
                side_change: part_of_65536(model.side_change),
                has_bounce: model.has_bounce,
                has_opening_quote: config.profile == Profile::Realistic,
            },
            Profile::Flat => Prices::Flat(home),
            Profile::Saw => Prices::Saw(home),
            Profile::Step => Prices::Step,
        };
        let key = |purpose| known.key(seed, purpose);
        let arrivals =
            Arrivals::Bursty { key: key(Purpose::Times), mean: 60.0 * rate, has_bursts: model.has_bursts };
        let keys = [key(Purpose::Bridge), key(Purpose::Marks)];
        Ticker { symbol: known.instrument.name.clone(), tick, arrivals, prices, keys, start }
    };
    known.iter().zip(rates).map(ticker).collect()
}

/// Gives the symbols of all profiles but `realistic` evenly spaced times. The symbols without a rate of their
/// own share a beat.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are far below 2^53")]
fn set_beats(config: &Config, seed: u64, start: i64, known: &[Known<'_>], tickers: &mut [Ticker]) {
    if config.profile == Profile::Realistic {
        return;
    }
    let own = |known: &Known<'_>| known.instrument.rate.map(|rate| (rate * 1000.0).round() as u64);
    let own_rates: u64 = known.iter().filter_map(own).sum();
    let shared_rate = (u64::from(config.rate.get()) * 1000).saturating_sub(own_rates).max(1);
    let symbols = known.iter().filter(|known| own(known).is_none()).count() as u64;
    let mut places = 0..;
    for (ticker, known) in tickers.iter_mut().zip(known) {
        let beat = if let Some(rate) = own(known) {
            Beat { key: known.key(seed, Purpose::Times), start, symbols: 1, place: 0, rate }
        } else {
            let key = Key::new(seed, "", Purpose::Times);
            let place = places.next().expect("the range is endless");
            Beat { key, start, symbols, place, rate: shared_rate }
        };
        ticker.arrivals = Arrivals::Even(beat);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a probability is from 0 to 1")]
fn part_of_65536(probability: f64) -> u64 {
    (probability * 65_536.0) as u64
}
