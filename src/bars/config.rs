//! How many bars, and how many bytes of bars, the server keeps in memory.

use serde::{Deserialize, Serialize};

use crate::range::{self, Check, MILLION};

/// How many bars, and how many bytes of bars, the server keeps in memory (`[bars]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The maximum number of one-second bars of a symbol.
    pub seconds: usize,
    /// The maximum number of one-minute bars of a symbol. The same maximum applies to the longer bars that a
    /// feed publishes.
    pub minutes: usize,
    /// The maximum size of the bars of all symbols, in bytes.
    pub bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { seconds: 900, minutes: 4320, bytes: 256 * 1024 * 1024 }
    }
}

impl Config {
    /// Returns the checks of the values in the `[bars]` section.
    pub(crate) fn checks(&self) -> Vec<Check> {
        vec![
            range::whole_number("seconds", self.seconds, 1..=MILLION as usize),
            range::whole_number("minutes", self.minutes, 1..=MILLION as usize),
            range::whole_number("bytes", self.bytes, 1..=1 << 40),
        ]
    }
}
