//! What happens in a market.

use super::{Interval, Price, Size, Symbol, Time};

/// One thing that happened in the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The instrument it happened to.
    pub symbol: Symbol,
    /// When it happened, in market time; a bar's is its source's own label, normally the start of the interval.
    pub time: Time,
    /// What happened.
    pub payload: Payload,
}

/// What happened: a trade, a change of the best bid and offer, or the end of a bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A price was paid.
    Trade(Trade),
    /// The top of the book changed.
    Quote(Quote),
    /// An interval ended.
    Bar(Bar),
}

/// A trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The price paid.
    pub price: Price,
    /// How much changed hands.
    pub size: Option<Size>,
}

/// The top of the book; one side at least is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The best price at which somebody buys.
    pub bid: Option<Price>,
    /// How much is bid for at that price.
    pub bid_size: Option<Size>,
    /// The best price at which somebody sells.
    pub ask: Option<Price>,
    /// How much is on offer at that price.
    pub ask_size: Option<Size>,
}

/// An interval of trading in four prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The length of the interval.
    pub interval: Option<Interval>,
    /// The first price.
    pub open: Option<Price>,
    /// The highest price.
    pub high: Option<Price>,
    /// The lowest price.
    pub low: Option<Price>,
    /// The last price.
    pub close: Price,
    /// How much changed hands.
    pub volume: Option<Size>,
}

/// The three kinds of event, each a channel that a client can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Trades.
    Trade,
    /// Top-of-book quotes.
    Quote,
    /// Bars.
    Bar,
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u8);

impl Event {
    /// Which of the three kinds this is.
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
    /// All kinds, in the order in which replies list them.
    pub const ALL: [Self; 3] = [Self::Trade, Self::Quote, Self::Bar];

    /// The kind's place in [`Kind::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl KindSet {
    /// All three kinds.
    pub const ALL: Self = Self(0b111);
    /// No kind.
    pub const NONE: Self = Self(0);

    /// Whether the kind is in the set.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether no kind is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with those of `other` added.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set with those of `other` taken away.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The kinds in the set, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl From<Kind> for KindSet {
    fn from(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }
}
