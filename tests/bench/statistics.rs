//! Statistics of measurements: percentiles, and the least, the middle and the greatest of several values.

use hdrhistogram::Histogram;

/// The greatest value that a histogram stores: a minute in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// The least, the middle and the greatest of several values.
#[derive(Clone, Copy)]
pub struct Spread {
    pub least: f64,
    pub middle: f64,
    pub most: f64,
}

impl Spread {
    /// Returns the spread of the values that are not `NaN`. If all values are `NaN`, the spread consists of
    /// three times `NaN`.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { least: at(0), middle: at(values.len() / 2), most: at(values.len().saturating_sub(1)) }
    }

    /// Divides each value of `of` by the value of `to` with the same index, and returns the spread of these
    /// ratios.
    pub fn of_ratios(of: &[f64], to: &[f64]) -> Self {
        Self::of(of.iter().zip(to).map(|(of, to)| of / to))
    }

    /// Returns the least, the middle and the greatest value as text, each with `digits` decimals.
    pub fn text(&self, digits: usize) -> String {
        let Self { least, middle, most } = self;
        format!("{least:.digits$}/{middle:.digits$}/{most:.digits$}")
    }
}

/// Returns an empty histogram with three significant digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST, 3).expect("the bounds are in order")
}

/// Returns the given percentile of the values, or `NaN` if there are no values.
pub fn percentile(values: &Histogram<u64>, percent: f64) -> f64 {
    if values.is_empty() { f64::NAN } else { float(values.value_at_percentile(percent)) }
}

/// Converts a count to a float. All counts of the benchmarks are small enough for an exact result.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}
