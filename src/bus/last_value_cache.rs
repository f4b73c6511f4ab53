//! The fold: the last values of each symbol.

use indexmap::IndexMap;

use crate::market::{Day, Event, Kind, Payload, Symbol};

/// An event with its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequencedEvent {
    /// Its place in the count of the feed, from 1; of an event that was [absorbed](LastValueCache::absorb), the head at that
    /// moment.
    pub seq: u64,
    /// What happened.
    pub event: Event,
}

/// The latest of each kind for one symbol, and its day so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolValues {
    latest: [Option<SequencedEvent>; 3],
    day: Option<Day>,
}

/// What a newer event replaces: the latest one of a symbol, by its index, and a kind.
pub type Key = (usize, Kind);

/// What the events up to one sequence number leave behind.
///
/// Symbols keep the index of their first event: two folds of one log agree on it, from one seek to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastValueCache {
    seq: u64,
    symbols: IndexMap<Symbol, SymbolValues>,
}

impl SymbolValues {
    /// The latest event of a kind.
    #[must_use]
    pub fn latest(&self, kind: Kind) -> Option<&SequencedEvent> {
        self.latest[kind.index()].as_ref()
    }

    /// The day so far; `None` before the first trade and the first bar.
    #[must_use]
    pub fn day(&self) -> Option<&Day> {
        self.day.as_ref()
    }
}

impl LastValueCache {
    /// Nothing yet, at a place in the count: what a [seek](super::Bus::seek) puts together.
    #[must_use]
    pub fn at(seq: u64) -> Self {
        Self { seq, symbols: IndexMap::new() }
    }

    /// The newest event folded in; 0 before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Takes the next event in, and returns its symbol's index.
    pub fn fold(&mut self, seq: u64, event: &Event) -> usize {
        debug_assert_eq!(seq, self.seq + 1, "events are folded without holes");
        self.seq = seq;
        self.absorb(event)
    }

    /// Takes in an event that is not published and so has no number of its own, and returns its symbol's index. In
    /// snapshots its `seq` is the one that the fold stands at, as it may be for several: they cover all up to there.
    pub fn absorb(&mut self, event: &Event) -> usize {
        let index = match self.symbols.get_index_of(&event.symbol) {
            Some(index) => index,
            None => self.symbols.insert_full(event.symbol.clone(), SymbolValues::default()).0,
        };
        let last = &mut self.symbols[index];
        match &event.payload {
            Payload::Trade(trade) => Day::fold_trade(&mut last.day, event.time, trade),
            Payload::Bar(bar) => Day::fold_bar(&mut last.day, event.time, bar),
            Payload::Quote(_) => {}
        }
        last.latest[event.kind().index()] = Some(SequencedEvent { seq: self.seq, event: event.clone() });
        index
    }

    /// The last values of a symbol, where it has any.
    #[must_use]
    pub fn get(&self, symbol: &Symbol) -> Option<&SymbolValues> {
        self.symbols.get(symbol)
    }

    /// How many symbols have data.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether no symbol has data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// The index of a symbol, where it has data.
    #[must_use]
    pub fn index_of(&self, symbol: &Symbol) -> Option<usize> {
        self.symbols.get_index_of(symbol)
    }

    /// The symbol with this index, and its last values.
    #[must_use]
    pub fn get_index(&self, index: usize) -> Option<(&Symbol, &SymbolValues)> {
        self.symbols.get_index(index)
    }

    /// Returns the latest event of a key.
    #[must_use]
    pub fn latest(&self, (index, kind): Key) -> Option<&SequencedEvent> {
        self.symbols.get_index(index)?.1.latest(kind)
    }

    /// About how many bytes this takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names: usize = self.symbols.keys().map(|symbol| symbol.as_str().len()).sum();
        self.symbols.len() * size_of::<(Symbol, SymbolValues)>() + names
    }

    /// All symbols that have data, in the order of their first events.
    pub fn iter(&self) -> impl Iterator<Item = (&Symbol, &SymbolValues)> {
        self.symbols.iter()
    }
}
