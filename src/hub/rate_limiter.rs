//! Rate limits that measure time with tokio's clock. If a test pauses tokio's clock, the rate limits pause
//! too.

use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// A rate limit.
pub type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Moment>>;

/// Returns a rate limit with this rate and burst; `None` if the rate is 0, which means no limit.
#[must_use]
pub fn limiter(per_second: u32, burst: NonZeroU32) -> Option<Limiter> {
    let quota = Quota::per_second(NonZeroU32::new(per_second)?).allow_burst(burst);
    Some(RateLimiter::direct_with_clock(quota, TokioClock))
}

/// The clock of tokio's timers.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock;

/// A point in time, measured by [`TokioClock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Clock for TokioClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(Instant::now())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + Duration::from(nanos))
    }
}
