//! The times of a symbol's events.

use super::minutes::Minute;
use super::random::{Key, Stream};

/// The mean of the fourth power of a uniform number. Gaps between events are such powers: most are small, so
/// that events come in bursts, and a few are large.
const POWER_MEAN: f64 = 1.0 / 5.0;

/// Factors that have no divisor in common with the number of symbols, because they are larger primes.
const PRIMES: [u64; 8] = [
    2_147_483_647,
    2_147_483_629,
    2_147_483_587,
    2_147_483_579,
    2_147_483_563,
    2_147_483_549,
    2_147_483_543,
    2_147_483_497,
];

/// How the times of a symbol's events are made.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Bursts, and quiet times between them.
    Bursty {
        /// The key of the random numbers.
        key: Key,
        /// The mean number of events in a minute.
        mean: f64,
        /// Whether times cluster within a minute.
        has_bursts: bool,
    },
    /// Evenly spaced events.
    Even(Beat),
}

/// A beat: evenly spaced times that a group of symbols share. Each symbol of the group has one event in each
/// round. The order of the symbols changes from round to round.
#[derive(Clone, Debug)]
pub struct Beat {
    /// The key of the random order.
    pub key: Key,
    /// The time of the first event of the group.
    pub start: i64,
    /// The number of symbols in the group.
    pub symbols: u64,
    /// The place of the symbol in the first round.
    pub place: u64,
    /// The number of events of the group in 1,000 seconds.
    pub rate: u64,
}

/// The times of a symbol's events in a minute.
#[derive(Clone, Debug)]
pub enum Times {
    /// See [`Arrivals::Bursty`].
    Bursty {
        /// The random numbers of the gaps.
        stream: Stream,
        /// The time of the next event, in nanoseconds after the beginning of the minute.
        passed: f64,
        /// The longest gap, or the mean gap if times do not cluster.
        scale: f64,
        /// Whether times cluster within a minute.
        has_bursts: bool,
    },
    /// The number of the next round. See [`Arrivals::Even`].
    Even(u64),
}

impl Arrivals {
    /// Begins a minute, whose number of events is this many times the mean.
    pub fn begin(&self, minute: &Minute, activity: f64) -> Times {
        match self {
            Self::Bursty { key, mean, has_bursts } => {
                let mut stream = key.stream(minute.number);
                let gap = 60e9 / (mean * activity);
                let scale = if *has_bursts { gap / POWER_MEAN } else { gap };
                let passed = scale * first_gap(&mut stream, *has_bursts);
                // The last minute of a session may be shorter, but the gaps stay as they are.
                Times::Bursty { stream, passed, scale, has_bursts: *has_bursts }
            }
            Self::Even(beat) => Times::Even(beat.first_round(minute.span.start)),
        }
    }

    /// Returns the next time in a minute; `None` if the minute has no more.
    #[expect(clippy::cast_precision_loss, reason = "a minute has far fewer than 2^52 nanoseconds")]
    #[expect(clippy::cast_possible_truncation, reason = "a minute has far fewer than 2^52 nanoseconds")]
    pub fn peek(&self, times: &Times, minute: &Minute) -> Option<i64> {
        match (self, times) {
            (Self::Even(beat), Times::Even(round)) => {
                beat.time(*round).filter(|time| *time < minute.span.end)
            }
            (_, Times::Bursty { passed, .. }) => {
                let length = (minute.span.end - minute.span.start) as f64;
                (*passed < length).then(|| minute.span.start + *passed as i64)
            }
            (Self::Bursty { .. }, Times::Even(_)) => None,
        }
    }
}

impl Times {
    /// Moves on to the next event.
    pub fn advance(&mut self) {
        match self {
            Self::Bursty { stream, passed, scale, has_bursts } => {
                *passed += *scale * gap(stream, *has_bursts);
            }
            Self::Even(round) => *round += 1,
        }
    }

    /// Returns the number of the event among all events of the symbol, counted from 0; 0 for bursts.
    pub fn number(&self) -> u64 {
        match self {
            Self::Bursty { .. } => 0,
            Self::Even(round) => *round,
        }
    }
}

/// Returns a gap, as a part of the scale.
fn gap(stream: &mut Stream, has_bursts: bool) -> f64 {
    let uniform = stream.uniform();
    if has_bursts { (uniform * uniform) * (uniform * uniform) } else { -libm::log(uniform) }
}

/// Returns the gap from the beginning of a minute to the first event, as a part of the scale.
///
/// The events do not begin with the minute, so the gap around the beginning is cut at a random point. The
/// fourth power of the second largest of five uniform numbers has the distribution of the rest of such a gap.
fn first_gap(stream: &mut Stream, has_bursts: bool) -> f64 {
    if !has_bursts {
        return gap(stream, false);
    }
    let (mut largest, mut second) = (0.0_f64, 0.0_f64);
    for _ in 0..5 {
        let uniform = stream.uniform();
        second = second.max(largest.min(uniform));
        largest = largest.max(uniform);
    }
    (second * second) * (second * second)
}

impl Beat {
    /// Returns the time of the symbol's event in a round; `None` after the end of market time.
    fn time(&self, round: u64) -> Option<i64> {
        let event = round * self.symbols + self.slot(round);
        let (seconds, rest) = (event * 1000 / self.rate, event * 1000 % self.rate);
        let nanos = seconds.checked_mul(1_000_000_000)? + rest * 1_000_000_000 / self.rate;
        self.start.checked_add_unsigned(nanos)
    }

    /// Returns the place of the symbol in a round. In the first round, the symbols have their own order.
    fn slot(&self, round: u64) -> u64 {
        if round == 0 {
            return self.place;
        }
        let bits = self.key.stream(round).bits();
        let factor = PRIMES[(bits & 7) as usize];
        (self.place * factor + (bits >> 32)) % self.symbols
    }

    /// Returns the first round in which the symbol's event is at or after a time.
    fn first_round(&self, time: i64) -> u64 {
        let passed = u128::try_from(time.saturating_sub(self.start)).unwrap_or(0);
        let round = passed * u128::from(self.rate) / (1_000_000_000_000 * u128::from(self.symbols));
        let mut round = u64::try_from(round).unwrap_or(u64::MAX).saturating_sub(1);
        while self.time(round).is_some_and(|at| at < time) {
            round += 1;
        }
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::simulated::random::Purpose;

    fn beat(symbols: u64, place: u64, rate: u64) -> Beat {
        Beat { key: Key::new(7, "", Purpose::Times), start: 5, symbols, place, rate: rate * 1000 }
    }

    #[test]
    fn the_beats_of_a_group_are_evenly_spaced_and_each_symbol_has_one_in_each_round() {
        let beats: Vec<Beat> = (0..7).map(|place| beat(7, place, 3)).collect();

        let mut times: Vec<i64> =
            (0..50).flat_map(|round| beats.iter().map(move |beat| beat.time(round).unwrap())).collect();

        times.sort_unstable();
        let expected: Vec<i64> = (0..350).map(|event| 5 + event * 1_000_000_000 / 3).collect();
        assert_eq!(times, expected);
    }

    #[test]
    fn a_round_is_found_by_its_time() {
        let beat = beat(7, 3, 3);
        for round in [0, 1, 2, 1000, 1_000_000] {
            let time = beat.time(round).unwrap();
            assert_eq!([beat.first_round(time), beat.first_round(time + 1)], [round, round + 1]);
        }
    }
}
