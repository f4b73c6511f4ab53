//! Market events: trades, quotes and bars.

use serde::{Deserialize, Serialize};

use super::{Interval, Price, Size, Symbol, Time};

/// A market event. The serde form of an event is binary: the nodes of a cluster exchange events in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The instrument.
    pub symbol: Symbol,
    /// The market time of the event. A bar has the time that its source states, normally the start of the
    /// bar's interval.
    pub time: Time,
    /// The trade, quote or bar.
    pub payload: Payload,
}

/// The data of an event besides its symbol and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// A trade.
    Trade(Trade),
    /// A quote, which shows a change of the best bid or the best ask.
    Quote(Quote),
    /// A bar.
    Bar(Bar),
}

/// A trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// The price.
    pub price: Price,
    /// The size of the trade; `None` if the source states no size.
    pub size: Option<Size>,
}

/// A top-of-book quote: the best bid and ask. At least one side of the quote, the bid or the ask, is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The best bid.
    pub bid: Option<Price>,
    /// The size at the best bid.
    pub bid_size: Option<Size>,
    /// The best ask.
    pub ask: Option<Price>,
    /// The size at the best ask.
    pub ask_size: Option<Size>,
}

/// A bar: the prices and the volume of an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The length of the bar's interval; `None` if the source does not state the length.
    pub interval: Option<Interval>,
    /// The first price.
    pub open: Option<Price>,
    /// The highest price.
    pub high: Option<Price>,
    /// The lowest price.
    pub low: Option<Price>,
    /// The last price.
    pub close: Price,
    /// The volume of the bar; `None` if the source states no volume.
    pub volume: Option<Size>,
}

/// The kind of an event. Each kind is a channel to which clients can subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Trades.
    Trade,
    /// Top-of-book quotes.
    Quote,
    /// Bars.
    Bar,
}

/// A set of kinds of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u8);

impl Event {
    /// Returns the kind of the payload.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.payload {
            Payload::Trade(_) => Kind::Trade,
            Payload::Quote(_) => Kind::Quote,
            Payload::Bar(_) => Kind::Bar,
        }
    }
}

impl Kind {
    /// All kinds of events, in the order in which replies list the kinds.
    pub const ALL: [Self; 3] = [Self::Trade, Self::Quote, Self::Bar];

    /// Returns the index of the kind in [`Kind::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl KindSet {
    /// The set that contains all kinds of events.
    pub const ALL: Self = Self(0b111);
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Returns whether the kind is in the set.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the union of this set and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns this set without the kinds in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the kinds in the set, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl From<Kind> for KindSet {
    fn from(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }
}
