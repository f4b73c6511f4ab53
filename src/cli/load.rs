//! The configuration of a command, by its flags, the environment and the file.

use std::ffi::OsString;
use std::io;

use super::{CliError, FilesArgs, ServeArgs, log};
use crate::config::Config;
use crate::market::FeedKind;

/// Loads the configuration of a server, and refuses flags that do not go with its feed.
pub fn to_serve(args: &ServeArgs) -> Result<Config, CliError> {
    let config = Config::load(&args.sources(environment()))?;
    log::filter(&config.log)?;
    if let (Some(file), true) = (args.files.first(), config.feed.kind != FeedKind::Replay) {
        return Err(CliError::FileWithoutReplay { file: file.clone() });
    }
    if let (Some(flag), FeedKind::Stdin) = (args.clock.first(), config.feed.kind) {
        return Err(CliError::FlagWithoutClock { flag });
    }
    Ok(config)
}

/// Loads the configuration of a command that reads files; it says what is wrong with them, and nothing else.
pub fn to_read(args: &FilesArgs) -> Result<Config, CliError> {
    let config = Config::load(&args.sources(environment()))?;
    log::log_to(io::stderr, log::filter(args.log.as_deref().unwrap_or("warn"))?);
    Ok(config)
}

fn environment() -> Vec<(String, String)> {
    // A value of ours that is no text stays visible as something that is wrong.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).collect()
}
