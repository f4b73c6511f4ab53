//! Well-known symbols, with plausible prices and volatilities.

/// What is known of a symbol.
#[derive(Clone, Copy, Debug)]
pub struct WellKnown {
    /// The symbol.
    pub name: &'static str,
    /// A plausible price.
    pub price: f64,
    /// A plausible annual volatility.
    pub volatility: f64,
    /// How often the symbol is traded, compared with the others.
    pub weight: f64,
    /// The sector; empty for a fund of the whole market.
    pub sector: &'static str,
}

/// The symbols of a simulation without configured symbols.
pub const WELL_KNOWN: [WellKnown; 30] = [
    of("AAPL", 189.50, 0.26, 9.0, "tech"),
    of("MSFT", 402.25, 0.23, 7.0, "tech"),
    of("NVDA", 131.40, 0.48, 12.0, "chips"),
    of("AMZN", 178.10, 0.30, 7.0, "retail"),
    of("GOOGL", 152.75, 0.28, 6.0, "tech"),
    of("META", 484.60, 0.35, 5.0, "tech"),
    of("TSLA", 201.30, 0.58, 11.0, "cars"),
    of("JPM", 183.90, 0.22, 3.0, "banks"),
    of("XOM", 104.15, 0.24, 3.0, "energy"),
    of("SPY", 498.20, 0.15, 14.0, ""),
    of("QQQ", 428.60, 0.19, 9.0, ""),
    of("IWM", 199.45, 0.21, 4.0, ""),
    of("AMD", 172.30, 0.46, 6.0, "chips"),
    of("AVGO", 126.80, 0.40, 4.0, "chips"),
    of("INTC", 43.15, 0.38, 4.0, "chips"),
    of("NFLX", 582.90, 0.33, 2.0, "media"),
    of("DIS", 111.60, 0.27, 2.0, "media"),
    of("BAC", 34.25, 0.27, 4.0, "banks"),
    of("V", 276.70, 0.19, 2.0, "banks"),
    of("MA", 462.40, 0.20, 1.5, "banks"),
    of("CVX", 152.30, 0.23, 2.0, "energy"),
    of("UNH", 524.60, 0.24, 1.5, "health"),
    of("LLY", 742.80, 0.31, 1.5, "health"),
    of("JNJ", 157.90, 0.16, 1.5, "health"),
    of("PFE", 27.65, 0.25, 3.0, "health"),
    of("WMT", 59.20, 0.18, 2.5, "retail"),
    of("COST", 726.10, 0.20, 1.0, "retail"),
    of("KO", 60.35, 0.14, 2.0, "food"),
    of("PEP", 169.80, 0.15, 1.5, "food"),
    of("F", 12.20, 0.36, 3.0, "cars"),
];

const fn of(name: &'static str, price: f64, volatility: f64, weight: f64, sector: &'static str) -> WellKnown {
    WellKnown { name, price, volatility, weight, sector }
}

/// Returns what is known of a symbol.
pub fn find(name: &str) -> Option<&'static WellKnown> {
    WELL_KNOWN.iter().find(|known| known.name == name)
}
