//! Market events: trades, quotes, bars and trading statuses.

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
    /// The trade, quote, bar or trading status.
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
    /// A trading status: trading in the symbol stops or goes on.
    Status(TradingStatus),
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

/// A trading status: whether the symbol is traded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradingStatus {
    /// Whether trading goes on or has stopped.
    pub state: TradingState,
    /// Why trading stops or goes on; `None` if the source states no reason. A reason has at most
    /// [`MAX_REASON_BYTES`](Self::MAX_REASON_BYTES) bytes, and no control characters.
    pub reason: Option<Box<str>>,
}

/// Whether a symbol is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TradingState {
    /// Trading goes on.
    Trading,
    /// Trading has stopped.
    Halted,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Trades.
    Trade,
    /// Top-of-book quotes.
    Quote,
    /// Bars.
    Bar,
    /// Trading statuses.
    Status,
}

/// A set of channels. Trades, quotes and bars are a channel each.
///
/// A set that has any channel contains trading statuses, too, because statuses go to all subscribers of a symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u8);

impl Event {
    /// The maximum size of an event's texts, in bytes of UTF-8.
    pub const MAX_TEXT_BYTES: usize = 4 * Symbol::MAX_CHARS + TradingStatus::MAX_REASON_BYTES;

    /// Returns the size of the event's texts: the symbol's name, and the reason of a trading status.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let reason = match &self.payload {
            Payload::Status(TradingStatus { reason: Some(reason), .. }) => reason.len(),
            _ => 0,
        };
        self.symbol.as_str().len() + reason
    }

    /// Returns the kind of the payload.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.payload {
            Payload::Trade(_) => Kind::Trade,
            Payload::Quote(_) => Kind::Quote,
            Payload::Bar(_) => Kind::Bar,
            Payload::Status(_) => Kind::Status,
        }
    }
}

impl TradingStatus {
    /// The maximum length of a reason, in bytes of UTF-8.
    pub const MAX_REASON_BYTES: usize = 64;
}

impl TradingState {
    /// Returns the name of the state in frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::Halted => "halted",
        }
    }
}

impl Kind {
    /// The kinds of events to which clients can subscribe, in the order in which replies list the kinds.
    pub const CHANNELS: [Self; 3] = [Self::Trade, Self::Quote, Self::Bar];

    /// All kinds of events.
    pub const ALL: [Self; 4] = [Self::Trade, Self::Quote, Self::Bar, Self::Status];

    /// Returns the name of the kind, which is the `type` of a frame.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Quote => "quote",
            Self::Bar => "bar",
            Self::Status => "status",
        }
    }

    /// Returns the index of the kind in [`Kind::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl KindSet {
    /// The bit of trading statuses, which every set with a channel has.
    const STATUS: u8 = 1 << Kind::Status as u8;

    /// The set of all channels.
    pub const ALL: Self = Self(0b111 | Self::STATUS);
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Returns whether a subscriber of these channels gets events of this kind.
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

    /// Returns this set without the channels in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        let channels = self.0 & !other.0 & !Self::STATUS;
        if channels == 0 { Self::NONE } else { Self(channels | Self::STATUS) }
    }

    /// Returns the channels in the set, in the order of [`Kind::CHANNELS`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::CHANNELS.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl From<Kind> for KindSet {
    /// Returns the set of one channel. Returns the empty set for trading statuses, which are no channel.
    fn from(kind: Kind) -> Self {
        if kind == Kind::Status { Self::NONE } else { Self(1 << kind as u8 | Self::STATUS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_belong_to_every_set_that_has_a_channel() {
        for kind in Kind::CHANNELS {
            let set = KindSet::from(kind);
            assert!(set.contains(kind) && set.contains(Kind::Status));
            assert_eq!(set.iter().collect::<Vec<_>>(), [kind]);
            assert!(set.without(kind.into()).is_empty());
        }
        assert!(!KindSet::NONE.contains(Kind::Status));
        assert!(KindSet::from(Kind::Status).is_empty());
        assert_eq!(KindSet::ALL.without(Kind::Trade.into()).iter().count(), 2);
    }
}
