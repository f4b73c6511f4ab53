//! The nouns: what happens in a market, and the exact values it happens with.
//!
//! Nothing here knows where an event came from or where it goes. What a source
//! does not say is `None`: never zero, never a guess.

mod day;
mod event;
mod feed;
mod number;
mod symbol;
mod time;

pub use day::Day;
pub use event::{Bar, Event, Kind, KindSet, Payload, Quote, Trade};
pub use feed::{FeedKind, FeedState};
pub use number::{NumberError, Price, Size};
pub use symbol::{Symbol, SymbolError};
pub use time::{Interval, IntervalError, Time, TimeError};
