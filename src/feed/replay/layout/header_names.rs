//! The names of columns in a header, without what stands beside them: a unit in brackets, or a symbol.

use super::super::words::is_among_in_any_case;
use super::Record;
use super::entry::Entry;
use super::role::{Role, normal};

/// The names in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNames {
    /// The normalized name of each column, as it is written.
    pub whole: Vec<String>,
    /// The normalized name of each column, without a unit or a symbol.
    pub bare: Vec<String>,
    /// The word that stands before or behind the names, if it may be a symbol, as in `KO.Open,KO.Close`.
    pub symbol: Option<String>,
}

/// The least number of columns whose names a symbol stands beside.
const LEAST: usize = 3;

impl HeaderNames {
    pub fn of(header: &Record) -> Self {
        let texts: Vec<String> = header
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).trim().trim_matches('"').to_owned())
            .collect();
        let whole: Vec<String> = header.iter().map(|cell| normal(cell)).collect();
        let without_unit = |(name, text): (&String, &String)| {
            let bare = normal(without_brackets(text).as_bytes());
            let is_new = !is_name(name) && is_name(&bare) && !whole.contains(&bare);
            if is_new { bare } else { name.clone() }
        };
        match word_beside(&texts) {
            Some((word, bare)) if !whole.iter().any(|name| is_name(name) && !is_time(name)) => {
                let bare =
                    bare.into_iter().zip(&whole).map(|(bare, name)| bare.unwrap_or_else(|| name.clone()));
                Self { bare: bare.collect(), whole, symbol: Some(word).filter(|word| is_symbol(word)) }
            }
            _ => Self { bare: whole.iter().zip(&texts).map(without_unit).collect(), whole, symbol: None },
        }
    }

    /// Returns the names by which the columns of a layout are found: an entry of the table has whole names.
    pub fn of_entry(self, entry: Option<&Entry>) -> Vec<String> {
        if entry.is_some() { self.whole } else { self.bare }
    }
}

/// Words before or behind names that are no symbol.
const NO_SYMBOLS: &str = "px adj mid day rth eth spot index ohlc usd eur gbp mark last raw net price trade quote bar candle daily \
    session total market chart stock data kline d1 h1 m1 m5 m15";

/// Words that make other prices of these names.
const OTHER_PRICES: &str = "bid ask prev previous next avg average open high low close settle pre post";

/// Returns the word that stands before or behind the names of columns, and the normalized names without it.
fn word_beside(texts: &[String]) -> Option<(String, Vec<Option<String>>)> {
    let parts = |(word, name): (&str, &str)| (word.to_owned(), normal(name.as_bytes()));
    let before = |text: &str| text.split_once(['.', '_', ' ']).map(parts);
    let behind = |text: &str| text.rsplit_once(['_', ' ']).map(|(name, word)| parts((word, name)));
    let beside = |split: &dyn Fn(&str) -> Option<(String, String)>| {
        let split: Vec<_> = texts.iter().map(|text| split(text).filter(|(_, name)| is_name(name))).collect();
        let (word, _) = split.iter().flatten().next()?.clone();
        let is_one = split.iter().flatten().all(|(other, _)| *other == word);
        let is_other = is_among_in_any_case(OTHER_PRICES, &word);
        let names: Vec<Option<String>> = split.into_iter().map(|found| found.map(|(_, name)| name)).collect();
        (is_one && !is_other && names.iter().flatten().count() >= LEAST).then_some((word, names))
    };
    beside(&before).or_else(|| beside(&behind))
}

/// Returns whether a word beside the names of columns may be a symbol.
fn is_symbol(word: &str) -> bool {
    let is_upper = word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase);
    is_upper && !is_among_in_any_case(NO_SYMBOLS, word)
}

/// Removes a unit in brackets behind a name, as in `Open (GBX)`. A change in percent is no unit.
fn without_brackets(text: &str) -> &str {
    let (bare, unit) = text.split_at(text.find(['(', '[', '（']).unwrap_or(text.len()));
    let is_other = unit.contains('%') || unit.to_lowercase().contains("change") || unit.contains("rebase");
    if unit.ends_with([')', ']', '）']) && !is_other { bare } else { text }
}

fn is_name(name: &str) -> bool {
    Role::all().any(|role| role.names().any(|known| known == name))
}

fn is_time(name: &str) -> bool {
    [Role::Time, Role::Date, Role::TimeOfDay].iter().any(|role| role.names().any(|known| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> (String, Option<String>) {
        let HeaderNames { bare, symbol, .. } = HeaderNames::of(&header.split(',').map(Into::into).collect());
        (bare.join(","), symbol)
    }

    #[test]
    fn a_unit_in_brackets_is_no_part_of_a_name() {
        assert_eq!(of("Date,Open [GBX],Volume(株)"), ("date,open,volume".to_owned(), None));
        assert_eq!(of("Date,Close,Close (adj)"), ("date,close,closeadj".to_owned(), None));
        assert_eq!(of("Date,Close (% change)"), ("date,close%change".to_owned(), None));
        assert_eq!(of("Date,Foo (GBX)"), ("date,foogbx".to_owned(), None));
    }

    #[test]
    fn a_symbol_may_stand_beside_the_names() {
        let ko = || Some("KO".to_owned());

        assert_eq!(
            of(",KO.Open,KO.Close,KO.Volume,KO.Adjusted"),
            (",open,close,volume,koadjusted".to_owned(), ko())
        );
        assert_eq!(of("Date,Open_KO,Close_KO,Volume_KO"), ("date,open,close,volume".to_owned(), ko()));
        assert_eq!(of("Date,Open_KO,Close_KO"), ("date,openko,closeko".to_owned(), None));
        assert_eq!(of("Date,PX_OPEN,PX_HIGH,PX_LOW"), ("date,open,high,low".to_owned(), None));
        assert_eq!(of("time,mid.o,mid.h,mid.l"), ("time,o,h,l".to_owned(), None));
        assert_eq!(of("Date,bid_open,bid_high,bid_low"), ("date,bidopen,bidhigh,bidlow".to_owned(), None));
        assert_eq!(of("Date,KO.Open,KO.Close,PEP.Volume").1, None);
        assert_eq!(of("Date,Open,KO_High,KO_Low,KO_Close").1, None);
    }
}
