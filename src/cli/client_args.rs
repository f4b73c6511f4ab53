//! The flags of `watch` and `send`, and the token in the environment.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use crate::client::Target;

/// The help text about the token.
pub const TOKEN_HELP: &str =
    "Environment:\n  TICKERPLANT_TOKEN  The token to show to a server that has tokens";

/// The flags for the server to connect to.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// Server to connect to; wss:// is with TLS, and HOST:PORT alone is without
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8000/ws")]
    pub url: String,
    /// Certificates to trust instead of the system's, in PEM form; for wss://
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl ClientArgs {
    /// Returns the target of the client, with the token from the environment.
    pub(super) fn target(&self) -> Result<Target, CliError> {
        // Bytes that are not Unicode become replacement characters. A token cannot have these characters, so
        // the user gets an error.
        let token = std::env::var_os("TICKERPLANT_TOKEN").unwrap_or_default();
        Ok(Target::new(&self.url, &token.to_string_lossy(), self.ca.as_deref())?)
    }
}
