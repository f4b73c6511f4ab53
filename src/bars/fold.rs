//! Folds the log into the bars of all symbols, and evicts bars beyond `bars.bytes`.

use std::sync::Arc;

use indexmap::IndexMap;

use super::config::Config;
use super::series::Series;
use super::symbol_bars::{Evicted, SymbolBars};
use crate::bus::{Checkpoint, Read, Segment};
use crate::market::{Event, Kind, Payload, Symbol, Time};

/// The approximate size of a symbol without bars, in bytes.
const SYMBOL_BYTES: usize = size_of::<(Symbol, SymbolBars)>() + 2 * size_of::<usize>();

/// The bars of all symbols, folded from all entries of the log up to one position.
#[derive(Debug)]
pub struct Fold {
    config: Config,
    /// The epoch of the events that were folded.
    epoch: Arc<str>,
    symbols: IndexMap<Symbol, SymbolBars>,
    /// The current market time: the time of the newest event, or of a later seek.
    market_time: Time,
    /// The sequence number of the newest event that was folded.
    seq: u64,
    bytes: usize,
    /// The fold evicts bars when `bytes` exceeds this number.
    evict_above: usize,
    evicted: Evicted,
    lags: u64,
    missed: u64,
}

/// What `/metrics` shows about the bars in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// How many bytes the bars of all symbols take.
    pub bytes: usize,
    /// How many bars were evicted.
    pub evicted: Evicted,
    /// How often the log had already evicted the entry that the fold needed next.
    pub lags: u64,
    /// How many events the fold missed when it lagged.
    pub missed: u64,
}

impl Fold {
    /// Returns a fold that starts at a checkpoint of the log.
    #[must_use]
    pub fn new(config: Config, checkpoint: &Checkpoint) -> Self {
        let evict_above = config.bytes;
        let mut fold = Self {
            config,
            epoch: Arc::clone(&checkpoint.epoch),
            symbols: IndexMap::new(),
            market_time: Time::from_nanos(i64::MIN),
            seq: 0,
            bytes: 0,
            evict_above,
            evicted: Evicted::default(),
            lags: 0,
            missed: 0,
        };
        fold.resume(checkpoint);
        fold
    }

    /// Folds what a reader has read from the log.
    pub fn apply(&mut self, read: &Read) {
        match read {
            Read::Segment(segment) => match &**segment {
                Segment::Events { first, events } => {
                    events.iter().for_each(|event| self.event(event));
                    self.seq = first + events.len() as u64 - 1;
                }
                Segment::FeedState { .. } => {}
                Segment::Seek { seek, last_values, .. } => {
                    self.seek(seek.position);
                    for (symbol, _) in last_values.iter() {
                        self.index_of(symbol);
                    }
                }
            },
            // In another epoch, the feed begins anew.
            Read::Lagged(checkpoint) if checkpoint.epoch != self.epoch => {
                let Figures { evicted, lags, missed, .. } = self.figures();
                *self = Self { evicted, lags, missed, ..Self::new(self.config.clone(), checkpoint) };
            }
            Read::Lagged(checkpoint) => {
                let after = self.seq;
                let folded = self.resume(checkpoint);
                self.lags += 1;
                self.missed += self.seq - after - folded;
            }
        }
    }

    /// Returns the bars of a symbol; `None` if the feed has published no event of the symbol.
    #[must_use]
    pub fn get(&self, symbol: &Symbol) -> Option<&SymbolBars> {
        self.symbols.get(symbol)
    }

    /// Returns the current market time.
    #[must_use]
    pub fn market_time(&self) -> Time {
        self.market_time
    }

