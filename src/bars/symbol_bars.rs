//! The bars of one symbol: folds trades into seconds and minutes, takes the bars of the feed, and derives
//! longer bars.

use super::config::Config;
use super::interval::BarInterval;
use super::packed_bar::{PackedBar, completed, extend};
use super::series::Series;
use crate::market::{Bar, Time, Trade};

/// A bar as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedBar {
    /// The start of the bar.
    pub start: Time,
    /// The prices and the volume.
    pub bar: Bar,
    /// Whether market time has not reached the end of the bar. A bar that was taken from the feed is never
    /// partial.
    pub is_partial: bool,
}

/// How many bars were evicted, by the limit that evicted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Evicted because of `bars.seconds`.
    pub seconds: u64,
    /// Evicted because of `bars.minutes`.
    pub minutes: u64,
    /// Evicted because of `bars.bytes`.
    pub bytes: u64,
}

/// The bars of one symbol.
#[derive(Clone, Debug, Default)]
pub struct SymbolBars {
    /// The time of the symbol's newest trade.
    newest: Option<Time>,
    /// The one-second bars that were folded from trades.
    seconds: Series,
    /// The one-minute bars that were folded from trades.
    minutes: Series,
    /// The bars of the feed. Most symbols have none.
    taken: Option<Box<Taken>>,
}

/// The bars that the feed has published for one symbol.
#[derive(Clone, Debug, Default)]
struct Taken {
    /// The bars whose source states their interval, in the order of [`BarInterval::ALL`].
    by_interval: [Series; 6],
    /// The bars whose source does not state their interval.
    unlabelled: Series,
}

/// Bars of one interval, in the order of their starts.
struct Answer {
    bars: Vec<ServedBar>,
    /// The earliest start that a complete bar may have.
    floor: Time,
}

impl SymbolBars {
    /// Folds a trade into the bars to which its market time belongs.
    pub fn trade(&mut self, time: Time, trade: &Trade, config: &Config, evicted: &mut Evicted) {
        let is_late = self.newest.is_some_and(|newest| time < newest);
        self.newest = self.newest.max(Some(time));
        let (second, minute) = (BarInterval::Second.start_of(time), BarInterval::Minute.start_of(time));
        evicted.seconds += self.seconds.add(second, trade, is_late, config.seconds);
        evicted.minutes += self.minutes.add(minute, trade, is_late, config.minutes);
    }

    /// Takes a bar of the feed as it is. Ignores the bar if its interval is not one of the served intervals.
    pub fn bar(&mut self, time: Time, bar: &Bar, config: &Config, evicted: &mut Evicted) {
        let interval = match bar.interval.map(BarInterval::of) {
            // The interval is not served.
            Some(None) => return,
            interval => interval.flatten(),
        };
        let taken = self.taken.get_or_insert_default();
        let series = match interval {
            Some(interval) => &mut taken.by_interval[interval.index()],
            None => &mut taken.unlabelled,
        };
        if interval == Some(BarInterval::Second) {
            evicted.seconds += series.put(time, bar, config.seconds);
        } else {
            evicted.minutes += series.put(time, bar, config.minutes);
        }
    }

    /// Drops the bars that may contain trades at or after the market time `target`, and the bars of the feed
    /// at or after this time. If all seconds of the target's minute are in memory, the minute keeps the
    /// seconds before the target.
    pub fn seek(&mut self, target: Time) {
        if self.newest.is_some_and(|newest| newest >= target) {
            self.newest = Some(target);
            let minute = BarInterval::Minute.start_of(target);
            self.seconds.drop_from(BarInterval::Second.start_of(target));
            self.minutes.drop_from(minute);
            let earlier = self.seconds.iter().filter(|bar| bar.start() >= minute);
            let earlier = earlier.map(PackedBar::unpack).reduce(|mut bar, more| {
                extend(&mut bar, &more, false);
                bar
            });
            if let Some(bar) = earlier.filter(|_| self.seconds.floor() <= minute) {
                self.minutes.put(minute, &bar, usize::MAX);
            }
        }
        if let Some(taken) = &mut self.taken {
            taken
                .by_interval
                .iter_mut()
                .chain([&mut taken.unlabelled])
                .for_each(|bars| bars.drop_from(target));
        }
    }

    /// Returns all bars of an interval, oldest first. `market_time` is the current market time.
    ///
    /// A bar of the feed has precedence over a bar that was folded or derived. A derived bar appears only if
    /// none of its parts is evicted.
    #[must_use]
    pub fn bars(&self, interval: BarInterval, market_time: Time) -> Vec<ServedBar> {
        self.answer(interval, market_time).bars
    }

