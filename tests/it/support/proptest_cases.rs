//! Sets the number of random cases that property tests try.

use proptest::prelude::*;

/// Returns a configuration for property tests with this number of random cases. The environment variable
/// `PROPTEST_CASES` overrides this number of cases.
pub fn cases(default: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let is_told = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if is_told { config.cases } else { default }, ..config }
}
