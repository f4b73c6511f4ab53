//! The subscription index: maps each symbol to the connections that subscribed to the symbol.
//!
//! A [`Subscription`] has the symbols of one connection. All changes of a subscription go through
//! [`SubscriptionIndex`], so that the index and the subscription agree.

use std::collections::HashMap;

use indexmap::IndexSet;
use smallvec::SmallVec;

use super::subscription::Subscription;
use crate::market::{Kind, KindSet, Symbol};

/// A connection's number within its shard.
pub type ConnectionId = usize;

/// Maps each symbol, and `*`, to its subscribers. A symbol without subscribers needs no memory.
#[derive(Debug, Default)]
pub struct SubscriptionIndex {
    by_symbol: HashMap<Symbol, Subscribers>,
    all: Subscribers,
}

/// The subscribers of one symbol, or of `*`, grouped by the kinds of events that they subscribed to.
///
/// Most clients subscribe to all kinds of events, so a symbol usually has a single group of subscribers.
#[derive(Debug, Default)]
struct Subscribers(SmallVec<[(KindSet, Group); 1]>);

/// A group of connections that subscribed to the same kinds of events. Adding a connection to a group, or
/// removing a connection from a group, takes constant time.
type Group = IndexSet<ConnectionId>;

impl SubscriptionIndex {
    /// Returns whether no connection has subscribed to anything.
    pub fn is_empty(&self) -> bool {
        self.by_symbol.is_empty() && self.all.0.is_empty()
    }

    /// Returns the groups of connections that subscribed to this kind of events for all symbols (`*`).
    pub fn groups_of_all(&self, kind: Kind) -> impl Iterator<Item = &Group> {
        self.all.of(kind)
    }

    /// Returns the groups of connections that subscribed to this kind of events for this symbol by name.
    ///
    /// If a connection also subscribed to `*`, the connection may also be in a group of
    /// [`groups_of_all`](Self::groups_of_all).
    pub fn groups_of(&self, symbol: &Symbol, kind: Kind) -> impl Iterator<Item = &Group> {
        self.by_symbol.get(symbol).into_iter().flat_map(move |subscribers| subscribers.of(kind))
    }

    /// Subscribes a connection to these kinds of events of a symbol; the symbol `None` means `*`.
    pub fn add(
        &mut self,
        id: ConnectionId,
        subscription: &mut Subscription,
        symbol: Option<&Symbol>,
        kinds: KindSet,
    ) {
        let before = subscription.of(symbol);
        subscription.set(symbol, before.with(kinds));
        self.regroup(id, symbol, before, before.with(kinds));
    }

    /// Unsubscribes a connection from these kinds of events of a symbol; the symbol `None` means `*`.
    pub fn remove(
        &mut self,
        id: ConnectionId,
        subscription: &mut Subscription,
        symbol: Option<&Symbol>,
        kinds: KindSet,
    ) {
        let before = subscription.of(symbol);
        subscription.set(symbol, before.without(kinds));
        self.regroup(id, symbol, before, before.without(kinds));
    }

