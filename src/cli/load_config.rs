//! Loads the configuration of a subcommand from its flags, the environment and the file.

use std::ffi::OsString;
use std::io;

use super::did_you_mean::words_without_replay;
use super::{CliError, FilesArgs, ServeArgs, log};
use crate::app::StartError;
use crate::config::{Config, Loaded, Sources};
use crate::feed::FeedError;
use crate::market::FeedKind;

/// Loads the configuration of a server. Fails if the user gave a flag or a file that the configured kind of
/// feed does not support.
pub fn for_server(args: &ServeArgs) -> Result<Loaded, CliError> {
    let loaded = Config::load(&sources(args))?;
    let kind = loaded.config.feed.kind;
    if !args.files.is_empty() && kind != FeedKind::Replay {
        let words: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
        return Err(words_without_replay(&words));
    }
    if let (Some(flag), FeedKind::Stdin) = (args.clock.first(), kind) {
        return Err(CliError::FlagWithoutClock { flag });
    }
    Ok(loaded)
}

/// Returns the sources of a server's configuration.
pub fn sources(args: &ServeArgs) -> Sources {
    args.sources(environment())
}

/// Loads the configuration of a subcommand that reads files. Also starts the program's log, which shows only
/// warnings and errors by default.
pub fn for_files(args: &FilesArgs) -> Result<Config, CliError> {
    let loaded = Config::load(&args.sources(environment()))?;
    log::log_to(io::stderr, args.log.as_deref().unwrap_or("warn"), &loaded.warnings);
    Ok(loaded.config)
}

/// Adds the place of the wrong setting to an error of the feed. The place is a flag, a variable or a line of
/// the file.
pub fn located<T>(loaded: &Loaded, opened: Result<T, FeedError>) -> Result<T, CliError> {
    opened.map_err(|error| loaded.locate(&error).map_or_else(|| error.into(), CliError::Load))
}

/// Adds the place of the wrong setting to an error of the server's start. The place is a flag, a variable or
/// a line of the file.
pub fn started<T>(loaded: &Loaded, started: Result<T, StartError>) -> Result<T, CliError> {
    started.map_err(|error| {
        let key = error.key();
        let located = key.and_then(|key| loaded.locate_key(key, &error.to_string(), error.hint()));
        located.map_or_else(|| error.into(), CliError::Load)
    })
}

fn environment() -> Vec<(String, String)> {
    // Invalid bytes in a value become replacement characters. So the value causes an error instead of being
    // ignored.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).collect()
}
