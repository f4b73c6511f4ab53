//! The price within a minute: a random bridge from the price at its beginning to the price at its end.

use super::path::Move;
use super::random::Stream;

/// The number of parts of a minute. Within a part, the price moves along a straight line.
const PARTS: usize = 32;

/// The prices at the ends of the parts of a minute.
#[derive(Clone, Debug)]
pub struct Bridge([f64; PARTS + 1]);

impl Bridge {
    /// Makes the prices of a minute, in multiples of `unit`.
    #[expect(clippy::cast_precision_loss, reason = "there are few parts")]
    pub fn new(moved: &Move, unit: f64, mut stream: Stream) -> Self {
        let mut walk = [0.0; PARTS + 1];
        if moved.sd > 0.0 {
            for place in (1..PARTS).step_by(2) {
                let (one, other) = stream.normals();
                walk[place] = walk[place - 1] + one;
                walk[place + 1] = walk[place] + other;
            }
        }
        let scale = moved.sd / (PARTS as f64).sqrt();
        let end = walk[PARTS];
        for (place, price) in walk.iter_mut().enumerate() {
            let passed = place as f64 / PARTS as f64;
            let jump = if passed > moved.jump_at { moved.jump } else { 0.0 };
            let log = moved.from + moved.change * passed + scale * (*price - end * passed) + jump;
            *price = libm::exp(log) / unit;
        }
        Self(walk)
    }

    /// Returns the price at a part of the minute, from 0 to 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "there are few parts")]
    #[expect(clippy::cast_precision_loss, reason = "there are few parts")]
    pub fn price(&self, passed: f64) -> f64 {
        let place = passed * PARTS as f64;
        let before = (place as usize).min(PARTS - 1);
        let [from, to] = [self.0[before], self.0[before + 1]];
        from + (to - from) * (place - before as f64)
    }
}
