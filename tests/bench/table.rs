//! What several runs came to: the least, the middle and the greatest of a figure.

use hdrhistogram::Histogram;

/// The longest time that is told apart from longer ones, in whatever unit is counted: a minute in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// The least, the middle and the greatest.
#[derive(Clone, Copy)]
pub struct Spread {
    pub least: f64,
    pub middle: f64,
    pub most: f64,
}

impl Spread {
    /// Of values that are there; `NaN` where there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { least: at(0), middle: at(values.len() / 2), most: at(values.len().saturating_sub(1)) }
    }

    /// Of the ratios of values that were found side by side.
    pub fn of_ratios(of: &[f64], to: &[f64]) -> Self {
        Self::of(of.iter().zip(to).map(|(of, to)| of / to))
    }

    /// All three, with so many digits behind the point.
    pub fn text(&self, digits: usize) -> String {
        let Self { least, middle, most } = self;
        format!("{least:.digits$}/{middle:.digits$}/{most:.digits$}")
    }
}

/// An empty histogram that is exact to a thousandth.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST, 3).expect("the bounds are in order")
}

/// So many per cent of the values are at most this; `NaN` where there are none.
pub fn percentile(values: &Histogram<u64>, percent: f64) -> f64 {
    if values.is_empty() { f64::NAN } else { float(values.value_at_percentile(percent)) }
}

/// Exact as far as any count here goes.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}
