//! The log of the program.

use std::io::{self, IsTerminal};

use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

use crate::config;
use crate::feed;

/// Starts the log, which goes to the writer `stderr`. Then logs the `warnings`, which were found before the
/// log started. `filter` must come from a checked configuration.
pub fn log_to(
    stderr: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
    filter: &str,
    warnings: &[String],
) {
    tracing_subscriber::fmt()
        .with_env_filter(config::log_filter(filter).expect("the filter of a configuration is checked"))
        .with_writer(stderr)
        // A failed write, for example to a full disk, is ignored. A report of the failure would go to the
        // same place, fail too and panic.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .init();
    for warning in warnings {
        warn!("{}", feed::printable(warning));
    }
}
