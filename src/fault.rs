//! Fault injection: panics on purpose, so that tests can check how the built program handles a panic.
//!
//! With `TICKERPLANT_FAULT=PLACE` in the environment, a debug build panics when it first reaches
//! `point("PLACE")`. With `TICKERPLANT_FAULT=PLACE:N`, a debug build panics when it reaches `point("PLACE")`
//! for the N-th time. A release build ignores the environment variable `TICKERPLANT_FAULT`.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

/// Marks a place in the code where a test can cause a panic.
///
/// # Panics
///
/// Panics if the environment variable `TICKERPLANT_FAULT` selects this call.
#[cfg(debug_assertions)]
pub fn point(place: &str) {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Ok(asked) = std::env::var("TICKERPLANT_FAULT") else { return };
    let (asked, time) = asked.split_once(':').unwrap_or((&asked, "1"));
    if asked == place {
        let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(time != passed.to_string(), "a fault on purpose");
    }
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn point(_place: &str) {}
