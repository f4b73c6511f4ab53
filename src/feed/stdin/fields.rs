//! The fields of an input line: known fields, and unknown fields, which no kind of event has.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use smallvec::SmallVec;

/// A field of a market frame, which is a trade, a quote, a bar or a status.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    Type,
    Seq,
    Symbol,
    Time,
    Price,
    Size,
    Bid,
    BidSize,
    Ask,
    AskSize,
    Interval,
    Open,
    High,
    Low,
    Close,
    Volume,
    Status,
    Reason,
}

/// The unparsed fields of an input line. The parser removes each field that it reads into the event. Once the
/// event is complete, the remaining fields are ignored.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    /// The value of each known field, at the index `field as usize`; `None` if the line lacks the field.
    known: [Option<&'a RawValue>; Field::ALL.len()],
    unknown: SmallVec<[(Cow<'a, str>, &'a RawValue); 4]>,
}

impl Field {
    const ALL: [Self; 18] = [
        Self::Type,
        Self::Seq,
        Self::Symbol,
        Self::Time,
        Self::Price,
        Self::Size,
        Self::Bid,
        Self::BidSize,
        Self::Ask,
        Self::AskSize,
        Self::Interval,
        Self::Open,
        Self::High,
        Self::Low,
        Self::Close,
        Self::Volume,
        Self::Status,
        Self::Reason,
    ];

    /// Returns the name of the field.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Seq => "seq",
            Self::Symbol => "symbol",
            Self::Time => "time",
            Self::Price => "price",
            Self::Size => "size",
            Self::Bid => "bid",
            Self::BidSize => "bid_size",
            Self::Ask => "ask",
            Self::AskSize => "ask_size",
            Self::Interval => "interval",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
            Self::Status => "status",
            Self::Reason => "reason",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl<'a> Fields<'a> {
    /// Removes a field and returns its value. Returns `None` if the field is missing or `null`.
    pub fn take(&mut self, field: Field) -> Option<&'a RawValue> {
        self.known[field as usize].take().filter(|value| !is_null(value))
    }

    /// Returns the names of the known fields that have not been removed. Omits fields with the value `null`.
    pub fn known(&self) -> impl Iterator<Item = &'static str> {
        let is_left = |field: &Field| self.known[*field as usize].is_some_and(|value| !is_null(value));
        Field::ALL.into_iter().filter(is_left).map(Field::name)
    }

    /// Returns the names of the unknown fields, with their values.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.unknown.iter().map(|(name, value)| (&**name, *value))
    }
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllFields;

        impl<'de> Visitor<'de> for AllFields {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some(Name(name)) = map.next_key()? {
                    let Some(field) = Field::named(&name) else {
                        fields.unknown.push((name, map.next_value()?));
                        continue;
                    };
                    if fields.known[field as usize].replace(map.next_value()?).is_some() {
                        return Err(de::Error::duplicate_field(field.name()));
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(AllFields)
    }
}

/// The name of a field, borrowed from the line unless the name contains escape sequences.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
