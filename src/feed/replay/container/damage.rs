//! The damage of a packed file, found while it is read.

use std::sync::{Arc, OnceLock};

/// The damage of a packed file, if reading has found any. All clones share one record.
#[derive(Clone, Debug, Default)]
pub struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Returns the damage, e.g. `cut short after 1200 bytes`. It counts unpacked bytes.
    pub fn found(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// Records the damage, unless there is some already.
    pub fn set(&self, what: &str) {
        self.0.get_or_init(|| what.to_owned());
    }
}
