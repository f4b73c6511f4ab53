//! Random numbers of the simulation, equal on every machine.
//!
//! The generator is `SplitMix64`. It is counter-based: the n-th number of a stream is a function of the
//! stream's beginning and of n. Each symbol has a stream for each purpose and each minute. So a minute can be
//! made again without the minutes before it, and a symbol's numbers do not depend on other symbols. A stream
//! is one number, so a new stream costs nothing. The generator `ChaCha8` would compute a block of 256 bytes
//! for each stream, although most streams give only a few numbers.
//!
//! Logarithms, powers and angles come from the crate `libm`. The functions of the standard library may differ
//! between machines in the last digit, so `.clippy.toml` forbids them.

use std::f64::consts::TAU;

/// The step of the generator: the odd number nearest to 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of the stream from which the state at the start is drawn. No minute has this number.
pub const START: u64 = u64::MAX;

/// The purpose of a stream. Streams of different purposes are independent.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// What a symbol without settings is: its price, its volatility and its share of the events.
    Traits,
    /// The changes of a price from minute to minute.
    Price,
    /// The price within a minute.
    Bridge,
    /// The times of events.
    Times,
    /// The kind, side and size of each event.
    Marks,
}

/// The beginning of all streams of one name and one purpose.
#[derive(Clone, Copy, Debug)]
pub struct Key(u64);

/// A stream of random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Stream(u64);

impl Key {
    /// Creates the key of a name, such as a symbol or the name of a sector.
    pub fn new(seed: u64, name: &str, purpose: Purpose) -> Self {
        let of_name = fnv1a(name).wrapping_add(STEP.wrapping_mul(purpose as u64 + 1));
        Self(mix(seed.wrapping_add(STEP) ^ mix(of_name)))
    }

    /// Returns the stream with this number, such as the number of a minute.
    pub fn stream(self, number: u64) -> Stream {
        Stream(mix(self.0.wrapping_add(number.wrapping_mul(STEP))))
    }
}

impl Stream {
    /// Returns the next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Returns a number between 0 and 1, never 0 or 1 itself.
    #[expect(clippy::cast_precision_loss, reason = "52 bits fit into the number")]
    pub fn uniform(&mut self) -> f64 {
        // The distance between two numbers is 2^-52.
        ((self.bits() >> 12) as f64 + 0.5) * f64::EPSILON
    }

    /// Returns two independent numbers of the standard normal distribution.
    pub fn normals(&mut self) -> (f64, f64) {
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        let (sine, cosine) = libm::sincos(TAU * self.uniform());
        (radius * cosine, radius * sine)
    }

    /// Returns a number of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        self.normals().0
    }

    /// Turns a standard normal number into a number of Student's t-distribution with six degrees of freedom,
    /// scaled to a variance of one.
    pub fn student(&mut self, normal: f64) -> f64 {
        // A chi-squared number with six degrees is the sum of three exponential numbers, each times two.
        let chi_squared = -2.0 * libm::log(self.uniform() * self.uniform() * self.uniform());
        normal * (4.0 / chi_squared).sqrt()
    }
}

/// Mixes the bits of a number, so that each input bit affects every output bit.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Returns the 64-bit FNV-1a hash of a text. The standard library's hash may change with a release, and would
/// thereby change the simulated prices.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers_of_splitmix64() {
        let mut stream = Stream(1_234_567);

        let numbers: Vec<u64> = (0..3).map(|_| stream.bits()).collect();

        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn normal_and_student_numbers_have_the_right_moments() {
        let mut stream = Key::new(7, "AAPL", Purpose::Price).stream(0);
        let count = 200_000;
        let normals: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
        let students: Vec<f64> = normals.iter().map(|normal| stream.student(*normal)).collect();
        let mean = |numbers: &[f64], moment: fn(f64) -> f64| -> f64 {
            numbers.iter().map(|number| moment(*number)).sum::<f64>() / f64::from(count)
        };

        for numbers in [&normals, &students] {
            assert!(mean(numbers, |number| number).abs() < 0.01);
            assert!((mean(numbers, |number| number * number) - 1.0).abs() < 0.03);
        }
        assert!((mean(&normals, |number| number * number * number * number) - 3.0).abs() < 0.1);
        assert!(mean(&students, |number| number * number * number * number) > 4.5);
    }

    #[test]
    fn streams_of_other_names_purposes_and_numbers_differ() {
        let first = |seed, name, purpose, number| Key::new(seed, name, purpose).stream(number).bits();
        let numbers = [
            first(7, "A", Purpose::Price, 0),
            first(8, "A", Purpose::Price, 0),
            first(7, "B", Purpose::Price, 0),
            first(7, "A", Purpose::Times, 0),
            first(7, "A", Purpose::Price, 1),
        ];

        for (place, number) in numbers.iter().enumerate() {
            assert!(!numbers[..place].contains(number), "{numbers:?}");
        }
    }
}
