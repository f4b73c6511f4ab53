//! For each symbol, the last-value cache holds the newest event of each kind, and the prices of the day.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::market::{Day, Event, Kind, Payload, Symbol, TradingState, TradingStatus};

/// An event with its sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencedEvent {
    /// The sequence number of the event; the first event has the number 1. An [unpublished
    /// event](LastValueCache::fold_unpublished) gets the cache's current sequence number.
    pub seq: u64,
    /// The event itself.
    pub event: Event,
}

/// The last values of one symbol: the newest event of each kind, and the prices of the day so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolValues {
    latest: [Option<SequencedEvent>; Kind::CHANNELS.len()],
    /// The newest trading status. Few symbols have one, so it is boxed to take little memory.
    status: Option<Box<SequencedEvent>>,
    day: Option<Day>,
}

/// The key of an event in the cache: the index of the event's symbol, and the event's kind. A newer event
/// replaces the older event with the same key.
pub type Key = (usize, Kind);

/// The last values of all symbols, computed from all events up to one sequence number. To fold an event into
/// the cache means to update the last values with the event.
///
/// A symbol gets its index in the cache when the symbol's first event is folded in. All caches of one log
/// give a symbol the same index, until the feed seeks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastValueCache {
    seq: u64,
    symbols: IndexMap<Symbol, SymbolValues>,
}

impl SymbolValues {
    /// Returns the symbol's newest event of this kind.
    #[must_use]
    pub fn latest(&self, kind: Kind) -> Option<&SequencedEvent> {
        match kind {
            Kind::Status => self.status.as_deref(),
            Kind::Trade | Kind::Quote | Kind::Bar => self.latest[kind.index()].as_ref(),
        }
    }

    /// Returns the symbol's newest trading status if trading has stopped; `None` while the symbol is traded.
    #[must_use]
    pub fn halt(&self) -> Option<&TradingStatus> {
        match &self.status.as_ref()?.event.payload {
            Payload::Status(status) => Some(status).filter(|status| status.state == TradingState::Halted),
            Payload::Trade(_) | Payload::Quote(_) | Payload::Bar(_) => None,
        }
    }

    /// Returns the symbol's prices of the day so far; `None` before the symbol's first trade or bar.
    #[must_use]
    pub fn day(&self) -> Option<&Day> {
        self.day.as_ref()
    }
}

impl LastValueCache {
    /// Returns an empty cache with this sequence number. Before a [seek](super::Bus::seek), a feed fills an
    /// empty cache with the last values at the new market time.
    #[must_use]
    pub fn at(seq: u64) -> Self {
        Self { seq, symbols: IndexMap::new() }
    }

    /// Returns a cache with this sequence number and these last values. The symbols get their indexes in this
    /// order.
    #[must_use]
    pub fn of(seq: u64, symbols: impl IntoIterator<Item = (Symbol, SymbolValues)>) -> Self {
        Self { seq, symbols: symbols.into_iter().collect() }
    }

    /// Returns the sequence number up to which events are folded into the cache; 0 before the first event.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Folds the next event into the cache. Returns the index of the event's symbol.
    pub fn fold(&mut self, seq: u64, event: &Event) -> usize {
        debug_assert_eq!(seq, self.seq + 1, "events are folded in sequence, without gaps");
        self.seq = seq;
        self.fold_unpublished(event)
    }

    /// Folds an unpublished event into the cache. Returns the index of the event's symbol.
    ///
    /// A seek folds the events before the new market time without publishing them. Several unpublished events
    /// may share the sequence number of the cache.
    pub fn fold_unpublished(&mut self, event: &Event) -> usize {
        let index = match self.symbols.get_index_of(&event.symbol) {
            Some(index) => index,
            None => self.symbols.insert_full(event.symbol.clone(), SymbolValues::default()).0,
        };
        let last = &mut self.symbols[index];
        match &event.payload {
            Payload::Trade(trade) => Day::fold_trade(&mut last.day, event.time, trade),
            Payload::Bar(bar) => Day::fold_bar(&mut last.day, event.time, bar),
            Payload::Quote(_) | Payload::Status(_) => {}
        }
        let latest = SequencedEvent { seq: self.seq, event: event.clone() };
        match event.kind() {
            Kind::Status => last.status = Some(Box::new(latest)),
            kind => last.latest[kind.index()] = Some(latest),
        }
        index
    }

    /// Returns a symbol's newest events, and the symbol's prices of the day; `None` if the symbol has no
    /// data.
    #[must_use]
    pub fn get(&self, symbol: &Symbol) -> Option<&SymbolValues> {
        self.symbols.get(symbol)
    }

    /// Returns how many symbols have data.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Returns whether no symbol has data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Returns the index of a symbol; `None` if the symbol has no data.
    #[must_use]
    pub fn index_of(&self, symbol: &Symbol) -> Option<usize> {
        self.symbols.get_index_of(symbol)
    }

    /// Returns the symbol with this index, the symbol's newest events, and its prices of the day.
    #[must_use]
    pub fn get_index(&self, index: usize) -> Option<(&Symbol, &SymbolValues)> {
        self.symbols.get_index(index)
    }

    /// Returns the newest event with this key.
    #[must_use]
    pub fn latest(&self, (index, kind): Key) -> Option<&SequencedEvent> {
        self.symbols.get_index(index)?.1.latest(kind)
    }

    /// Returns the approximate size of the cache, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names: usize = self.symbols.keys().map(|symbol| symbol.as_str().len()).sum();
        self.symbols.len() * size_of::<(Symbol, SymbolValues)>() + names
    }

    /// Returns all symbols that have data, with their last values, in the order of the symbols' indexes.
    pub fn iter(&self) -> impl Iterator<Item = (&Symbol, &SymbolValues)> {
        self.symbols.iter()
    }
}
