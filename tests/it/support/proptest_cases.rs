//! How many cases a property test tries.

use proptest::prelude::*;

/// As many cases as `PROPTEST_CASES` says, or else so many.
pub fn cases(default: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let is_told = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if is_told { config.cases } else { default }, ..config }
}
