//! Why a command fails, and what its user can do about it.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use http::uri::InvalidUri;

use crate::app::StartError;
use crate::client::ClientError;
use crate::config::LoadError;
use crate::feed::FeedError;
use crate::files::FilesError;
use crate::task::TaskFailed;

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// There is no configuration.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no feed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A task of the server failed.
    #[error(transparent)]
    Failed(#[from] TaskFailed),
    /// A second signal came before the shutdown was done.
    #[error("stopped at once")]
    Stopped,
    /// A command that reads files failed.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A client failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// The system gives no runtime, or no signals.
    #[error(transparent)]
    System(io::Error),
    /// The server's URL is none. The error does not repeat it, for there may be a token in it.
    #[error("--url: {0}")]
    Url(InvalidUri),
    /// The symbols to watch do not fit into a URL.
    #[error("these symbols make no URL")]
    Symbols(#[source] InvalidUri),
    /// What to log is neither a level nor directives.
    #[error("log: `{text}` is no level and no directives")]
    Log {
        /// What was found.
        text: String,
    },
    /// A file is named, and the feed is no replay.
    #[error("`{}` is no command, and only a replay takes files", file.display())]
    FileWithoutReplay {
        /// The file.
        file: PathBuf,
    },
    /// A flag sets the clock of a feed that has none.
    #[error("{flag}: standard input is published as it comes")]
    FlagWithoutClock {
        /// The flag.
        flag: &'static str,
    },
}

impl CliError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Load(error) => error.hint()?,
            Self::Feed(error) => error.hint()?,
            Self::Start(error) => error.hint()?,
            Self::Files(error) => error.hint()?,
            Self::Client(error) => return error.hint(),
            Self::Url(_) => {
                "a URL is like ws://127.0.0.1:8000/ws, what is special in its parameters written as %20"
            }
            Self::Log { .. } => {
                "levels are error, warn, info, debug, trace and off; directives are like tickerplant=debug,warn"
            }
            Self::FileWithoutReplay { .. } => {
                "replay files with --feed replay FILE…; commands are serve, watch, send, inspect, cat and config"
            }
            Self::FlagWithoutClock { .. } => "only a replay and a simulation have a clock",
            Self::Failed(_) | Self::Stopped | Self::Output(_) | Self::System(_) | Self::Symbols(_) => {
                return None;
            }
        };
        Some(hint.into())
    }

    /// Whether the reader of our output has gone away.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        match self {
            Self::Output(source) | Self::Files(FilesError::Output(source)) => {
                source.kind() == io::ErrorKind::BrokenPipe
            }
            _ => false,
        }
    }
}
