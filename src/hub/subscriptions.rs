//! Who wants what: from a symbol to its takers.
//!
//! The other direction, from a connection to its symbols, is the connection's own
//! ([`Wants`]); the shard keeps the two in step.

use std::collections::HashMap;

use crate::market::{Kind, KindSet, Symbol};
use crate::wire::Symbols;

/// A connection's number within its shard.
pub type ConnectionId = usize;

/// The takers of each symbol and kind. A symbol that nobody takes takes no memory.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_symbol: HashMap<Symbol, Takers>,
    all: Takers,
}

type Takers = [Vec<ConnectionId>; 3];

/// What one connection subscribed to.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// The kinds of which it gets every symbol.
    pub all: KindSet,
    /// The kinds that it gets of symbols by name, in the order of the names: most connections have a few, and many
    /// connections have one, which a map has no room for as small as this.
    names: Vec<(Symbol, KindSet)>,
}

impl Subscriptions {
    /// Those who take this kind of every symbol.
    #[must_use]
    pub fn of_all(&self, kind: Kind) -> &[ConnectionId] {
        &self.all[kind.index()]
    }

    /// Those who take this kind of this symbol by name; some may also be [`of_all`](Self::of_all).
    #[must_use]
    pub fn of(&self, symbol: &Symbol, kind: Kind) -> &[ConnectionId] {
        self.by_symbol.get(symbol).map_or(&[], |takers| &takers[kind.index()])
    }

    /// Adds kinds of a symbol, or of all symbols; returns what was new.
    pub fn add(&mut self, id: ConnectionId, wants: &mut Wants, symbol: Option<&Symbol>, kinds: KindSet) {
        let had = wants.of(symbol);
        let new = kinds.without(had);
        wants.set(symbol, had.with(kinds));
        let takers = match symbol {
            Some(symbol) if !new.is_empty() => self.by_symbol.entry(symbol.clone()).or_default(),
            _ => &mut self.all,
        };
        for kind in new.iter() {
            takers[kind.index()].push(id);
        }
    }

    /// Takes kinds of a symbol, or of all symbols, away.
    pub fn remove(&mut self, id: ConnectionId, wants: &mut Wants, symbol: Option<&Symbol>, kinds: KindSet) {
        let had = wants.of(symbol);
        let left = had.without(kinds);
        let gone = had.without(left);
        wants.set(symbol, left);
        match symbol {
            None => take_out(&mut self.all, id, gone),
            Some(symbol) => {
                if let Some(takers) = self.by_symbol.get_mut(symbol) {
                    take_out(takers, id, gone);
                    if takers.iter().all(Vec::is_empty) {
                        self.by_symbol.remove(symbol);
                    }
                }
            }
        }
    }
}

impl Wants {
    /// Whether the connection gets this kind of this symbol.
    #[must_use]
    pub fn has(&self, symbol: &Symbol, kind: Kind) -> bool {
        self.all.contains(kind) || self.of(Some(symbol)).contains(kind)
    }

    /// Whether the connection gets anything of this symbol by name.
    fn has_name(&self, symbol: &Symbol) -> bool {
        self.place(symbol).is_ok()
    }

    /// The symbols that it gets by name, with the kinds of each, in order.
    pub fn names(&self) -> impl Iterator<Item = (&Symbol, KindSet)> {
        self.names.iter().map(|(symbol, kinds)| (symbol, *kinds))
    }

    /// How many subscriptions these are; `*` is one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len() + usize::from(!self.all.is_empty())
    }

    /// How many subscriptions these are together with new ones.
    #[must_use]
    pub fn len_with(&self, new: &Symbols) -> usize {
        let new_names = new.names.iter().filter(|name| !self.has_name(name)).count();
        let new_star = usize::from(new.all && self.all.is_empty());
        self.len() + new_names + new_star
    }

    /// What it gets of a kind, as a reply lists it: `*` first, then names in order.
    #[must_use]
    pub fn list(&self, kind: Kind) -> Vec<String> {
        let star = self.all.contains(kind).then(|| "*".to_owned());
        let names = self.names().filter(|(_, kinds)| kinds.contains(kind));
        star.into_iter().chain(names.map(|(symbol, _)| symbol.to_string())).collect()
    }

    /// The kinds that it gets of a symbol by name, or of every symbol.
    fn of(&self, symbol: Option<&Symbol>) -> KindSet {
        match symbol {
            None => self.all,
            Some(symbol) => self.place(symbol).map_or(KindSet::NONE, |place| self.names[place].1),
        }
    }

    fn set(&mut self, symbol: Option<&Symbol>, kinds: KindSet) {
        let Some(symbol) = symbol else {
            self.all = kinds;
            return;
        };
        match self.place(symbol) {
            Ok(place) if kinds.is_empty() => drop(self.names.remove(place)),
            Ok(place) => self.names[place].1 = kinds,
            Err(_) if kinds.is_empty() => {}
            Err(place) => {
                if self.names.is_empty() {
                    self.names.reserve_exact(1);
                }
                self.names.insert(place, (symbol.clone(), kinds));
            }
        }
    }

    /// Where a symbol is, or where it would be.
    fn place(&self, symbol: &Symbol) -> Result<usize, usize> {
        self.names.binary_search_by(|(name, _)| name.cmp(symbol))
    }
}

fn take_out(takers: &mut Takers, id: ConnectionId, kinds: KindSet) {
    for kind in kinds.iter() {
        let list = &mut takers[kind.index()];
        if let Some(place) = list.iter().position(|taker| *taker == id) {
            list.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Symbol {
        name.parse().unwrap()
    }

    #[test]
    fn a_star_and_a_name_are_two_subscriptions() {
        let mut subscriptions = Subscriptions::default();
        let mut wants = Wants::default();
        let aapl = symbol("AAPL");
        subscriptions.add(1, &mut wants, None, KindSet::ALL);
        subscriptions.add(1, &mut wants, Some(&aapl), Kind::Trade.into());
        assert_eq!(wants.list(Kind::Trade), ["*", "AAPL"]);

        subscriptions.remove(1, &mut wants, Some(&aapl), KindSet::ALL);
        assert_eq!(wants.list(Kind::Trade), ["*"]);
        assert!(wants.has(&aapl, Kind::Trade));

        subscriptions.remove(1, &mut wants, None, Kind::Trade.into());
        assert!(!wants.has(&aapl, Kind::Trade));
        assert_eq!(wants.list(Kind::Quote), ["*"]);
    }

    #[test]
    fn a_symbol_that_nobody_takes_takes_no_memory() {
        let mut subscriptions = Subscriptions::default();
        let mut wants = Wants::default();

        for _ in 0..2 {
            subscriptions.add(7, &mut wants, Some(&symbol("X")), Kind::Bar.into());
        }
        assert_eq!(subscriptions.of(&symbol("X"), Kind::Bar), [7]);
        subscriptions.remove(7, &mut wants, Some(&symbol("X")), KindSet::ALL);

        assert!(subscriptions.by_symbol.is_empty() && wants.names.is_empty());
    }
}
