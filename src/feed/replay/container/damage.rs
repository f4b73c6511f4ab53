//! The damage of a container, which is found while it is read.

use std::sync::{Arc, OnceLock};

/// What is wrong with a container, as soon as reading has come to it; shared with what reads.
#[derive(Clone, Debug, Default)]
pub struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// What is wrong, e.g. `cut short after 1200 bytes`, in bytes that came out; `None` as long as nothing is.
    pub fn found(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// Says what is wrong, unless something else is already.
    pub fn set(&self, what: &str) {
        self.0.get_or_init(|| what.to_owned());
    }
}
