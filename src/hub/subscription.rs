//! A subscription: the symbols and kinds of events that one connection subscribed to.
//!
//! A `SubscriptionIndex` works in the other direction: it maps each symbol to the symbol's subscribers.

use crate::market::{Kind, KindSet, Symbol};
use crate::wire::Symbols;

/// The symbols and kinds of events that one connection subscribed to.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    /// The kinds of events that the connection subscribed to for all symbols (`*`).
    pub all: KindSet,
    /// The symbols that the connection subscribed to by name, in alphabetical order. Each symbol comes with
    /// its kinds of events. The field is a vector, because a map would need more memory for a connection with
    /// few symbols.
    names: Vec<(Symbol, KindSet)>,
}

impl Subscription {
    /// Returns whether the connection gets events of this symbol and kind.
    #[must_use]
    pub fn has(&self, symbol: &Symbol, kind: Kind) -> bool {
        self.all.contains(kind) || self.of(Some(symbol)).contains(kind)
    }

    /// Returns whether the connection subscribed to this symbol by name.
    fn has_name(&self, symbol: &Symbol) -> bool {
        self.find(symbol).is_ok()
    }

    /// Returns the symbols that the connection subscribed to by name, in alphabetical order. Each symbol
    /// comes with its kinds of events.
    pub fn names(&self) -> impl Iterator<Item = (&Symbol, KindSet)> {
        self.names.iter().map(|(symbol, kinds)| (symbol, *kinds))
    }

    /// Returns how many symbols the connection subscribed to; `*` counts as one symbol.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len() + usize::from(!self.all.is_empty())
    }

    /// Returns how many symbols the subscription would have if the symbols in `new` were added; `*` counts as
    /// one symbol.
    #[must_use]
    pub fn len_with(&self, new: &Symbols) -> usize {
        let new_names = new.names.iter().filter(|name| !self.has_name(name)).count();
        let new_star = usize::from(new.all && self.all.is_empty());
        self.len() + new_names + new_star
    }

    /// Lists the symbols for which the connection subscribed to this kind of events. The list is for a reply
    /// to the client. `*` comes first, then the names in alphabetical order.
    #[must_use]
    pub fn list(&self, kind: Kind) -> Vec<String> {
        let star = self.all.contains(kind).then(|| "*".to_owned());
        let names = self.names().filter(|(_, kinds)| kinds.contains(kind));
        star.into_iter().chain(names.map(|(symbol, _)| symbol.to_string())).collect()
    }

    /// Returns the kinds of events that the connection subscribed to for this symbol; the symbol `None` means
    /// `*`.
    pub(super) fn of(&self, symbol: Option<&Symbol>) -> KindSet {
        match symbol {
            None => self.all,
            Some(symbol) => self.find(symbol).map_or(KindSet::NONE, |index| self.names[index].1),
        }
    }

    /// Sets the kinds of events that the connection subscribed to for this symbol; the symbol `None` means
    /// `*`.
    pub(super) fn set(&mut self, symbol: Option<&Symbol>, kinds: KindSet) {
        let Some(symbol) = symbol else {
            self.all = kinds;
            return;
        };
        match self.find(symbol) {
            Ok(index) if kinds.is_empty() => drop(self.names.remove(index)),
            Ok(index) => self.names[index].1 = kinds,
            Err(_) if kinds.is_empty() => {}
            Err(index) => {
                if self.names.is_empty() {
                    self.names.reserve_exact(1);
                }
                self.names.insert(index, (symbol.clone(), kinds));
            }
        }
    }

    /// Removes one symbol from the subscription, and returns the symbol with its kinds of events. The symbol
    /// `None` means `*`, which is removed after all names. Returns `None` if the subscription is empty.
    pub(super) fn pop(&mut self) -> Option<(Option<Symbol>, KindSet)> {
        if let Some((symbol, kinds)) = self.names.pop() {
            return Some((Some(symbol), kinds));
        }
        let kinds = std::mem::take(&mut self.all);
        (!kinds.is_empty()).then_some((None, kinds))
    }

    /// Returns `Ok` with the index of a symbol in `names`, or `Err` with the index at which to insert the
    /// symbol.
    fn find(&self, symbol: &Symbol) -> Result<usize, usize> {
        self.names.binary_search_by(|(name, _)| name.cmp(symbol))
    }
}
