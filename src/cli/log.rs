//! The log of the program.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::CliError;

/// Starts logging through this writer, which writes to standard error.
pub fn log_to(stderr: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, filter: EnvFilter) {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // A failed write, for example to a full disk, is ignored. A report of the failure would go to the
        // same place, fail too and panic.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// Parses a level or `tracing` directives. Any other single word is an error, because `tracing` would log
/// only a target of this name, and the log would stay empty.
pub fn filter(text: &str) -> Result<EnvFilter, CliError> {
    let is_known = text.contains(['=', ',']) || text.parse::<LevelFilter>().is_ok();
    let filter = EnvFilter::try_new(text).ok().filter(|_| is_known);
    filter.ok_or_else(|| CliError::Log { text: text.to_owned() })
}
