//! The errors of the subcommands, each with its hint.

use std::borrow::Cow;
use std::io;

use http::uri::InvalidUri;

use super::did_you_mean::commands;
use crate::app::{RunError, StartError};
use crate::client::{ClientError, TargetError};
use crate::config::LoadError;
use crate::feed::FeedError;
use crate::files::FilesError;
use crate::task::TaskFailed;

/// An error of a subcommand.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// `config --check` found that a part of the configuration cannot be used, for example because a file is
    /// missing.
    #[error(transparent)]
    Unusable(Box<CliError>),
    /// The feed cannot be opened.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The server cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A task of the program failed.
    #[error(transparent)]
    Failed(#[from] TaskFailed),
    /// The running server ended with an error.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A second signal arrived during the shutdown.
    #[error("stopped before the shutdown was complete")]
    Stopped,
    /// `inspect` or `cat` failed.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// `watch` or `send` failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// The system cannot start a runtime or handle signals.
    #[error(transparent)]
    System(io::Error),
    /// The URL, the token or the trusted certificates of `watch` or `send` cannot be used.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The symbols to watch make the URL malformed or too long.
    #[error("the symbols do not fit into a URL")]
    Symbols(#[source] InvalidUri),
    /// A symbol for `watch` is a URL. The error does not repeat the URL, because the URL may contain a token.
    #[error("a symbol is a URL")]
    UrlAsSymbol,
    /// `send` got several texts.
    #[error("send takes one text, and here are {}", texts.len())]
    SeveralTexts {
        /// The texts.
        texts: Vec<String>,
    },
    /// The first word of the command line is not a command.
    #[error("`{word}` is not a command")]
    NotACommand {
        /// The word.
        word: String,
        /// The command line that the user probably meant.
        meant: Option<String>,
    },
    /// On the command line, a command comes after flags of `serve`.
    #[error("`{command}` is not the first word")]
    CommandAfterFlags {
        /// The command.
        command: String,
    },
    /// The user gave a file, but the feed is not a replay.
    #[error("{file}: only a replay takes files")]
    FileWithoutReplay {
        /// The file.
        file: String,
        /// The command line that the user probably meant.
        meant: String,
    },
    /// The user gave a flag for the clock, but the feed has no clock.
    #[error("{flag}: standard input has no clock")]
    FlagWithoutClock {
        /// The flag.
        flag: &'static str,
    },
}

impl CliError {
    /// Returns advice for the user, if there is any.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Load(error) => return Some(error.hint().into()),
            Self::Unusable(error) => return error.hint(),
            Self::Feed(error) => error.hint()?,
            Self::Start(error) => error.hint()?,
            Self::Files(error) => error.hint()?,
            Self::Client(error) => return error.hint(),
            Self::Target(error) => error.hint()?,
            Self::UrlAsSymbol => "name the server with --url URL",
            Self::SeveralTexts { texts } => {
                let text = texts.join(" ");
                let text = shlex::try_quote(&text).unwrap_or_default();
                return Some(format!("put the text into quotes: tickerplant send {text}").into());
            }
            Self::CommandAfterFlags { command } => {
                return Some(
                    format!("flags come after the command; tickerplant {command} --help lists them").into(),
                );
            }
            Self::NotACommand { meant: Some(meant), .. } | Self::FileWithoutReplay { meant, .. } => {
                return Some(format!("did you mean `{meant}`?").into());
            }
            Self::NotACommand { meant: None, .. } => {
                let commands = commands().join(", ");
                return Some(
                    format!("commands are {commands}; files are replayed with --feed replay FILE…").into(),
                );
            }
            Self::FlagWithoutClock { .. } => "only a replay and a simulation have a clock",
            Self::Run(RunError::Cluster(error)) => error.hint()?,
            Self::Failed(_)
            | Self::Run(_)
            | Self::Stopped
            | Self::Output(_)
            | Self::System(_)
            | Self::Symbols(_) => {
                return None;
            }
        };
        Some(hint.into())
    }

    /// Returns whether the error means that the reader of the program's output has closed the pipe.
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
