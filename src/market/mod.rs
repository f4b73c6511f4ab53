//! The types for market data: symbol, exact price and size, time, trade, quote, bar and day.
//!
//! The types of this module do not depend on the source or the receivers of an event. If the source does not
//! state the value of a field, the field is `None`, and never zero or a guess.

mod day;
mod event;
mod feed;
mod number;
mod symbol;
mod time;

pub use day::Day;
pub use event::{Bar, Event, Kind, KindSet, Payload, Quote, Trade, TradingState, TradingStatus};
pub use feed::{FeedKind, FeedState};
pub use number::{NumberError, Price, Size};
pub use symbol::{Symbol, SymbolError};
pub use time::{Interval, IntervalError, Time, TimeError};
