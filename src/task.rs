//! Watched tasks: their owner learns how each one ended, also by a panic.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;

/// So much is told of what a panic says, in characters.
const SHOWN: usize = 200;

/// What a task said when it panicked: bounded, and without control characters, for it may quote a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked(String);

/// A task of the server's has ended that nobody asked to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{task} {reason}")]
pub struct TaskFailed {
    /// The task, as a person calls it, e.g. `shard 0`.
    pub task: String,
    /// How it ended, e.g. `has panicked: MESSAGE`.
    pub reason: String,
}

/// Completes with the future, or with what it said when it panicked.
///
/// No `async` function, which would hold the future twice: each idle session pays for it.
///
/// # Errors
///
/// It panicked.
pub fn caught<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Panicked>> {
    AssertUnwindSafe(future).catch_unwind().map(|outcome| outcome.map_err(Panicked::new))
}

/// Returns what the function returns, or what it said when it panicked.
///
/// # Errors
///
/// It panicked.
pub fn caught_now<T>(function: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(function)).map_err(Panicked::new)
}

impl Panicked {
    /// Takes what a panic carries.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "it is what unwinding gives")]
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it gives no reason");
        let harmless = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        Self(text.chars().take(SHOWN).map(harmless).collect())
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "has panicked: {}", self.0)
    }
}

impl TaskFailed {
    /// Returns the failure of a task that panicked.
    #[must_use]
    pub fn panicked(task: impl Into<String>, panic: &Panicked) -> Self {
        Self { task: task.into(), reason: panic.to_string() }
    }

    /// Returns the failure of a task that came to its end before its time.
    #[must_use]
    pub fn ended(task: impl Into<String>) -> Self {
        Self { task: task.into(), reason: "has ended before its time".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_what_it_said() {
        let said = |panics: fn()| caught_now(panics).unwrap_err().to_string();
        let in_a_task: Result<(), _> = caught(async { panic!("on purpose") }).await;

        assert_eq!(in_a_task.unwrap_err().to_string(), "has panicked: on purpose");
        assert_eq!(said(|| panic!("on {}", "purpose".to_owned())), "has panicked: on purpose");
        assert_eq!(said(|| panic_any(7)), "has panicked: it gives no reason");
        assert_eq!(
            said(|| panic!("\n{}", "x".repeat(1000))),
            format!("has panicked: \u{fffd}{}", "x".repeat(199))
        );
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
