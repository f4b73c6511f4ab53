//! The events of one symbol, minute by minute.

use super::arrivals::{Arrivals, Times};
use super::bridge::Bridge;
use super::minutes::Minute;
use super::path::Move;
use super::quotes::{Book, Sizes, Tick};
use super::random::{Key, Stream};
use crate::market::{Event, Symbol, Time};

/// The probability that a trade follows a trade, and that a trade follows a quote, times 2^16. On average,
/// four of ten events are trades.
const TRADE_AFTER: [u64; 2] = [17_476, 39_322];

/// A spread is at most this part of the price.
const WIDEST: f64 = 0.1;

/// The length of a tooth of the profile `saw`, and the time of each of its ticks, in nanoseconds.
const TOOTH: i64 = 60_000_000_000;
const TOOTH_TICK: i64 = 600_000_000;

/// What the events of a symbol depend on.
#[derive(Clone, Debug)]
pub struct Ticker {
    /// The symbol.
    pub symbol: Symbol,
    /// The grid of prices.
    pub tick: Tick,
    /// The times of the events.
    pub arrivals: Arrivals,
    /// What the prices of the events are.
    pub prices: Prices,
    /// The keys of the random numbers: of the price within a minute, and of the kinds and sizes.
    pub keys: [Key; 2],
    /// No event is before this time.
    pub start: i64,
}

/// What the prices of a symbol's events are.
#[derive(Clone, Debug)]
pub enum Prices {
    /// Bids and asks around the price of the path.
    Quoted {
        /// Half the spread, as a multiple of the standard deviation of the price in a minute.
        half_spread: f64,
        /// The probability that a trade is on the other side than the trade before, times 2^16.
        side_change: u64,
        /// Whether trades are at the bid or the ask, not between them.
        has_bounce: bool,
        /// Whether a quote at the start precedes all other events.
        has_opening_quote: bool,
    },
    /// This number of ticks.
    Flat(i64),
    /// This number of ticks, and one more every 0.6 s until the end of a minute.
    Saw(i64),
    /// The number of the event, counted from 1.
    Step,
}

/// The events of a symbol in a minute, and the book that the minute before has left.
#[derive(Clone, Debug)]
pub struct Tape {
    minute: Minute,
    moved: Move,
    times: Times,
    marks: Stream,
    /// The price within the minute; `None` before the first quote.
    bridge: Option<Bridge>,
    book: Option<Book>,
    /// Whether the newest event of the minute is a trade.
    is_after_trade: bool,
    /// Whether the newest trade of the minute was at the ask.
    is_ask: bool,
    /// Whether the quote at the start is still to come.
    owes_opening_quote: bool,
}

impl Ticker {
    /// Begins a minute. `book` is the newest book, if there is one.
    pub fn begin(&self, minute: &Minute, moved: &Move, book: Option<Book>) -> Tape {
        let mut marks = self.keys[1].stream(minute.number);
        let is_ask = marks.bits() & 1 == 0;
        let has_opening_quote = matches!(self.prices, Prices::Quoted { has_opening_quote: true, .. });
        let mut tape = Tape {
            minute: minute.clone(),
            moved: *moved,
            times: self.arrivals.begin(minute, moved.activity),
            marks,
            bridge: None,
            book,
            is_after_trade: false,
            is_ask,
            owes_opening_quote: has_opening_quote && minute.number == 0,
        };
        while self.arrivals.peek(&tape.times, minute).is_some_and(|time| time < self.start) {
            tape.times.advance();
        }
        tape
    }

    /// Returns the time of the next event of the minute.
    pub fn peek(&self, tape: &Tape) -> Option<i64> {
        if tape.owes_opening_quote {
            return Some(self.start.max(tape.minute.span.start));
        }
        self.arrivals.peek(&tape.times, &tape.minute)
    }

