//! The statistics of a series of numbers.

/// Returns the mean.
pub fn mean(series: &[f64]) -> f64 {
    series.iter().sum::<f64>() / series.len() as f64
}

/// Returns the mean of a power of the deviations from the mean.
fn moment(series: &[f64], power: i32) -> f64 {
    let mean = mean(series);
    let product = |deviation: f64| (0..power).fold(1.0, |product, _| product * deviation);
    series.iter().map(|number| product(number - mean)).sum::<f64>() / series.len() as f64
}

/// Returns the variance.
pub fn variance(series: &[f64]) -> f64 {
    moment(series, 2)
}

/// Returns the excess kurtosis, which is 0 for the normal distribution.
pub fn excess_kurtosis(series: &[f64]) -> f64 {
    moment(series, 4) / (variance(series) * variance(series)) - 3.0
}

/// Returns the correlation of two series.
pub fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let (mean_one, mean_other) = (mean(one), mean(other));
    let products = one.iter().zip(other).map(|(one, other)| (one - mean_one) * (other - mean_other));
    products.sum::<f64>() / one.len() as f64 / (variance(one) * variance(other)).sqrt()
}

/// Returns the correlation of a series with itself, `lag` numbers later.
pub fn autocorrelation(series: &[f64], lag: usize) -> f64 {
    correlation(&series[lag..], &series[..series.len() - lag])
}

/// Returns the sums of each `count` numbers.
pub fn sums(series: &[f64], count: usize) -> Vec<f64> {
    series.chunks_exact(count).map(|chunk| chunk.iter().sum()).collect()
}

/// Returns the absolute values.
pub fn absolute(series: &[f64]) -> Vec<f64> {
    series.iter().map(|number| number.abs()).collect()
}

/// Returns Hill's estimate of the tail index, from the largest five percent of the absolute values.
pub fn hill_index(series: &[f64]) -> f64 {
    let mut sizes = absolute(series);
    sizes.sort_unstable_by(|one, other| other.total_cmp(one));
    let count = sizes.len() / 20;
    let logs = sizes[..count].iter().map(|size| libm::log(size / sizes[count]));
    count as f64 / logs.sum::<f64>()
}
