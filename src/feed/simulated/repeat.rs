//! The command line that repeats a simulation.

use std::borrow::Cow;

use super::config::Config;
use super::hours::Hours;
use super::instrument_text;
use super::instruments::Instruments;

impl Config {
    /// Returns the command line that starts the same simulation again. Settings without a flag are
    /// environment variables before the command. Settings that have their defaults are left out, but for the
    /// rate.
    #[must_use]
    pub fn command(&self) -> String {
        command(self)
    }
}

fn command(config: &Config) -> String {
    let default = Config::default();
    let variable = |name: &str, value: f64, default: f64| {
        (value.to_bits() != default.to_bits()).then(|| format!("TICKERPLANT_FEED__SIMULATED__{name}={value}"))
    };
    let lots = [config.lot, default.lot].map(|lot| f64::from(lot.get()));
    let variables = [
        variable("CORRELATION", config.correlation, default.correlation),
        variable("SECTOR_CORRELATION", config.sector_correlation, default.sector_correlation),
        variable("LOT", lots[0], lots[1]),
        variable("ODD_LOTS", config.odd_lots, default.odd_lots),
    ];
    let flag = |name: &str, value: String| format!("--{name} {}", quoted(&value));
    let flags = [
        Some(flag("feed", "simulated".to_owned())),
        Some(flag("profile", config.profile.name().to_owned())),
        config.seed.map(|seed| flag("seed", seed.to_string())),
        config.start.map(|start| flag("start", start.to_string())),
        Some(flag("rate", config.rate.to_string())),
        (config.session != Hours::AllDay).then(|| flag("session", config.session.to_string())),
        (config.symbols != default.symbols).then(|| flag("symbols", symbols(&config.symbols))),
    ];
    let words = variables.into_iter().chain([Some("tickerplant".to_owned())]).chain(flags);
    words.flatten().collect::<Vec<_>>().join(" ")
}

/// Returns the value of the flag `--symbols`. A lone number would be a number of symbols to invent, so a
/// comma follows a lone symbol that consists of digits.
fn symbols(instruments: &Instruments) -> String {
    match instruments {
        Instruments::Invented(count) => count.to_string(),
        Instruments::Named(list) => {
            let text = list.iter().map(instrument_text::text).collect::<Vec<_>>().join(",");
            if list.len() == 1 && text.contains(|c: char| c.is_ascii_digit()) { text + "," } else { text }
        }
    }
}

/// Returns a word as a shell needs it.
fn quoted(word: &str) -> Cow<'_, str> {
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_all_that_differs_from_the_defaults() {
        let of = |text: &str| command(&toml::from_str(text).unwrap());

        assert_eq!(
            of("seed = 7\nstart = \"2024-01-03T14:30:00Z\""),
            "tickerplant --feed simulated --profile realistic --seed 7 --start 2024-01-03T14:30:00Z --rate 100"
        );
        assert_eq!(
            of("profile = \"gbm\"\nrate = 5\ncorrelation = 0.5\nodd_lots = 0\nsymbols = [\"500\"]"),
            "TICKERPLANT_FEED__SIMULATED__CORRELATION=0.5 TICKERPLANT_FEED__SIMULATED__ODD_LOTS=0 \
             tickerplant --feed simulated --profile gbm --rate 5 --symbols '500,'"
        );
        assert_eq!(
            of("session = \"09:30-16:00 America/New_York\"\n\
                symbols = [{ name = \"A\", price = 1.5, sector = \"tech\" }, \"B\"]"),
            "tickerplant --feed simulated --profile realistic --rate 100 \
             --session '09:30-16:00 America/New_York' --symbols 'A:1.5@tech,B'"
        );
    }
}