    /// Removes one symbol, or `*`, from a connection's subscription; returns false if the subscription was
    /// empty.
    pub fn remove_one(&mut self, id: ConnectionId, subscription: &mut Subscription) -> bool {
        let Some((symbol, kinds)) = subscription.pop() else { return false };
        self.regroup(id, symbol.as_ref(), kinds, KindSet::NONE);
        true
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

    /// Moves a connection to the group for the kinds in `to`; the old group is the group for the kinds in
    /// `from`. If `to` is empty, only removes the connection from its old group.
    fn regroup(&mut self, id: ConnectionId, from: KindSet, to: KindSet) {
        let find = |groups: &[(KindSet, Group)], of| groups.iter().position(|(kinds, _)| *kinds == of);
        if let Some(index) = find(&self.0, from) {
            let (_, group) = &mut self.0[index];
            group.swap_remove(&id);
            if group.is_empty() {
                self.0.swap_remove(index);
            }
        }
        if !to.is_empty() {
            let index = find(&self.0, to).unwrap_or_else(|| {
                self.0.push((to, Group::default()));
                self.0.len() - 1
            });
            self.0[index].1.insert(id);
        }
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

    /// Returns the connections in these groups, sorted by number. A connection that is in two groups is
    /// listed twice.
    fn ids<'a>(groups: impl Iterator<Item = &'a Group>) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = groups.flatten().copied().collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_star_and_a_name_are_independent() {
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
    fn a_symbol_without_subscribers_needs_no_memory() {
        let mut index = SubscriptionIndex::default();
        let mut subscription = Subscription::default();

        for _ in 0..2 {
            index.add(7, &mut subscription, Some(&symbol("X")), Kind::Bar.into());
        }
        assert_eq!(ids(index.groups_of(&symbol("X"), Kind::Bar)), [7]);
        index.remove(7, &mut subscription, Some(&symbol("X")), KindSet::ALL);

        assert!(index.by_symbol.is_empty() && subscription.len() == 0);
    }

    #[test]
    fn connections_with_the_same_kinds_share_a_group_and_one_moves_when_its_kinds_change() {
        let mut index = SubscriptionIndex::default();
        let mut subscription = [Subscription::default(), Subscription::default()];
        let aapl = symbol("AAPL");
        for (id, subscription) in subscription.iter_mut().enumerate() {
            index.add(id, subscription, Some(&aapl), KindSet::ALL);
        }
        let groups = |index: &SubscriptionIndex, kind| {
            index.groups_of(&aapl, kind).map(|group| ids([group].into_iter())).collect::<Vec<_>>()
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
        Disconnect(ConnectionId),
    }

    const CONNECTIONS: usize = 5;
    const SYMBOLS: [Option<&str>; 4] = [None, Some("A"), Some("B"), Some("C")];

    fn step() -> impl Strategy<Value = Step> {
        let symbol = || (0..SYMBOLS.len()).prop_map(|symbol| SYMBOLS[symbol]);
        let kinds = || {
            any::<[bool; 3]>().prop_map(|included| {
                let kinds = Kind::CHANNELS.into_iter().filter(|kind| included[kind.index()]);
                kinds.fold(KindSet::NONE, |kinds, kind| kinds.with(kind.into()))
            })
        };
        prop_oneof![
            4 => (0..CONNECTIONS, symbol(), kinds()).prop_map(|(id, symbol, kinds)| Step::Add(id, symbol, kinds)),
            3 => (0..CONNECTIONS, symbol(), kinds()).prop_map(|(id, symbol, kinds)| Step::Remove(id, symbol, kinds)),
            1 => (0..CONNECTIONS).prop_map(Step::Disconnect),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_index_has_every_subscription_and_nothing_of_disconnected_connections(
            steps in vec(step(), 1..60),
        ) {
            let mut index = SubscriptionIndex::default();
            let mut subscription: [Subscription; CONNECTIONS] = Default::default();
            let mut model: BTreeMap<(Option<&str>, ConnectionId), KindSet> = BTreeMap::new();
            let end = (0..CONNECTIONS).map(Step::Disconnect);
            for step in steps.into_iter().chain(end) {
                match step {
                    Step::Add(id, name, kinds) => {
                        index.add(id, &mut subscription[id], name.map(symbol).as_ref(), kinds);
                        let kept = model.entry((name, id)).or_default();
                        *kept = kept.with(kinds);
                    }
                    Step::Remove(id, name, kinds) => {
                        index.remove(id, &mut subscription[id], name.map(symbol).as_ref(), kinds);
                        let kept = model.entry((name, id)).or_default();
                        *kept = kept.without(kinds);
                    }
                    Step::Disconnect(id) => {
                        while index.remove_one(id, &mut subscription[id]) {}
                        model.retain(|(_, other), _| *other != id);
                    }
                }
                for (name, kind) in SYMBOLS.into_iter().flat_map(|name| Kind::ALL.map(|kind| (name, kind))) {
                    let subscribers = model.iter().filter(|((of, _), kinds)| *of == name && kinds.contains(kind));
                    let expected: Vec<_> = subscribers.map(|((_, id), _)| *id).collect();
                    let found = match name {
                        None => ids(index.groups_of_all(kind)),
                        Some(name) => ids(index.groups_of(&symbol(name), kind)),
                    };
                    prop_assert_eq!(found, expected, "{:?} of {:?}", kind, name);
                }
            }
            prop_assert!(index.by_symbol.is_empty() && index.all.0.is_empty());
        }
    }
}
