//! Collects the symbols in the rows of a file before the first event is published.

use foldhash::{HashSet, HashSetExt};

use crate::market::Symbol;

/// The largest number of symbols that are stored. The limit saves memory if a column with other data is
/// mistaken for the symbol column.
const MAX_SYMBOLS: usize = 65_536;

/// A set of symbols. If a set exceeds the largest number of symbols, the set becomes
/// [`TooMany`](Self::TooMany).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedSymbols {
    Few(HashSet<Symbol>),
    TooMany,
}

impl Default for NamedSymbols {
    fn default() -> Self {
        Self::Few(HashSet::new())
    }
}

impl NamedSymbols {
    pub fn insert(&mut self, symbol: &Symbol) {
        let Self::Few(symbols) = self else { return };
        if symbols.contains(symbol) {
            return;
        }
        if symbols.len() < MAX_SYMBOLS {
            symbols.insert(symbol.clone());
        } else {
            *self = Self::TooMany;
        }
    }

    /// Adds all symbols of another set.
    pub fn append(&mut self, other: Self) {
        match other {
            Self::Few(symbols) => symbols.iter().for_each(|symbol| self.insert(symbol)),
            Self::TooMany => *self = Self::TooMany,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_up_to_the_limit_are_remembered_and_one_more_is_too_many() {
        let mut symbols = NamedSymbols::default();
        for number in 0..65_536 {
            symbols.insert(&format!("A{number}").parse().unwrap());
        }
        let other = symbols.clone();
        symbols.append(other);
        assert!(matches!(&symbols, NamedSymbols::Few(few) if few.len() == 65_536));

        symbols.insert(&"B".parse().unwrap());

        assert_eq!(symbols, NamedSymbols::TooMany);
        let mut fresh = NamedSymbols::default();
        fresh.append(symbols);
        assert_eq!(fresh, NamedSymbols::TooMany);
    }
}