    /// Returns the sequence number of the newest event that was folded.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the figures for `/metrics`.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures { bytes: self.bytes, evicted: self.evicted, lags: self.lags, missed: self.missed }
    }

    /// Continues at a checkpoint. The events between the newest folded event and the checkpoint are missed,
    /// except the newest event of each symbol and kind. Returns the number of these newest events.
    fn resume(&mut self, Checkpoint { last_values, seek, .. }: &Checkpoint) -> u64 {
        let mut after = self.seq;
        if let Some(seek) = seek.filter(|seek| seek.after >= after) {
            self.seek(seek.position);
            // Events with this sequence number may be from before the seek.
            after = seek.after;
        }
        let mut folded = 0;
        for (symbol, values) in last_values.iter() {
            self.index_of(symbol);
            let latest = Kind::CHANNELS.into_iter().filter_map(|kind| values.latest(kind));
            for latest in latest.filter(|latest| latest.seq > after) {
                self.event(&latest.event);
                folded += 1;
            }
        }
        self.seq = last_values.seq();
        folded
    }

    fn event(&mut self, Event { symbol, time, payload }: &Event) {
        self.market_time = self.market_time.max(*time);
        let index = self.index_of(symbol);
        let bars = &mut self.symbols[index];
        let before = bars.bytes();
        match payload {
            Payload::Trade(trade) => bars.trade(*time, trade, &self.config, &mut self.evicted),
            Payload::Bar(bar) => bars.bar(*time, bar, &self.config, &mut self.evicted),
            Payload::Quote(_) | Payload::Status(_) => return,
        }
        self.bytes = self.bytes - before + bars.bytes();
        if self.bytes > self.evict_above {
            self.evict();
        }
    }

    fn seek(&mut self, target: Time) {
        self.market_time = target;
        for bars in self.symbols.values_mut() {
            let before = bars.bytes();
            bars.seek(target);
            self.bytes = self.bytes - before + bars.bytes();
        }
        self.evict_above = self.config.bytes;
    }

    /// Returns the index of a symbol. Adds an unknown symbol.
    fn index_of(&mut self, symbol: &Symbol) -> usize {
        self.symbols.get_index_of(symbol).unwrap_or_else(|| {
            self.bytes += SYMBOL_BYTES + symbol.as_str().len();
            self.symbols.insert_full(symbol.clone(), SymbolBars::default()).0
        })
    }

    /// Evicts bars until a sixteenth of `bars.bytes` is free, so that evictions are rare. First evicts only
    /// one-second bars. The newest bar of each series stays.
    fn evict(&mut self) {
        let goal = self.config.bytes - self.config.bytes / 16;
        let is_done = self.evict_oldest(goal, |bars| bars.seconds_mut().collect())
            || self.evict_oldest(goal, |bars| bars.longer_mut().collect());
        // If too little could be evicted, another try is in vain until the bars have grown.
        self.evict_above = if is_done { self.config.bytes } else { self.bytes + self.bytes / 16 };
    }

    /// Evicts a quarter of each symbol's bars, beginning with the symbol that has the oldest bar, until the
    /// bars take at most `goal` bytes. Begins again after the last symbol. Returns false if all eviction is
    /// not enough.
    fn evict_oldest(&mut self, goal: usize, series: impl Fn(&mut SymbolBars) -> Vec<&mut Series>) -> bool {
        loop {
            let oldest = self.symbols.values_mut().enumerate().filter_map(|(index, bars)| {
                let with_more = series(bars).into_iter().filter(|series| series.can_evict());
                with_more.filter_map(|series| series.oldest()).min().map(|oldest| (oldest, index))
            });
            let mut oldest: Vec<(Time, usize)> = oldest.collect();
            if oldest.is_empty() {
                return self.bytes <= goal;
            }
            oldest.sort_unstable();
            for (_, index) in oldest {
                if self.bytes <= goal {
                    return true;
                }
                let bars = &mut self.symbols[index];
                let before = bars.bytes();
                self.evicted.bytes += series(bars).into_iter().map(Series::evict_quarter).sum::<u64>();
                self.bytes = self.bytes - before + bars.bytes();
            }
        }
    }
}
