//! The errors that end a node.

use std::io;
use std::path::PathBuf;

/// An error that ends a node.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Logins of two kinds are configured.
    #[error("{key} and {other} are two logins, and a node has one")]
    TwoLogins {
        /// The key of the first login.
        key: &'static str,
        /// The key of the other login.
        other: &'static str,
    },
    /// The file of a login cannot be read.
    #[error("{key}: cannot open {}", path.display())]
    Open {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file of a login has another form. The error does not show the content, which is a secret.
    #[error("{key}: {} is not {form}", path.display())]
    Secret {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The right form.
        form: &'static str,
    },
    /// The stream holds less than the history of a node.
    #[error("cluster.stream_bytes: {found} is less than twice bus.history_bytes, which is {history}")]
    StreamTooSmall {
        /// The configured size of the stream.
        found: usize,
        /// The configured size of the history.
        history: usize,
    },
    /// The stream of the cluster has another configuration.
    #[error("{key}: the stream {stream} has {found}, and this node has {own}")]
    Stream {
        /// The name of the stream.
        stream: String,
        /// The key of the setting that differs.
        key: &'static str,
        /// The setting of this node.
        own: String,
        /// The setting of the stream.
        found: String,
    },
    /// The server takes only short messages.
    #[error("cluster.url: the NATS server has a max_payload of {found} bytes, and a node needs 65536")]
    Payload {
        /// The limit of the server, in bytes.
        found: usize,
    },
    /// The server refuses the login.
    #[error("cluster.url: the NATS server refuses the login: {reason}")]
    Login {
        /// The reason that the server states.
        reason: String,
    },
    /// The server is too old.
    #[error("cluster.url: the NATS server has the version {found}, and a node needs 2.12.8 or newer")]
    TooOld {
        /// The version of the server.
        found: String,
    },
    /// The server has no JetStream.
    #[error("cluster.url: the NATS server has no JetStream")]
    NoJetStream,
    /// A key or certificate of the connection cannot be used.
    #[error("{key}: {reason}")]
    Unusable {
        /// The key of the setting.
        key: &'static str,
        /// The reason.
        reason: String,
    },
}

/// The class of an error, which decides the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterErrorClass {
    /// The configuration is wrong.
    Configuration,
    /// A file is missing.
    NoInput,
    /// The login is refused.
    Login,
    /// The server cannot be used.
    Unavailable,
}

impl ClusterError {
    /// Returns the class of the error.
    #[must_use]
    pub const fn class(&self) -> ClusterErrorClass {
        match self {
            Self::TwoLogins { .. }
            | Self::Secret { .. }
            | Self::StreamTooSmall { .. }
            | Self::Stream { .. }
            | Self::Payload { .. }
            | Self::Unusable { .. } => ClusterErrorClass::Configuration,
            Self::Open { .. } => ClusterErrorClass::NoInput,
            Self::Login { .. } => ClusterErrorClass::Login,
            Self::TooOld { .. } | Self::NoJetStream => ClusterErrorClass::Unavailable,
        }
    }

    /// Returns advice for the user, if there is any.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::StreamTooSmall { .. } => Some("raise cluster.stream_bytes, or lower bus.history_bytes"),
            Self::Stream { .. } => Some("use the setting of the stream, or another cluster.name"),
            Self::NoJetStream => Some("start the server with JetStream, e.g. nats-server -js"),
            Self::Payload { .. } => Some("raise max_payload in the configuration of the NATS server"),
            _ => None,
        }
    }
}
