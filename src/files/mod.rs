//! The commands `inspect` and `cat`, which read market-data files without a server.
//!
//! The commands `inspect` and `cat` read files with the code that a replay uses. The commands print only
//! results, because other programs may read the output.

mod cat;
mod inspect;

use std::io;

use crate::feed::FeedError;

pub use cat::cat;
pub use inspect::{Form, inspect};

/// The error of a command that reads files.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// At least two of the given files cannot be read.
    #[error("{bad} of {all} files cannot be read; the first: {first}")]
    Some {
        /// The number of files that cannot be read.
        bad: usize,
        /// The number of given files.
        all: usize,
        /// The error of the first file that cannot be read.
        first: FeedError,
    },
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}

impl FilesError {
    /// Returns advice on how the user can correct the error, if there is any.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Feed(error) | Self::Some { first: error, .. } => error.hint(),
            Self::Output(_) => None,
        }
    }
}
