//! Tests of the simulation.

mod events;
mod golden;
mod seeks;
mod statistics;
mod stylised_facts;

use super::assembly::assemble;
use super::hours::Hours;
use super::model::Model;
use super::{Config, Instrument, Profile, Simulation};
use crate::market::Event;

/// Returns a configuration from its TOML text. Without other values in the text, the seed is 7, and the start
/// is 2024-01-03T14:30:00Z.
fn config(text: &str) -> Config {
    let config: Config = toml::from_str(text).unwrap();
    let start = config.start.or(Some("2024-01-03T14:30:00Z".parse().unwrap()));
    Config { seed: config.seed.or(Some(7)), start, ..config }
}

/// Returns the first events of a simulation.
fn events(config: &Config, count: usize) -> Vec<Event> {
    Simulation::new(config).unwrap().take(count).collect()
}
