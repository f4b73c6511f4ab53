//! The instruments of a simulation: either a configured list of instruments, or a number of instruments with
//! invented names.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::instrument::Instrument;
use super::instrument_text;
use super::well_known::WELL_KNOWN;
use crate::market::Symbol;

/// The letters from which the names of invented instruments are made. There are no vowels, so that no name is
/// a word. Each of the 16 letters stands for four bits of an instrument's number.
const LETTERS: &[u8; 16] = b"BCDGHJLMPQRTVWXZ";

/// The maximum number of invented instruments. The 16 letters give only this many names of four letters.
const MAX_INVENTED: u32 = 1 << 16;

/// The setting that chooses the instruments of a simulation.
///
/// In config.toml, the value is a list of instruments, or the number of instruments to invent. On the command
/// line, the value is a text such as `500` or `AAPL:185.5:0.28,MSFT`. In such a text, digits are a name, not
/// a number of instruments, if they end with a comma (`500,`) or begin with a zero (`005930`). A number with
/// a sign, a point or an exponent is an error (`1.5`), unless a comma follows (`1.5,`).
#[derive(Clone, Debug, PartialEq)]
pub enum Instruments {
    /// A list of instruments with configured names.
    Named(Vec<Instrument>),
    /// The number of instruments to invent. The invented names always come from the same list, in the same
    /// order.
    Invented(u32),
}

impl Instruments {
    /// Returns the list of instruments.
    #[must_use]
    pub fn list(&self) -> Cow<'_, [Instrument]> {
        match self {
            Self::Named(instruments) => instruments.into(),
            Self::Invented(count) => (0..*count).map(|n| Instrument::named(invented_name(n))).collect(),
        }
    }

    /// Returns the number of instruments.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Named(instruments) => instruments.len(),
            Self::Invented(count) => *count as usize,
        }
    }

    /// Returns the setting for `count` invented instruments. If `count` is out of range, the error text also
    /// tells the user how to write a symbol whose name is this number. `as_name` is this notation.
    fn invented<E: de::Error>(
        count: impl Copy + Display + TryInto<u32>,
        as_name: impl Display,
    ) -> Result<Self, E> {
        match count.try_into() {
            Ok(valid @ 1..=MAX_INVENTED) => Ok(Self::Invented(valid)),
            _ => Err(Self::not_a_count(count, as_name)),
        }
    }

    fn not_a_count<E: de::Error>(found: impl Display, as_name: impl Display) -> E {
        E::custom(format_args!(
            "`{found}` is not a number of symbols from 1 to {MAX_INVENTED}; \
             a symbol with this name is written {as_name}"
        ))
    }
}

impl Default for Instruments {
    fn default() -> Self {
        let named = |name: &str| Instrument::named(name.parse().expect("well-known names are symbols"));
        WELL_KNOWN.iter().map(|known| named(known.name)).collect()
    }
}

impl FromIterator<Instrument> for Instruments {
    fn from_iter<I: IntoIterator<Item = Instrument>>(instruments: I) -> Self {
        Self::Named(instruments.into_iter().collect())
    }
}

/// Returns the name of the invented instrument with the number `n`. Because `n` is multiplied by an odd
/// number, each `n` below [`MAX_INVENTED`] gets a different name.
fn invented_name(n: u32) -> Symbol {
    let bits = n.wrapping_mul(40_503).wrapping_add(27_189);
    let letter = |place: u32| char::from(LETTERS[(bits >> (4 * place) & 15) as usize]);
    let name: String = (0..4).rev().map(letter).collect();
    name.parse().expect("four letters are a symbol")
}

impl Serialize for Instruments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(instruments) => instruments.serialize(serializer),
            Self::Invented(count) => serializer.serialize_u32(*count),
        }
    }
}

