//! The errors of the configuration. Each error names the place of the wrong value, the value, and the right
//! form.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// The place where a value is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A flag of the command line, e.g. `--rate`.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A line of the configuration file, counted from 1.
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
}

/// An error while the configuration is loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not valid TOML.
    #[error("{place}: {fault}")]
    Syntax {
        /// The place.
        place: Place,
        /// The message of the parser. The message does not quote the line, because the line may contain a
        /// token.
        fault: String,
    },
    /// A key does not exist.
    #[error("{place}: unknown key `{key}`")]
    Unknown {
        /// The place.
        place: Place,
        /// The key with its sections.
        key: String,
        /// The existing key with the most similar name, as it is written in this place.
        nearest: Option<String>,
    },
    /// A value cannot be used.
    #[error("{place}: {}{fault}", place.prefix(key))]
    Wrong {
        /// The place.
        place: Place,
        /// The key with its sections.
        key: String,
        /// The wrong value, and the right form.
        fault: String,
        /// Advice for the user.
        hint: Option<String>,
    },
}

impl Place {
    /// Returns the prefix of an error text: the key, or nothing. The name of a flag or a variable already
    /// says which key it sets.
    fn prefix(&self, key: &str) -> String {
        match self {
            Self::Flag(_) | Self::Variable(_) => String::new(),
            Self::Line { .. } => format!("{key}: "),
        }
    }
}

impl LoadError {
    /// Returns whether the command line is wrong, rather than the file or the environment.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Open { .. } => false,
            Self::Syntax { place, .. } | Self::Unknown { place, .. } | Self::Wrong { place, .. } => {
                matches!(place, Place::Flag(_))
            }
        }
    }

    /// Returns advice for the user.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Open { .. } => "--config names a file that can be read".to_owned(),
            Self::Unknown { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::Wrong { hint: Some(hint), .. } => hint.clone(),
            Self::Wrong { place: Place::Flag(_), .. } => {
                "tickerplant --help lists commands and flags".to_owned()
            }
            Self::Syntax { .. } | Self::Unknown { .. } | Self::Wrong { .. } => {
                "the project's config.toml explains every key and its default".to_owned()
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::Line { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}