    /// Returns how many bytes the bars take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let taken = self.taken.as_ref().map_or(0, |taken| {
            let series = taken.by_interval.iter().chain([&taken.unlabelled]);
            size_of::<Taken>() + series.map(Series::bytes).sum::<usize>()
        });
        self.seconds.bytes() + self.minutes.bytes() + taken
    }

    /// Returns the series of one-second bars.
    pub fn seconds_mut(&mut self) -> impl Iterator<Item = &mut Series> {
        let taken = self.taken.iter_mut().flat_map(|taken| &mut taken.by_interval[..1]);
        [&mut self.seconds].into_iter().chain(taken)
    }

    /// Returns the series of all longer bars.
    pub fn longer_mut(&mut self) -> impl Iterator<Item = &mut Series> {
        let taken = self.taken.iter_mut().flat_map(|taken| {
            let Taken { by_interval, unlabelled } = &mut **taken;
            by_interval[1..].iter_mut().chain([unlabelled])
        });
        [&mut self.minutes].into_iter().chain(taken)
    }

    /// Returns the bars of an interval. Where the interval has no bars of its own, the bars are derived from the
    /// next shorter interval. Minutes are derived from seconds only if there are no minutes at all, because the
    /// seconds do not reach as far back.
    fn answer(&self, interval: BarInterval, market_time: Time) -> Answer {
        let own = self.own(interval, market_time);
        match interval.shorter() {
            Some(shorter) if interval > BarInterval::Minute || own.bars.is_empty() => {
                own.or(self.answer(shorter, market_time).grouped(shorter, interval, market_time), interval)
            }
            _ => own,
        }
    }

    /// Returns the bars of an interval that are not derived from shorter bars.
    fn own(&self, interval: BarInterval, market_time: Time) -> Answer {
        let folded = match interval {
            BarInterval::Second => Answer::folded(&self.seconds, interval, market_time),
            BarInterval::Minute => Answer::folded(&self.minutes, interval, market_time),
            _ => Answer::taken(&Series::default()),
        };
        let Some(taken) = &self.taken else { return folded };
        let labelled = Answer::taken(&taken.by_interval[interval.index()]);
        let taken = match Answer::taken(&taken.unlabelled) {
            unlabelled if unlabelled.smallest_distance() == Some(interval.nanos()) => {
                labelled.or(unlabelled, interval)
            }
            _ => labelled,
        };
        taken.or(folded, interval)
    }
}

impl Answer {
    fn taken(series: &Series) -> Self {
        let served = |start, bar| ServedBar { start, bar, is_partial: false };
        let bars = series.iter().map(|packed| served(packed.start(), packed.unpack())).collect();
        Self { bars, floor: series.floor() }
    }

    fn folded(series: &Series, interval: BarInterval, market_time: Time) -> Self {
        let mut folded = Self::taken(series);
        for bar in &mut folded.bars {
            bar.is_partial = interval.end_of(bar.start) > market_time;
        }
        folded
    }

    /// Adds those bars of `others` in whose time span no bar of `self` starts.
    fn or(mut self, others: Self, interval: BarInterval) -> Self {
        let is_free = |other: &ServedBar| {
            let next = self.bars.partition_point(|bar| bar.start < other.start);
            self.bars.get(next).is_none_or(|bar| bar.start >= interval.end_of(other.start))
        };
        let mut free: Vec<_> = others.bars.into_iter().filter(is_free).collect();
        self.bars.append(&mut free);
        self.bars.sort_by_key(|bar| bar.start);
        Self { bars: self.bars, floor: self.floor.max(others.floor) }
    }

    /// Derives the bars of a longer interval.
    fn grouped(self, interval: BarInterval, longer: BarInterval, market_time: Time) -> Self {
        let mut groups: Vec<ServedBar> = Vec::new();
        for part in &self.bars {
            let start = longer.start_of(part.start);
            let end = longer.end_of(start);
            // A bar of the feed may complete the longer bar before the market time reaches its end.
            let is_last_part = interval.end_of(part.start) >= end && !part.is_partial;
            let is_partial = end > market_time && !is_last_part;
            match groups.last_mut() {
                Some(group) if group.start == start => {
                    extend(&mut group.bar, &part.bar, false);
                    group.is_partial = is_partial;
                }
                _ => groups.push(ServedBar { start, bar: completed(&part.bar), is_partial }),
            }
        }
        groups.retain(|group| group.start >= self.floor);
        Self { bars: groups, floor: self.floor }
    }

    /// Returns the smallest distance between the starts of two consecutive bars, in nanoseconds.
    fn smallest_distance(&self) -> Option<i64> {
        let starts = self.bars.windows(2).map(|pair| (pair[0].start.as_nanos(), pair[1].start.as_nanos()));
        starts.map(|(one, next)| next.saturating_sub(one)).min()
    }
}
