//! The speed of market time, and its text form in flags, in the configuration and in client requests.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The speed of market time: a factor such as `60` or `0.5`, or the word `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// The number of seconds of market time that pass in one second of real time. A parsed factor is from
    /// 0.000001 to 1000000.
    Factor(f64),
    /// Events are published without a schedule. The feed waits only for clients with `delivery=every`.
    Max,
}

/// The error for a text or number that is not a speed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a speed; a speed is {form}", form = Speed::FORM)]
pub struct SpeedError {
    found: String,
}

impl Speed {
    /// The accepted notations of a speed, for error messages.
    pub const FORM: &str = "a number from 0.000001 to 1000000, or max";

    fn new(factor: f64) -> Result<Self, SpeedError> {
        if (0.000_001..=1_000_000.0).contains(&factor) {
            Ok(Self::Factor(factor))
        } else {
            Err(SpeedError { found: factor.to_string() })
        }
    }
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let not_a_speed = || SpeedError { found: text.chars().take(64).collect() };
        text.parse()
            .map_err(|_| not_a_speed())
            .and_then(|factor| Self::new(factor).map_err(|_| not_a_speed()))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Factor(factor) => factor.fmt(f),
            Self::Max => f.write_str("max"),
        }
    }
}

impl Serialize for Speed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Writes a whole number without decimals: `60`, not `60.0`.
            Self::Factor(factor) => match factor.to_string().parse() {
                Ok(whole) => serializer.serialize_i64(whole),
                Err(_) => serializer.serialize_f64(*factor),
            },
            Self::Max => serializer.serialize_str("max"),
        }
    }
}

impl<'de> Deserialize<'de> for Speed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySpeed;

        impl Visitor<'_> for AnySpeed {
            type Value = Speed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Speed::FORM)
            }

            fn visit_f64<E: de::Error>(self, factor: f64) -> Result<Speed, E> {
                Speed::new(factor).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, factor: i64) -> Result<Speed, E> {
                factor.to_string().parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, factor: u64) -> Result<Speed, E> {
                factor.to_string().parse().map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Speed, E> {
                // A number in quotes is not a speed, here as in every other number of JSON and TOML.
                if text == "max" {
                    Ok(Speed::Max)
                } else {
                    Err(E::invalid_value(Unexpected::Str(text), &self))
                }
            }
        }

        deserializer.deserialize_any(AnySpeed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_read_as_it_is_written() {
        for text in ["1", "60", "0.5", "0.000001", "1000000", "max"] {
            assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "1e-7", "1000001", "1e300", "fast", "", "inf", "NaN", "MAX"] {
            let error = text.parse::<Speed>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}` is not a speed")), "{error}");
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        speed: Speed,
    }

    #[test]
    fn a_speed_in_toml_is_a_number_or_max_and_comes_back() {
        let read = |text: &str| toml::from_str::<Holder>(text).map(|holder| holder.speed);

        assert_eq!(read("speed = 60").unwrap(), Speed::Factor(60.0));
        assert_eq!(read("speed = 2.5").unwrap(), Speed::Factor(2.5));
        assert_eq!(read("speed = \"max\"").unwrap(), Speed::Max);
        for wrong in ["0", "1000001", "1e15", "1e-300", "\"10\"", "true"] {
            assert!(read(&format!("speed = {wrong}")).is_err(), "{wrong}");
        }
        for speed in [Speed::Factor(1.0), Speed::Factor(0.25), Speed::Max] {
            let text = toml::to_string(&Holder { speed }).unwrap();
            assert_eq!(read(&text).unwrap(), speed, "{text}");
        }
    }
}
