//! Who wants what: from a symbol to its takers.
//!
//! The other direction, from a connection to its symbols, is the connection's own
//! ([`Subscription`]); the shard keeps the two in step.

use std::collections::HashMap;

use indexmap::IndexSet;
use smallvec::SmallVec;

use crate::market::{Kind, KindSet, Symbol};
use crate::wire::Symbols;

/// A connection's number within its shard.
pub type ConnectionId = usize;

/// The subscribers of each symbol and kind. A symbol without a subscriber takes no memory.
#[derive(Debug, Default)]
pub struct SubscriptionIndex {
    by_symbol: HashMap<Symbol, Subscribers>,
    all: Subscribers,
}

/// The subscribers of one symbol, or of all symbols: a group for each set of kinds that some of them take.
///
/// Most clients take all kinds, so there is mostly one group, in which a subscription is one entry.
#[derive(Debug, Default)]
struct Subscribers(SmallVec<[(KindSet, Group); 1]>);

/// Connections that take the same kinds. Each is found and removed in constant time, and they lie side by side.
type Group = IndexSet<ConnectionId>;

/// What one connection subscribed to.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    /// The kinds of which it gets every symbol.
    pub all: KindSet,
    /// The kinds that it gets of symbols by name, in the order of the names: most connections have a few, and many
    /// connections have one, which a map has no room for as small as this.
    names: Vec<(Symbol, KindSet)>,
}

impl SubscriptionIndex {
    /// Returns the groups that take this kind of every symbol.
    pub fn of_all(&self, kind: Kind) -> impl Iterator<Item = &Group> {
        self.all.of(kind)
    }

    /// Returns the groups that take this kind of this symbol by name; some of them may also take [it of all](Self::of_all).
    pub fn of(&self, symbol: &Symbol, kind: Kind) -> impl Iterator<Item = &Group> {
        self.by_symbol.get(symbol).into_iter().flat_map(move |subscribers| subscribers.of(kind))
    }

    /// Adds kinds of a symbol, or of all symbols.
    pub fn add(
        &mut self,
        id: ConnectionId,
        subscription: &mut Subscription,
        symbol: Option<&Symbol>,
        kinds: KindSet,
    ) {
        let had = subscription.of(symbol);
        subscription.set(symbol, had.with(kinds));
        self.regroup(id, symbol, had, had.with(kinds));
    }

    /// Takes kinds of a symbol, or of all symbols, away.
    pub fn remove(
        &mut self,
        id: ConnectionId,
        subscription: &mut Subscription,
        symbol: Option<&Symbol>,
        kinds: KindSet,
    ) {
        let had = subscription.of(symbol);
        subscription.set(symbol, had.without(kinds));
        self.regroup(id, symbol, had, had.without(kinds));
    }

    /// Removes one symbol, or all symbols, from what a connection wants; returns whether it wanted anything.
    pub fn remove_one(&mut self, id: ConnectionId, subscription: &mut Subscription) -> bool {
        if let Some((symbol, kinds)) = subscription.names.pop() {
            self.regroup(id, Some(&symbol), kinds, KindSet::NONE);
            return true;
        }
        let kinds = std::mem::take(&mut subscription.all);
        self.regroup(id, None, kinds, KindSet::NONE);
        !kinds.is_empty()
    }

    fn regroup(&mut self, id: ConnectionId, symbol: Option<&Symbol>, from: KindSet, to: KindSet) {
        match symbol {
            _ if from == to => {}
            None => self.all.regroup(id, from, to),
            Some(symbol) => {
                let subscribers = self.by_symbol.entry(symbol.clone()).or_default();
                subscribers.regroup(id, from, to);
                if subscribers.0.is_empty() {
                    self.by_symbol.remove(symbol);
                }
            }
        }
    }
}

impl Subscribers {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &Group> {
        self.0.iter().filter(move |(kinds, _)| kinds.contains(kind)).map(|(_, group)| group)
    }

    /// Moves a connection between groups; the group of no kind has none.
    fn regroup(&mut self, id: ConnectionId, from: KindSet, to: KindSet) {
        let place = |groups: &[(KindSet, Group)], of| groups.iter().position(|(kinds, _)| *kinds == of);
        if let Some(place) = place(&self.0, from) {
            let (_, group) = &mut self.0[place];
            group.swap_remove(&id);
            if group.is_empty() {
                self.0.swap_remove(place);
            }
        }
        if !to.is_empty() {
            let place = place(&self.0, to).unwrap_or_else(|| {
                self.0.push((to, Group::default()));
                self.0.len() - 1
            });
            self.0[place].1.insert(id);
        }
    }
}

impl Subscription {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn symbol(name: &str) -> Symbol {
        name.parse().unwrap()
    }

