//! The pauses between attempts to connect again.

use std::time::Duration;

/// The longest pause before the first attempt to connect again.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(15);

/// The pauses between attempts, which double from half a second to 15 seconds. Each pause is shortened at
/// random by up to a half. So the clients of a restarted server do not all connect at once.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Returns the pause before the next attempt to connect again.
    pub fn pause(&mut self) -> Duration {
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.attempts)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        pause.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Makes the next pause as short as the first pause.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_fifteen_seconds_and_begin_anew_after_a_reset() {
        let mut backoff = Backoff::default();

        for longest in [500, 1000, 2000, 4000, 8000, 15_000, 15_000] {
            let pause = backoff.pause();
            assert!((longest / 2..=longest).contains(&pause.as_millis()), "{pause:?} of {longest}");
        }
        for _ in 0..100 {
            assert!(backoff.pause() <= LONGEST);
        }
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }
}
