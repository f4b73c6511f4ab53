//! The errors of the configuration. Each error names the place where the wrong value is set, the value, and
//! the right form of the value.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::SECRET;

/// The place where a value of the configuration is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A flag of the command line, for example `--rate`.
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
        /// The error message of the TOML parser. The message does not quote the wrong line, because the line
        /// may contain a token.
        fault: String,
    },
    /// A key does not exist.
    #[error("{place}: unknown key `{key}`")]
    Unknown {
        /// The place.
        place: Place,
        /// The key with the names of its sections, separated by dots.
        key: String,
        /// The existing key with the most similar name. For a variable with a wrong name, `nearest` is the
        /// name of the variable that sets the existing key.
        nearest: Option<String>,
    },
    /// A value cannot be used.
    #[error("{place}: {}{fault}", place.prefix(key))]
    Wrong {
        /// The place.
        place: Place,
        /// The key with the names of its sections, separated by dots.
        key: String,
        /// A text that names the wrong value and the right form of the value.
        fault: String,
        /// Advice for the user.
        hint: Option<String>,
    },
}

impl Place {
    /// Returns the prefix of an error text: the key, or nothing for a flag or a variable. The name of a flag
    /// or a variable already tells which key is wrong.
    fn prefix(&self, key: &str) -> String {
        match self {
            Self::Flag(_) | Self::Variable(_) => String::new(),
            Self::Line { .. } => format!("{key}: "),
        }
    }
}

impl LoadError {
    /// Returns whether the error is in the command line, rather than in the file or the environment.
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
            Self::Unknown { key, .. } if key.starts_with(SECRET) => {
                "a token has the keys name, sha256, subscribe, relay and control; \
                 printf %s TOKEN | sha256sum prints the value of sha256"
                    .to_owned()
            }
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
