//! The log of the program: what is logged, and where to.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::CliError;

/// Logs to standard error, by way of this writer.
pub fn log_to(stderr: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, filter: EnvFilter) {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // A log that cannot be written, on a full disk say, is told nobody: telling it would go the same way, and panic.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// A level, or `tracing` directives; a word that is neither would silence everything.
pub fn filter(text: &str) -> Result<EnvFilter, CliError> {
    let is_known = text.contains(['=', ',']) || text.parse::<LevelFilter>().is_ok();
    let filter = EnvFilter::try_new(text).ok().filter(|_| is_known);
    filter.ok_or_else(|| CliError::Log { text: text.to_owned() })
}
