//! Statistics of measurements: the least, the middle and the greatest of several runs, and percentiles.

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
    /// Returns the spread of the values that are not `NaN`. If there are no such values, all three numbers
    /// are `NaN`.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { least: at(0), middle: at(values.len() / 2), most: at(values.len().saturating_sub(1)) }
    }

    /// Returns the spread of the ratios of paired values.
    pub fn of_ratios(of: &[f64], to: &[f64]) -> Self {
        Self::of(of.iter().zip(to).map(|(of, to)| of / to))
    }

    /// Returns the three numbers as text, with this many decimals.
    pub fn text(&self, digits: usize) -> String {
        let Self { least, middle, most } = self;
        format!("{least:.digits$}/{middle:.digits$}/{most:.digits$}")
    }
}

/// Returns an empty histogram with three significant digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST, 3).expect("the bounds are in order")
}

/// Returns this percentile of the values, or `NaN` if there are no values.
pub fn percentile(values: &Histogram<u64>, percent: f64) -> f64 {
    if values.is_empty() { f64::NAN } else { float(values.value_at_percentile(percent)) }
}

/// Converts a count to a float. The counts are small enough for an exact result.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}
