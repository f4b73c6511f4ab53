//! What market-data files say, without a server: `inspect` and `cat`.
//!
//! Both read as a replay does. What they print is for other programs too, so nothing else goes to their output.

mod cat;
mod inspect;

use std::io;

use crate::feed::FeedError;

pub use cat::cat;
pub use inspect::{Form, inspect};

/// Why a command that reads files does not end well.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Some of several files cannot be read.
    #[error("{bad} of {all} files cannot be read; the first: {first}")]
    Some {
        /// How many of them.
        bad: usize,
        /// How many there are.
        all: usize,
        /// What is wrong with the first.
        first: FeedError,
    },
    /// What was found cannot be printed.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

impl FilesError {
    /// What the reader can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Feed(error) | Self::Some { first: error, .. } => error.hint(),
            Self::Output(_) => None,
        }
    }
}
