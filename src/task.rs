//! Task failures: turns a panic or an early end of a task into an error for the task's owner.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;

/// A panic message is cut after this many characters.
const SHOWN: usize = 200;

/// The message of a panic. A panic message may contain text from a file, so a long message is cut, and
/// control characters are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked(String);

/// The error for a task that panicked or ended too early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{task} {reason}")]
pub struct TaskFailed {
    /// The name of the task, for example `shard 0`.
    pub task: String,
    /// How the task ended, for example `has panicked: MESSAGE`.
    pub reason: String,
}

/// Runs a future and returns its output.
///
/// This function is not `async`, because an `async` function would store the future twice and enlarge every
/// idle session.
///
/// # Errors
///
/// Fails with the message of the panic if the future panics.
pub fn catch_panic<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Panicked>> {
    AssertUnwindSafe(future).catch_unwind().map(|outcome| outcome.map_err(Panicked::new))
}

/// Calls a function and returns its output.
///
/// # Errors
///
/// Fails with the message of the panic if the function panics.
pub fn catch_panic_now<T>(function: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(function)).map_err(Panicked::new)
}

impl Panicked {
    /// Takes the message from the payload of a panic.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "unwinding returns a box")]
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
    /// Returns the error for a task that panicked.
    #[must_use]
    pub fn panicked(task: impl Into<String>, panic: &Panicked) -> Self {
        Self { task: task.into(), reason: panic.to_string() }
    }

    /// Returns the error for a task that ended too early.
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
    async fn a_panic_becomes_an_error_with_its_message() {
        let said = |panics: fn()| catch_panic_now(panics).unwrap_err().to_string();
        let in_a_task: Result<(), _> = catch_panic(async { panic!("on purpose") }).await;

        assert_eq!(in_a_task.unwrap_err().to_string(), "has panicked: on purpose");
        assert_eq!(said(|| panic!("on {}", "purpose".to_owned())), "has panicked: on purpose");
        assert_eq!(said(|| panic_any(7)), "has panicked: it gives no reason");
        assert_eq!(
            said(|| panic!("\n{}", "x".repeat(1000))),
            format!("has panicked: \u{fffd}{}", "x".repeat(199))
        );
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
    }
}