    /// The connections of some groups, in order, each as often as it is there.
    fn ids<'a>(groups: impl Iterator<Item = &'a Group>) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = groups.flatten().copied().collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_star_and_a_name_are_two_subscriptions() {
        let mut index = SubscriptionIndex::default();
        let mut subscription = Subscription::default();
        let aapl = symbol("AAPL");
        index.add(1, &mut subscription, None, KindSet::ALL);
        index.add(1, &mut subscription, Some(&aapl), Kind::Trade.into());
        assert_eq!(subscription.list(Kind::Trade), ["*", "AAPL"]);

        index.remove(1, &mut subscription, Some(&aapl), KindSet::ALL);
        assert_eq!(subscription.list(Kind::Trade), ["*"]);
        assert!(subscription.has(&aapl, Kind::Trade));

        index.remove(1, &mut subscription, None, Kind::Trade.into());
        assert!(!subscription.has(&aapl, Kind::Trade));
        assert_eq!(subscription.list(Kind::Quote), ["*"]);
    }

    #[test]
    fn a_symbol_that_nobody_takes_takes_no_memory() {
        let mut index = SubscriptionIndex::default();
        let mut subscription = Subscription::default();

        for _ in 0..2 {
            index.add(7, &mut subscription, Some(&symbol("X")), Kind::Bar.into());
        }
        assert_eq!(ids(index.of(&symbol("X"), Kind::Bar)), [7]);
        index.remove(7, &mut subscription, Some(&symbol("X")), KindSet::ALL);

        assert!(index.by_symbol.is_empty() && subscription.names.is_empty());
    }

    #[test]
    fn connections_that_take_the_same_kinds_are_one_group_and_one_moves_when_its_kinds_change() {
        let mut index = SubscriptionIndex::default();
        let mut subscription = [Subscription::default(), Subscription::default()];
        let aapl = symbol("AAPL");
        for (id, subscription) in subscription.iter_mut().enumerate() {
            index.add(id, subscription, Some(&aapl), KindSet::ALL);
        }
        let groups = |index: &SubscriptionIndex, kind| {
            index.of(&aapl, kind).map(|group| ids([group].into_iter())).collect::<Vec<_>>()
        };
        assert_eq!(groups(&index, Kind::Quote), [[0, 1]]);

        index.remove(0, &mut subscription[0], Some(&aapl), Kind::Trade.into());
        assert_eq!(groups(&index, Kind::Trade), [[1]]);
        assert_eq!(groups(&index, Kind::Quote), [[1], [0]]);

        index.add(0, &mut subscription[0], Some(&aapl), Kind::Trade.into());
        assert_eq!(groups(&index, Kind::Trade), [[0, 1]]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(ConnectionId, Option<&'static str>, KindSet),
        Remove(ConnectionId, Option<&'static str>, KindSet),
        Forget(ConnectionId),
    }

    const CONNECTIONS: usize = 5;
    const SYMBOLS: [Option<&str>; 4] = [None, Some("A"), Some("B"), Some("C")];

    fn step() -> impl Strategy<Value = Step> {
        let symbol = || (0..SYMBOLS.len()).prop_map(|symbol| SYMBOLS[symbol]);
        let kinds = || {
            any::<[bool; 3]>().prop_map(|taken| {
                let kinds = Kind::ALL.into_iter().filter(|kind| taken[kind.index()]);
                kinds.fold(KindSet::NONE, |kinds, kind| kinds.with(kind.into()))
            })
        };
        prop_oneof![
            4 => (0..CONNECTIONS, symbol(), kinds()).prop_map(|(id, symbol, kinds)| Step::Add(id, symbol, kinds)),
            3 => (0..CONNECTIONS, symbol(), kinds()).prop_map(|(id, symbol, kinds)| Step::Remove(id, symbol, kinds)),
            1 => (0..CONNECTIONS).prop_map(Step::Forget),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_index_has_what_each_connection_wants_and_nothing_of_those_that_are_gone(
            steps in vec(step(), 1..60),
        ) {
            let mut index = SubscriptionIndex::default();
            let mut subscription: [Subscription; CONNECTIONS] = Default::default();
            let mut model: BTreeMap<(Option<&str>, ConnectionId), KindSet> = BTreeMap::new();
            let end = (0..CONNECTIONS).map(Step::Forget);
            for step in steps.into_iter().chain(end) {
                match step {
                    Step::Add(id, name, kinds) => {
                        index.add(id, &mut subscription[id], name.map(symbol).as_ref(), kinds);
                        let had = model.entry((name, id)).or_default();
                        *had = had.with(kinds);
                    }
                    Step::Remove(id, name, kinds) => {
                        index.remove(id, &mut subscription[id], name.map(symbol).as_ref(), kinds);
                        let had = model.entry((name, id)).or_default();
                        *had = had.without(kinds);
                    }
                    Step::Forget(id) => {
                        while index.remove_one(id, &mut subscription[id]) {}
                        model.retain(|(_, other), _| *other != id);
                    }
                }
                for (name, kind) in SYMBOLS.into_iter().flat_map(|name| Kind::ALL.map(|kind| (name, kind))) {
                    let taking = model.iter().filter(|((of, _), kinds)| *of == name && kinds.contains(kind));
                    let expected: Vec<_> = taking.map(|((_, id), _)| *id).collect();
                    let found = match name {
                        None => ids(index.of_all(kind)),
                        Some(name) => ids(index.of(&symbol(name), kind)),
                    };
                    prop_assert_eq!(found, expected, "{:?} of {:?}", kind, name);
                }
            }
            prop_assert!(index.by_symbol.is_empty() && index.all.0.is_empty());
        }
    }
}
