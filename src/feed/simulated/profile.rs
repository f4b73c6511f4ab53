//! The profiles: which model makes the prices and the times.

use serde::{Deserialize, Serialize};

/// The model that makes the prices and times of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Prices, spreads, sizes and bursts of events like those of a real market.
    Realistic,
    /// Geometric Brownian motion, at a constant rate of events.
    Gbm,
    /// A price that never changes, at a constant rate.
    Flat,
    /// A price that rises by a tick every 0.6 s for a minute and then falls back, at a constant rate.
    Saw,
    /// The n-th event of a symbol has the price of n ticks, at a constant rate.
    Step,
}

impl Profile {
    /// The accepted names, for error messages.
    pub const FORM: &str = "realistic, gbm, flat, saw or step";

    /// Returns the name of the profile, as in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realistic => "realistic",
            Self::Gbm => "gbm",
            Self::Flat => "flat",
            Self::Saw => "saw",
            Self::Step => "step",
        }
    }
}
