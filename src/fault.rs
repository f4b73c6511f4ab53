//! Faults on purpose, by which tests see how the built program ends.
//!
//! Where the environment says `TICKERPLANT_FAULT=PLACE` or `PLACE:N`, a debug build panics when it comes by that place, or
//! the N-th time that it does. A release build does not look.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

/// Panics where tests ask for it.
///
/// # Panics
///
/// This place is the one that `TICKERPLANT_FAULT` names.
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

/// Does nothing: this is no build for tests.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn point(_place: &str) {}