impl<'de> Deserialize<'de> for Instruments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrCount;

        impl<'de> Visitor<'de> for ListOrCount {
            type Value = Instruments;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of symbols, or a number of symbols to invent")
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Instruments, E> {
                Instruments::invented(count, format_args!("[\"{count}\"]"))
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Instruments, E> {
                Instruments::invented(count, format_args!("[\"{count}\"]"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instruments, E> {
                let text = text.trim();
                let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                if is_number && (!text.starts_with('0') || text == "0") {
                    let count = text.parse().unwrap_or(u64::MAX);
                    return Instruments::invented(count, format_args!("`{text},`"));
                }
                // Texts such as `-5` and `1e3` are probably mistyped numbers.
                let has_digit = text.contains(|c: char| c.is_ascii_digit());
                if !is_number && has_digit && text.parse::<f64>().is_ok() {
                    return Err(Instruments::not_a_count(text, format_args!("`{text},`")));
                }
                let names = text.strip_suffix(',').unwrap_or(text).split(',');
                names.map(|text| instrument_text::parse(text.trim()).map_err(E::custom)).collect()
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Instruments, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Instruments::Named)
            }
        }

        deserializer.deserialize_any(ListOrCount)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    fn of_text(text: &str) -> Result<Instruments, String> {
        let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
        Instruments::deserialize(deserializer).map_err(|error| error.to_string())
    }

    fn names(instruments: &Instruments) -> Vec<String> {
        instruments.list().iter().map(|instrument| instrument.name.to_string()).collect()
    }

    #[test]
    fn invented_names_are_distinct_and_more_of_them_begin_with_the_same() {
        let all = names(&Instruments::Invented(MAX_INVENTED));

        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 65_536);
        assert_eq!(names(&Instruments::Invented(10)), all[..10]);
        assert_eq!(all[..3], ["LRGJ", "BPLV", "RLRG"]);
    }

    #[test]
    fn a_lone_number_is_a_count_and_anything_else_is_names() {
        for (text, count) in [("1", 1), ("500", 500), (" 65536 ", 65_536)] {
            assert_eq!(of_text(text), Ok(Instruments::Invented(count)), "{text}");
        }
        for (text, expected) in [
            ("500,", &["500"][..]),
            ("0500", &["0500"]),
            ("500,600", &["500", "600"]),
            ("AAPL, MSFT", &["AAPL", "MSFT"]),
            ("00", &["00"]),
            ("5.5,", &["5.5"]),
        ] {
            assert_eq!(names(&of_text(text).unwrap()), expected, "{text}");
        }
        for text in ["0", "65537", "373220", "99999999999999999999999", "5.5", "-5", "+5", "1e3"] {
            let error = of_text(text).unwrap_err();
            assert!(error.contains("` is not a number of symbols from 1 to 65536; "), "{error}");
        }
        assert!(of_text("373220").unwrap_err().ends_with("a symbol with this name is written `373220,`"));
        for text in ["", ",", "A,,B", "A B"] {
            assert!(of_text(text).unwrap_err().starts_with("symbol "), "{text}");
        }
    }

    #[test]
    fn a_count_and_a_list_in_toml_come_back() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Holder {
            symbols: Instruments,
        }

        for (text, expected) in [
            ("symbols = 500\n", Instruments::Invented(500)),
            ("symbols = [\"500\"]\n", Instruments::Named(vec![Instrument::named("500".parse().unwrap())])),
        ] {
            let holder: Holder = toml::from_str(text).unwrap();
            assert_eq!(holder.symbols, expected);
            assert_eq!(toml::to_string(&holder).unwrap(), text);
        }
        let error = |text: &str| toml::from_str::<Holder>(text).unwrap_err().message().to_owned();
        assert!(error("symbols = 0").starts_with("`0` is not a number of symbols from 1 to 65536; "));
        assert!(error("symbols = -5").starts_with("`-5` is not "));
        assert!(error("symbols = -5").ends_with("; a symbol with this name is written [\"-5\"]"));
        assert!(error("symbols = 1.5").contains("expected a list of symbols, or a number of symbols"));
    }
}
