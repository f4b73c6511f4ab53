//! The number of cases of property tests.

use proptest::prelude::*;

/// Returns a configuration with this number of cases. The environment variable `PROPTEST_CASES` overrides the
/// number.
pub fn cases(default: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let is_told = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if is_told { config.cases } else { default }, ..config }
}
