//! A simulated instrument: its name, and the values that are configured.

use std::fmt;
use std::ops::RangeInclusive;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::market::Symbol;

/// The range in which the prices of a simulated instrument must lie.
pub(super) const PRICES: RangeInclusive<f64> = 0.02..=10_000_000.0;

/// The range in which annual volatilities must lie.
const VOLATILITIES: RangeInclusive<f64> = 0.0..=10.0;

/// The range in which the rates of single instruments must lie.
const RATES: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// A simulated instrument. In config.toml, an instrument is written as a name, or as a table with the keys
/// `name`, `price`, `annual_volatility`, `rate` and `sector`. The command line has the text form
/// `NAME:PRICE:VOLATILITY:RATE@SECTOR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Instrument {
    /// The symbol under which the instrument is published.
    pub name: Symbol,
    /// The first price. `None` means the price of a well-known symbol, or else a random price, which depends
    /// on the seed and the name.
    pub price: Option<f64>,
    /// The standard deviation of the price changes of a year, as a fraction of the price. `None` has the
    /// same meaning as for the price.
    pub annual_volatility: Option<f64>,
    /// The mean number of events per second of market time. `None` means a part of the rate of all symbols.
    pub rate: Option<f64>,
    /// The sector, whose symbols move together. `None` means the sector of a well-known symbol, or none.
    pub sector: Option<String>,
}

impl Instrument {
    /// Creates an instrument of which only the name is configured.
    #[must_use]
    pub const fn named(name: Symbol) -> Self {
        Self { name, price: None, annual_volatility: None, rate: None, sector: None }
    }

    /// Returns an error text if a value is out of range. The error text begins with the instrument's name.
    pub(super) fn fault(&self) -> Option<String> {
        let ranges = [
            ("price", self.price, PRICES),
            ("annual volatility", self.annual_volatility, VOLATILITIES),
            ("rate", self.rate, RATES),
        ];
        let name = &self.name;
        for (what, value, range) in ranges {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                let (least, most) = (range.start(), range.end());
                return Some(format!("`{name}` has the {what} `{value}`; it is from {least} to {most}"));
            }
        }
        let is_word = |sector: &str| {
            (1..=32).contains(&sector.len())
                && sector.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        let sector = self.sector.as_deref().filter(|sector| !is_word(sector))?;
        Some(format!("`{name}` has the sector `{sector}`; a sector is 1 to 32 letters, digits, - and _"))
    }
}

impl Serialize for Instrument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::named(self.name.clone()) {
            return serializer.serialize_str(self.name.as_str());
        }
        let Self { name, price, annual_volatility, rate, sector } = self.clone();
        let name = name.as_str().to_owned();
        Table { name, price, annual_volatility, rate, sector, volatility: None }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Instrument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Instrument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a symbol or a table with its name")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Instrument, E> {
                name.parse().map(Instrument::named).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Instrument, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let Table { name, price, annual_volatility, rate, sector, volatility } = table;
                if volatility.is_some() {
                    return Err(de::Error::custom(format_args!(
                        "`{name}` has the key volatility, which was of a step; \
                         annual_volatility is of a year, e.g. 0.28"
                    )));
                }
                let name = name.parse().map_err(de::Error::custom)?;
                Ok(Instrument { name, price, annual_volatility, rate, sector })
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}

/// An instrument that config.toml gives as a table, not only as a name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annual_volatility: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sector: Option<String>,
    /// A key of earlier versions, which had another meaning.
    #[serde(default, skip_serializing)]
    volatility: Option<IgnoredAny>,
}
