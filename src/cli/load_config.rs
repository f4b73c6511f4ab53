//! Loads the configuration of a subcommand from its flags, the environment and the file.

use std::ffi::OsString;
use std::io;

use super::{CliError, FilesArgs, ServeArgs, log};
use crate::config::{Config, Sources};
use crate::market::FeedKind;

/// Loads the configuration of a server. Fails if a flag or a file does not fit the feed.
pub fn for_server(args: &ServeArgs) -> Result<Config, CliError> {
    let config = Config::load(&sources(args))?;
    log::filter(&config.log)?;
    if let (Some(file), true) = (args.files.first(), config.feed.kind != FeedKind::Replay) {
        return Err(CliError::FileWithoutReplay { file: file.clone() });
    }
    if let (Some(flag), FeedKind::Stdin) = (args.clock.first(), config.feed.kind) {
        return Err(CliError::FlagWithoutClock { flag });
    }
    Ok(config)
}

/// Returns the sources of a server's configuration.
pub fn sources(args: &ServeArgs) -> Sources {
    args.sources(environment())
}

/// Loads the configuration of a subcommand that reads files. Also starts the log, which shows only warnings
/// by default.
pub fn for_files(args: &FilesArgs) -> Result<Config, CliError> {
    let config = Config::load(&args.sources(environment()))?;
    log::log_to(io::stderr, log::filter(args.log.as_deref().unwrap_or("warn"))?);
    Ok(config)
}

fn environment() -> Vec<(String, String)> {
    // In a value that is not Unicode, invalid bytes become replacement characters, so that the value causes
    // an error instead of being ignored.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).collect()
}
