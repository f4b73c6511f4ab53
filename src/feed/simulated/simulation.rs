//! The simulation: merges the events of all symbols by time, and seeks.
//!
//! A seek goes back to a moment from which all last values and the day's statistics at the target can be
//! computed. From there, the simulation makes the same events as a run without seeks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::factors::{Factors, Shocks};
use super::grid::{Checkpoints, Grid, Setup};
use super::path::Move;
use super::quotes::{Book, Sizes};
use super::ticker::{Tape, Ticker};
use crate::market::{Event, Payload, Symbol, Time};

/// How many minutes [`Simulation::walk_to`] walks at most, if there are 30 symbols.
const SLICE: usize = 256;

/// A book that stands for one that is not known.
const ANY_BOOK: Book = Book { bid: 1, ask: 2 };

const DAY: i64 = 86_400_000_000_000;
const MINUTE: i64 = 60_000_000_000;

/// The endless events of the simulation, in the order of their times.
#[derive(Debug)]
pub struct Simulation {
    setup: Setup,
    sizes: Sizes,
    start: i64,
    tickers: Vec<Ticker>,
    grid: Grid,
    checkpoints: Checkpoints,
    /// The grid of a walk that is not at its target yet.
    walker: Option<Grid>,
    /// The events of the current minute, one tape for each symbol.
    tapes: Vec<Tape>,
    /// The time of each symbol's next event in the current minute, and the symbol's index.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    moves: Vec<Move>,
    shocks: Shocks,
}

impl Simulation {
    /// Creates the simulation of these symbols from a start.
    pub(super) fn begin(
        setup: Setup,
        factors: Factors,
        sizes: Sizes,
        tickers: Vec<Ticker>,
        start: Time,
    ) -> Self {
        let start = start.as_nanos();
        let grid = Grid::new(&setup, factors, start);
        Self {
            checkpoints: Checkpoints::new(grid.clone()),
            walker: None,
            setup,
            sizes,
            start,
            tickers,
            grid,
            tapes: Vec::new(),
            next: BinaryHeap::new(),
            moves: Vec::new(),
            shocks: Shocks::default(),
        }
    }

    /// Returns the symbols.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.tickers.iter().map(|ticker| &ticker.symbol)
    }

    /// Returns the market time at which the simulation starts.
    #[must_use]
    pub fn start(&self) -> Time {
        Time::from_nanos(self.start)
    }

    /// Walks towards a market time without making events, to prepare a [seek](Self::seek). Returns false if
    /// the function must be called again, because the time is far away.
    pub fn walk_to(&mut self, target: Time) -> bool {
        let mut grid = self.walker.take().unwrap_or_else(|| self.checkpoints.newest().clone());
        let slice = (SLICE * 30 / self.tickers.len().max(30)).max(1);
        for _ in 0..slice {
            let is_there = grid.begin() > target.as_nanos();
            if is_there || grid.step(&self.setup, &mut self.shocks, &mut self.moves).is_none() {
                return true;
            }
            self.checkpoints.offer(&grid);
        }
        self.walker = Some(grid);
        false
    }

    /// Goes to a market time. Some events before this time follow first. They give every symbol its last
    /// values and its statistics of the day at this time. The caller must not publish them.
    ///
    /// Before, [`walk_to`](Self::walk_to) must have returned true for the time.
    pub fn seek(&mut self, target: Time) {
        let target = target.as_nanos();
        self.grid = self.base(target);
        self.tapes.clear();
        self.next.clear();
    }

    /// Returns the grid at a moment from which the last values at `target` can be computed. There is a
    /// midnight since which each symbol has a trade, so its newest day is complete. Between the moment and
    /// this midnight, each symbol has a quote and then a trade.
    fn base(&mut self, target: i64) -> Grid {
        let mut midnight = target.div_euclid(DAY) * DAY;
        while midnight > self.start {
            let since = self.grid_at(midnight);
            if self.all_trade(since, Some(ANY_BOOK), target) {
                for minutes in [1, 4, 16, 64, 256, 1024, 4096] {
                    let grid = self.grid_at(midnight - minutes * MINUTE);
                    if self.all_trade(grid.clone(), None, midnight) {
                        return grid;
                    }
                }
            }
            midnight -= DAY;
        }
        self.checkpoints.before(self.start).clone()
    }

    /// Returns the grid at the first full minute at or after a time.
    fn grid_at(&mut self, time: i64) -> Grid {
        let mut grid = self.checkpoints.before(time).clone();
        while grid.begin() < time && grid.step(&self.setup, &mut self.shocks, &mut self.moves).is_some() {}
        grid
    }

    /// Returns whether each symbol has a trade from the grid's minute to a time. Without a `book`, only
    /// trades after a quote count.
    fn all_trade(&mut self, mut grid: Grid, book: Option<Book>, until: i64) -> bool {
        let mut pending: Vec<(usize, Option<Book>)> =
            (0..self.tickers.len()).map(|symbol| (symbol, book)).collect();
        while !pending.is_empty() && grid.begin() < until {
            let Some(minute) = grid.step(&self.setup, &mut self.shocks, &mut self.moves) else { break };
            pending.retain_mut(|(symbol, book)| {
                let ticker = &self.tickers[*symbol];
                let mut tape = ticker.begin(&minute, &self.moves[*symbol], *book);
                while ticker.peek(&tape).is_some_and(|time| time < until) {
                    let event = ticker.next(&mut tape, &self.sizes);
                    if event.is_some_and(|event| matches!(event.payload, Payload::Trade(_))) {
                        return false;
                    }
                }
                *book = tape.book();
                true
            });
        }
        pending.is_empty()
    }

    /// Begins the next minute. Returns false at the end of market time.
    fn next_minute(&mut self) -> bool {
        let Some(minute) = self.grid.step(&self.setup, &mut self.shocks, &mut self.moves) else {
            return false;
        };
        self.checkpoints.offer(&self.grid);
        let books: Vec<_> = self.tapes.iter().map(Tape::book).collect();
        self.tapes.clear();
        for (symbol, (ticker, moved)) in self.tickers.iter().zip(&self.moves).enumerate() {
            let tape = ticker.begin(&minute, moved, books.get(symbol).copied().flatten());
            if let Some(time) = ticker.peek(&tape) {
                self.next.push(Reverse((time, symbol)));
            }
            self.tapes.push(tape);
        }
        true
    }
}

