//! The simulated feed: a market that can be repeated and rewound.
//!
//! The same seed, start and settings give the same events on every machine. A [profile](Profile) says which
//! model makes the events. The modules, in the order in which data flow through them:
//!
//! - The module `assembly` turns the settings and the `instruments` into a simulation.
//! - The modules `hours` and `minutes` divide market time into minutes of trading.
//! - The module `grid` walks the `path` of each symbol from minute to minute. The `factors` move the paths
//!   together.
//! - The module `ticker` makes the events of one symbol in one minute. It takes their times from `arrivals`,
//!   their prices from the `bridge` between two minutes, and the bids, asks and sizes from `quotes`.
//! - The module `simulation` merges the events of all symbols, and seeks.
//!
//! A symbol's path is its price as a function of market time. A path depends on the seed, the start, the
//! trading hours, and the symbol's own settings, but on no other symbol. The same holds for the symbol's
//! events if the symbol has its own rate.

mod arrivals;
mod assembly;
mod bridge;
mod config;
mod factors;
mod grid;
mod hours;
mod instrument;
mod instrument_text;
mod instruments;
mod minutes;
mod model;
mod path;
mod profile;
mod quotes;
mod random;
mod repeat;
mod simulation;
mod ticker;
mod well_known;

use super::error::FeedError;
use model::Model;

pub use config::Config;
pub use hours::{Hours, HoursError};
pub use instrument::Instrument;
pub use instruments::Instruments;
pub use profile::Profile;
pub use simulation::Simulation;

impl Simulation {
    /// Creates the simulation for a configuration. Without a seed or a start in the configuration, the seed
    /// is 0 and the start is 1970-01-01.
    ///
    /// # Errors
    ///
    /// Returns [`FeedError::Simulated`] if there is no symbol, if a symbol is there twice, or if a value is
    /// out of range.
    pub fn new(config: &Config) -> Result<Self, FeedError> {
        assembly::assemble(config, Model::REALISTIC)
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "the numbers that tests count are small")]
mod tests;
