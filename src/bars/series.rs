//! A series: the bars of one symbol and one interval, in the order of their starts.

use std::collections::VecDeque;

use super::packed_bar::{PackedBar, bar_of};
use crate::market::{Bar, Time, Trade};

/// The bars of one symbol and one interval, at most one for each start.
#[derive(Clone, Debug)]
pub struct Series {
    bars: VecDeque<PackedBar>,
    /// The earliest start that a bar may have. A bar with an earlier start is evicted, or would be
    /// incomplete.
    floor: Time,
    boxed_bytes: usize,
}

impl Default for Series {
    fn default() -> Self {
        Self { bars: VecDeque::new(), floor: Time::from_nanos(i64::MIN), boxed_bytes: 0 }
    }
}

impl Series {
    /// Folds a trade into the bar with this start, unless that bar is evicted. Returns how many bars were
    /// evicted because the series has at most `limit` bars.
    pub fn add(&mut self, start: Time, trade: &Trade, is_late: bool, limit: usize) -> u64 {
        match self.find(start) {
            Ok(index) => self.change(index, |bar| bar.add(trade, is_late)),
            Err(index) => self.insert(index, start, &bar_of(trade)),
        }
        self.evict_beyond(limit)
    }

    /// Stores a bar, which replaces the bar with the same start. Returns how many bars were evicted because
    /// the series has at most `limit` bars.
    pub fn put(&mut self, start: Time, bar: &Bar, limit: usize) -> u64 {
        match self.find(start) {
            Ok(index) => self.change(index, |old| *old = PackedBar::new(start, bar)),
            Err(index) => self.insert(index, start, bar),
        }
        self.evict_beyond(limit)
    }

    /// Drops the bars with the start `first` or a later start. Bars may have these starts again.
    pub fn drop_from(&mut self, first: Time) {
        while self.bars.back().is_some_and(|bar| bar.start() >= first) {
            let dropped = self.bars.pop_back();
            self.boxed_bytes -= dropped.map_or(0, |bar| bar.boxed_bytes());
        }
        self.bars.shrink_to_fit();
        self.floor = self.floor.min(first);
    }

    /// Evicts the oldest quarter of the bars, at least one, but not the newest bar. Returns how many bars
    /// were evicted.
    pub fn evict_quarter(&mut self) -> u64 {
        let most = self.bars.len().saturating_sub(1);
        let count = (self.bars.len() / 4).max(1).min(most);
        for _ in 0..count {
            self.evict();
        }
        self.bars.shrink_to_fit();
        count as u64
    }

    /// Returns the bars, from the oldest to the newest.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &PackedBar> {
        self.bars.iter()
    }

    /// Returns whether eviction would leave a bar.
    #[must_use]
    pub fn can_evict(&self) -> bool {
        self.bars.len() > 1
    }

    /// Returns the start of the oldest bar.
    #[must_use]
    pub fn oldest(&self) -> Option<Time> {
        self.bars.front().map(PackedBar::start)
    }

    /// Returns the earliest start that a complete bar may have. Bars with an earlier start are evicted.
    #[must_use]
    pub const fn floor(&self) -> Time {
        self.floor
    }

    /// Returns how many bytes the bars take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bars.capacity() * size_of::<PackedBar>() + self.boxed_bytes
    }

    /// Returns the index of the bar with this start, or the index at which the bar belongs.
    fn find(&self, start: Time) -> Result<usize, usize> {
        match self.bars.back().map(PackedBar::start) {
            Some(newest) if newest == start => Ok(self.bars.len() - 1),
            Some(newest) if newest > start => self.bars.binary_search_by_key(&start, PackedBar::start),
            _ => Err(self.bars.len()),
        }
    }

    /// Inserts a bar at the index that [`find`](Self::find) has returned, unless the bar is evicted.
    fn insert(&mut self, index: usize, start: Time, bar: &Bar) {
        if start < self.floor {
            return;
        }
        if self.bars.len() == self.bars.capacity() {
            // Grows by a quarter, so that little memory is unused.
            self.bars.reserve_exact((self.bars.len() / 4).max(2));
        }
        let bar = PackedBar::new(start, bar);
        self.boxed_bytes += bar.boxed_bytes();
        self.bars.insert(index, bar);
    }

    /// Changes the bar with this index, and keeps count of the bytes.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut PackedBar)) {
        let bar = &mut self.bars[index];
        let before = bar.boxed_bytes();
        change(bar);
        self.boxed_bytes = self.boxed_bytes - before + bar.boxed_bytes();
    }

    /// Evicts the oldest bars until at most `limit` bars are left. Returns how many bars were evicted.
    fn evict_beyond(&mut self, limit: usize) -> u64 {
        let over = self.bars.len().saturating_sub(limit);
        for _ in 0..over {
            self.evict();
        }
        over as u64
    }

    fn evict(&mut self) {
        if let Some(oldest) = self.bars.pop_front() {
            self.boxed_bytes -= oldest.boxed_bytes();
            self.floor = Time::from_nanos(oldest.start().as_nanos().saturating_add(1));
        }
    }
}