impl Iterator for Simulation {
    type Item = Event;

    /// Returns the next event; `None` at the end of market time.
    fn next(&mut self) -> Option<Event> {
        loop {
            let Some(mut next) = self.next.peek_mut() else {
                if self.next_minute() {
                    continue;
                }
                return None;
            };
            let symbol = next.0.1;
            let (ticker, tape) = (&self.tickers[symbol], &mut self.tapes[symbol]);
            let event = ticker.next(tape, &self.sizes);
            match ticker.peek(tape) {
                Some(time) => next.0.0 = time,
                None => drop(PeekMut::pop(next)),
            }
            if event.is_some() {
                return event;
            }
        }
    }
}

/// What a test measures of a minute.
#[cfg(test)]
pub struct MeasuredMinute {
    /// The minute.
    pub minute: super::minutes::Minute,
    /// The change of the logarithm of each symbol's price.
    pub changes: Vec<f64>,
    /// The number of each symbol's events.
    pub counts: Vec<u32>,
    /// The volume of the first symbol.
    pub volume: i64,
}

#[cfg(test)]
impl Simulation {
    /// Counts the events of the next minute.
    pub fn measure_minute(&mut self) -> MeasuredMinute {
        let minute = self.grid.step(&self.setup, &mut self.shocks, &mut self.moves).unwrap();
        let mut volume = 0;
        let mut count = |(symbol, (ticker, moved)): (usize, (&Ticker, &Move))| {
            let mut tape = ticker.begin(&minute, moved, Some(ANY_BOOK));
            let mut count = 0;
            while ticker.peek(&tape).is_some() {
                count += 1;
                if symbol > 0 {
                    tape.skip();
                } else if let Some(Event { payload: Payload::Trade(trade), .. }) =
                    ticker.next(&mut tape, &self.sizes)
                {
                    volume += i64::try_from(trade.size.unwrap().0).unwrap();
                }
            }
            count
        };
        let counts = self.tickers.iter().zip(&self.moves).enumerate().map(&mut count).collect();
        let changes = self.moves.iter().map(|moved| moved.change + moved.jump).collect();
        MeasuredMinute { minute, changes, counts, volume }
    }

    /// Creates a simulation that panics at its first event.
    pub(in crate::feed) fn broken() -> Self {
        let mut simulation = Self::new(&super::Config::default()).unwrap();
        simulation.next.push(Reverse((0, usize::MAX)));
        simulation
    }
}
