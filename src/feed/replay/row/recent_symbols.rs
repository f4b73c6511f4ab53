//! Remembers the symbols of recent rows, because most rows have one of a few symbols, and making a symbol takes long.

use super::super::reason::RejectedRow;
use crate::market::Symbol;

/// The number of symbols that are remembered. Two symbols with the same place displace each other.
const PLACES: usize = 256;

/// The symbols of recent rows.
#[derive(Debug)]
pub struct RecentSymbols {
    places: Vec<Option<Symbol>>,
}

impl RecentSymbols {
    pub fn new() -> Self {
        Self { places: vec![None; PLACES] }
    }

    /// Returns the symbol that is written as `name`. If it is not remembered, `make` makes it.
    pub fn get(
        &mut self,
        name: &[u8],
        make: impl FnOnce(&[u8]) -> Result<Symbol, RejectedRow>,
    ) -> Result<Symbol, RejectedRow> {
        let place = name.iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
        let remembered = &mut self.places[usize::from(place)];
        match remembered {
            Some(symbol) if symbol.as_str().as_bytes() == name => Ok(symbol.clone()),
            _ => Ok(remembered.insert(make(name)?).clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_made_once_until_another_takes_its_place() {
        let mut recent = RecentSymbols::new();
        let mut made = Vec::new();
        // `AB` and `@a` have the same place.
        for name in ["AB", "C", "AB", "C", "@a", "AB"] {
            let symbol = recent.get(name.as_bytes(), |name| {
                made.push(String::from_utf8(name.to_vec()).unwrap());
                Ok(Symbol::from_name(str::from_utf8(name).unwrap()).unwrap())
            });
            assert_eq!(symbol.unwrap(), Symbol::from_name(name).unwrap());
        }

        assert_eq!(made, ["AB", "C", "@a", "AB"]);
    }
}