    /// Makes the next event of the minute, which [`peek`](Self::peek) has announced. Returns `None` if the
    /// event is a trade whose price is not known, because no quote was made since a seek.
    pub fn next(&self, tape: &mut Tape, sizes: &Sizes) -> Option<Event> {
        let time = self.peek(tape)?;
        let number = tape.times.number();
        let is_first = match self.prices {
            Prices::Quoted { has_opening_quote: true, .. } => tape.owes_opening_quote,
            _ => number == 0,
        };
        if tape.owes_opening_quote {
            tape.owes_opening_quote = false;
        } else {
            tape.times.advance();
        }
        let bits = tape.marks.bits();
        let [kind, side, one, other] = [0, 16, 32, 48].map(|shift| bits >> shift & 0xffff);
        // The first event of a symbol is a quote, because the price of a trade is the bid or the ask of the
        // quote before it.
        let is_trade = !is_first && kind < TRADE_AFTER[usize::from(tape.is_after_trade)];
        tape.is_after_trade = is_trade;
        let payload = if is_trade {
            let price = self.tick.price(self.paid(tape, time, number, side)?);
            sizes.trade(price, tape.moved.size, [one, other])
        } else {
            let book = self.book(tape, time, number, side);
            tape.book = Some(book);
            book.quote(self.tick, sizes, [one, other])
        };
        Some(Event { symbol: self.symbol.clone(), time: Time::from_nanos(time), payload })
    }

    /// Returns the price of a trade, in ticks; `None` if the book is not known.
    fn paid(&self, tape: &mut Tape, time: i64, number: u64, side: u64) -> Option<i64> {
        let Prices::Quoted { side_change, has_bounce, .. } = self.prices else {
            return Some(self.script(time, number));
        };
        if side < side_change {
            tape.is_ask = !tape.is_ask;
        }
        if !has_bounce {
            let price = self.price(tape, time);
            return Some(Book::around(price, 0).bid);
        }
        let book = tape.book?;
        Some(if tape.is_ask { book.ask } else { book.bid })
    }

    /// Returns the book of a quote. A book stays as it is until the price leaves it, or until the next
    /// minute.
    fn book(&self, tape: &mut Tape, time: i64, number: u64, random: u64) -> Book {
        let Prices::Quoted { half_spread, .. } = self.prices else {
            let bid = self.script(time, number);
            return Book { bid, ask: bid + 1 };
        };
        let is_first_of_minute = tape.bridge.is_none();
        let price = self.price(tape, time);
        match tape.book {
            Some(book) if !is_first_of_minute && book.holds(price) => book,
            _ => Book::around(price, spread(price, half_spread * tape.moved.sd, random)),
        }
    }

    /// Returns the price of the path, in ticks.
    #[expect(clippy::cast_precision_loss, reason = "a minute has far fewer than 2^52 nanoseconds")]
    fn price(&self, tape: &mut Tape, time: i64) -> f64 {
        let (minute, moved, unit) = (&tape.minute, &tape.moved, self.tick.unit);
        let stream = self.keys[0].stream(minute.number);
        let bridge = tape.bridge.get_or_insert_with(|| Bridge::new(moved, unit, stream));
        let length = (minute.span.end - minute.span.start) as f64;
        bridge.price((time - minute.span.start) as f64 / length)
    }

    /// Returns the price of a profile that is no market, in ticks.
    fn script(&self, time: i64, number: u64) -> i64 {
        match self.prices {
            Prices::Quoted { .. } | Prices::Step => i64::try_from(number).unwrap_or(i64::MAX - 2) + 1,
            Prices::Flat(ticks) => ticks,
            Prices::Saw(ticks) => ticks + (time - self.start).rem_euclid(TOOTH) / TOOTH_TICK,
        }
    }
}

#[cfg(test)]
impl Tape {
    /// Moves on to the next event without making the present one.
    pub fn skip(&mut self) {
        self.owes_opening_quote = false;
        self.times.advance();
    }
}

impl Tape {
    /// Returns the newest book.
    pub fn book(&self) -> Option<Book> {
        self.book
    }
}

/// Returns a spread of whole ticks. The price is in ticks, and `half` is half the mean spread as a part of
/// the price.
#[expect(clippy::cast_possible_truncation, reason = "prices are bounded far below 2^53 ticks")]
#[expect(clippy::cast_precision_loss, reason = "16 bits fit into the number")]
fn spread(price: f64, half: f64, random: u64) -> i64 {
    let varied = 2.0 * half * (0.75 + 0.5 * (random as f64 / 65_536.0));
    ((price * varied.min(WIDEST) + 0.5).floor() as i64).max(1)
}
