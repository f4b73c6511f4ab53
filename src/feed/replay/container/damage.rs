//! The damage that reading finds in a packed file.

use std::sync::{Arc, OnceLock};

/// The first damage that reading found in a packed file, if any. All clones share the same record.
#[derive(Clone, Debug, Default)]
pub struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Returns the damage, e.g. `cut short after 1200 bytes`. The number counts unpacked bytes.
    pub fn found(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// Records the damage. Only the first call has an effect.
    pub fn set(&self, what: &str) {
        self.0.get_or_init(|| what.to_owned());
    }
}
