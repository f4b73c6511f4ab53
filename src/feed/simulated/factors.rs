//! What moves all symbols, or all symbols of a sector, in the same minute.

use super::model::Dynamics;
use super::random::{Key, Purpose, START};

/// The factors of the market and of the sectors.
#[derive(Clone, Debug)]
pub struct Factors {
    market: Key,
    sectors: Vec<Key>,
    /// The deviation of the common volatility, in standard deviations.
    pub volatility: f64,
}

/// The shocks of a minute. Each has a variance of one.
#[derive(Clone, Debug, Default)]
pub struct Shocks {
    /// The shock of the whole market.
    pub market: f64,
    /// The shock of each sector.
    pub sectors: Vec<f64>,
    /// The deviation of the common volatility in this minute.
    pub volatility: f64,
}

impl Factors {
    /// Creates the factors of a seed and of the sectors with these names.
    pub fn new(seed: u64, sectors: &[&str]) -> Self {
        // No symbol has an empty name, and no sector begins with a colon.
        let key = |name: &str| Key::new(seed, name, Purpose::Price);
        let sectors = sectors.iter().map(|sector| key(&format!(":{sector}"))).collect();
        let market = key("");
        let volatility = market.stream(START).normal();
        Self { market, sectors, volatility }
    }

    /// Draws the shocks of the minute with this number.
    pub fn step(&mut self, dynamics: &Dynamics, minute: u64, shocks: &mut Shocks) {
        let mut stream = self.market.stream(minute);
        let (shock, change) = stream.normals();
        shocks.market = stream.student(shock);
        shocks.volatility = self.volatility;
        self.volatility = dynamics.next_volatility(self.volatility, shocks.market, change);
        shocks.sectors.clear();
        shocks.sectors.extend(self.sectors.iter().map(|sector| {
            let mut stream = sector.stream(minute);
            let shock = stream.normal();
            stream.student(shock)
        }));
    }
}
