//! The flags of `watch` and `send`, and the token in the environment.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use crate::client::Target;

/// The help text about the environment variable that holds the token.
pub const TOKEN_HELP: &str =
    "Environment:\n  TICKERPLANT_TOKEN  The token to show to a server that has tokens";

/// The flags that name the server and the certificates to trust.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// URL of the server; wss:// connects with TLS, ws:// or HOST:PORT alone connects without TLS
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8000/ws")]
    pub url: String,
    /// File with certificates in PEM form, which wss:// trusts instead of the system's certificates
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl ClientArgs {
    /// Returns the client's target: the URL and the certificates from the flags, and the token from the
    /// environment.
    pub(super) fn target(&self) -> Result<Target, CliError> {
        // Bytes that are not Unicode become replacement characters. A token cannot have these characters, so
        // the user gets an error.
        let token = std::env::var_os("TICKERPLANT_TOKEN").unwrap_or_default();
        Ok(Target::new(&self.url, &token.to_string_lossy(), self.ca.as_deref())?)
    }
}
