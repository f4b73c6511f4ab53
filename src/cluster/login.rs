//! The login of a node at the NATS servers. A login is a secret: no error and no log shows it.

use std::fmt;
use std::fs;
use std::path::Path;

use super::error::ClusterError;

/// A login.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// The content of a NATS credentials file.
    Credentials(String),
    /// An NKEY seed.
    Seed(String),
    /// A user and a password.
    Password(String, String),
    /// A token.
    Token(String),
}

impl Login {
    /// Reads the login from the file that a key of the configuration names.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or has no login of the right form.
    pub(super) fn read(key: &'static str, path: &Path) -> Result<Self, ClusterError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| ClusterError::Open { key, path: path.to_owned(), source })?;
        let line = text.trim().to_owned();
        let malformed = |form| ClusterError::Secret { key, path: path.to_owned(), form };
        match key {
            "cluster.credentials" => Ok(Self::Credentials(text)),
            "cluster.nkey_seed" if line.starts_with('S') => Ok(Self::Seed(line)),
            "cluster.nkey_seed" => Err(malformed("an NKEY seed")),
            "cluster.password_file" => line
                .split_once(':')
                .map(|(user, password)| Self::Password(user.to_owned(), password.to_owned()))
                .ok_or_else(|| malformed("a line such as user:password")),
            _ if line.is_empty() => Err(malformed("a token")),
            _ => Ok(Self::Token(line)),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}
