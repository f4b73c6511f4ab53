//! The names of columns in a header, without what stands beside them: a unit in brackets, or a symbol.

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
    /// The symbol that stands before or behind the names, as in `KO.Open,KO.Close`.
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
        match symbol_beside(&texts) {
            Some((symbol, bare)) if !whole.iter().any(|name| is_name(name) && !is_time(name)) => {
                let bare =
                    bare.into_iter().zip(&whole).map(|(bare, name)| bare.unwrap_or_else(|| name.clone()));
                Self { bare: bare.collect(), whole, symbol: Some(symbol) }
            }
            _ => Self { bare: whole.iter().zip(&texts).map(without_unit).collect(), whole, symbol: None },
        }
    }

    /// Returns the names by which the columns of a layout are found: an entry of the table has whole names.
    pub fn of_entry(self, entry: Option<&Entry>) -> Vec<String> {
        if entry.is_some() { self.whole } else { self.bare }
    }
}

/// Returns the symbol that stands before or behind the names of columns, and the normalized names without it.
fn symbol_beside(texts: &[String]) -> Option<(String, Vec<Option<String>>)> {
    let before = |text: &str| {
        text.split_once(['.', '_', ' ']).map(|(symbol, name)| (symbol.to_owned(), normal(name.as_bytes())))
    };
    let behind = |text: &str| {
        text.rsplit_once(['_', ' ']).map(|(name, symbol)| (symbol.to_owned(), normal(name.as_bytes())))
    };
    let beside = |split: &dyn Fn(&str) -> Option<(String, String)>| {
        let split: Vec<_> = texts.iter().map(|text| split(text).filter(|(_, name)| is_name(name))).collect();
        let (symbol, _) = split.iter().flatten().next()?;
        let is_one = split.iter().flatten().all(|(other, _)| other == symbol);
        let symbol = symbol.clone();
        let is_symbol = symbol.chars().any(char::is_uppercase) && !symbol.chars().any(char::is_lowercase);
        let names: Vec<Option<String>> = split.into_iter().map(|found| found.map(|(_, name)| name)).collect();
        (is_one && is_symbol && names.iter().flatten().count() >= LEAST).then_some((symbol, names))
    };
    beside(&before).or_else(|| beside(&behind))
}

/// Removes a unit in brackets behind a name, as in `Open (GBX)`. A change in percent is no unit.
fn without_brackets(text: &str) -> &str {
    let (bare, unit) = text.split_at(text.find(['(', '（']).unwrap_or(text.len()));
    let is_other = unit.contains('%') || unit.to_lowercase().contains("change") || unit.contains("rebase");
    if unit.ends_with([')', '）']) && !is_other { bare } else { text }
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
        assert_eq!(of("Date,Open (GBX),Volume(株)"), ("date,open,volume".to_owned(), None));
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
        assert_eq!(of("Date,KO.Open,KO.Close,PEP.Volume").1, None);
        assert_eq!(of("Date,Open,KO_High,KO_Low,KO_Close").1, None);
    }
}
