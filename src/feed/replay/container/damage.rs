//! A record of the damage in a packed file.

use std::sync::{Arc, OnceLock};

/// A record of the first damage that is found while a packed file is read. All clones share the same record.
#[derive(Clone, Debug, Default)]
pub struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Returns the recorded damage, such as `cut short after 1200 bytes`, where the number counts unpacked
    /// bytes.
    pub fn found(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// Records a description of damage, unless earlier damage is already recorded.
    pub fn set(&self, what: &str) {
        self.0.get_or_init(|| what.to_owned());
    }
}
