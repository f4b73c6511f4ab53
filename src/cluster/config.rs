//! The settings of the cluster (`[cluster]` in config.toml), and the login that they choose.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::ClusterError;
use super::login::Login;
use crate::range::{self, Check, DAY, GIB, MILLISECOND};

/// The settings of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URLs of the NATS servers, e.g. `nats://127.0.0.1:4222`. Without a URL, the server is no node of a
    /// cluster.
    pub url: Vec<String>,
    /// The name of the cluster. Nodes with the same prefix and name serve the same feed.
    pub name: String,
    /// The first part of all subjects.
    pub prefix: String,
    /// Whether the node may lead.
    pub role: NodeRole,
    /// The path of a NATS credentials file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
    /// The path of a file with an NKEY seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey_seed: Option<PathBuf>,
    /// The path of a file with a line `user:password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The path of a file with a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The path of the certificates of the authorities that the node trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<PathBuf>,
    /// The path of the node's own certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// The path of the key of the node's own certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// The number of NATS servers that store the stream.
    pub replicas: usize,
    /// Where the NATS servers store the stream.
    pub storage: Storage,
    /// The maximum size of the stream, in bytes.
    pub stream_bytes: NonZeroUsize,
    /// The least time between two entries of the log.
    #[serde(with = "humantime_serde")]
    pub batch_window: Duration,
    /// The largest size of an entry, in bytes.
    pub batch_bytes: NonZeroUsize,
    /// How long the nodes wait for a silent leader before another node leads.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// The time between two checkpoints, from which new nodes read on.
    #[serde(with = "humantime_serde")]
    pub checkpoint: Duration,
    /// How long a client waits whose cursor is ahead of this node.
    #[serde(with = "humantime_serde")]
    pub ahead_wait: Duration,
    /// Whether the node begins a new epoch at its start. Only the flag `--cluster-restart` sets this field.
    #[serde(skip)]
    pub restarts: bool,
}

/// The role of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// The node has a feed, and may lead.
    #[default]
    Auto,
    /// The node has no feed, and never leads.
    Edge,
}

/// Where the NATS servers store the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// In files.
    #[default]
    File,
    /// In memory: the stream is gone when the server restarts.
    Memory,
}

impl Default for Config {
    fn default() -> Self {
        let nonzero = |count| NonZeroUsize::new(count).expect("the defaults are not zero");
        Self {
            url: Vec::new(),
            name: "main".to_owned(),
            prefix: "tickerplant".to_owned(),
            role: NodeRole::Auto,
            credentials: None,
            nkey_seed: None,
            password_file: None,
            token_file: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            replicas: 1,
            storage: Storage::File,
            stream_bytes: nonzero(256 << 20),
            batch_window: MILLISECOND,
            batch_bytes: nonzero(256 << 10),
            lease: Duration::from_secs(3),
            checkpoint: Duration::from_secs(30),
            ahead_wait: Duration::from_secs(5),
            restarts: false,
        }
    }
}

impl Config {
    /// Returns whether the server is a node of a cluster.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// Returns whether the server is a node without a feed of its own.
    #[must_use]
    pub fn is_edge(&self) -> bool {
        self.is_on() && self.role == NodeRole::Edge
    }

    /// Returns the checks of the values in the `[cluster]` section.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let is_name = |name: &str| {
            let is_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
            (1..=32).contains(&name.len()) && name.chars().all(is_allowed)
        };
        let has_no_login = self.url.iter().all(|url| is_url(url));
        vec![
            range::text("url", "a list of URLs such as nats://127.0.0.1:4222, without a login", has_no_login),
            range::text("name", "1 to 32 of a-z, 0-9, _ and -", is_name(&self.name)),
            range::text("prefix", "1 to 32 of a-z, 0-9, _ and -", is_name(&self.prefix)),
            range::text("role", "auto or edge", true),
            range::text("storage", "file or memory", true),
            range::whole_number("replicas", self.replicas, 1..=5),
            range::whole_number("stream_bytes", self.stream_bytes.get(), 1 << 20..=1 << 44),
            range::time("batch_window", self.batch_window, Duration::ZERO..=Duration::from_secs(1)),
            range::whole_number("batch_bytes", self.batch_bytes.get(), 1 << 10..=GIB as usize),
            range::time("checkpoint", self.checkpoint, Duration::from_secs(1)..=DAY),
            range::time("ahead_wait", self.ahead_wait, Duration::ZERO..=DAY),
            range::time("lease", self.lease, Duration::from_secs(1)..=DAY),
        ]
    }

    /// Reads the login; `None` if no login is configured.
    ///
    /// # Errors
    ///
    /// Returns an error if logins of two kinds are configured, or if a file cannot be read.
    pub fn login(&self) -> Result<Option<Login>, ClusterError> {
        let kinds = [
            ("cluster.credentials", &self.credentials),
            ("cluster.nkey_seed", &self.nkey_seed),
            ("cluster.password_file", &self.password_file),
            ("cluster.token_file", &self.token_file),
        ];
        let mut given = kinds.into_iter().filter_map(|(key, path)| path.as_ref().map(|path| (key, path)));
        let Some((key, path)) = given.next() else { return Ok(None) };
        if let Some((other, _)) = given.next() {
            return Err(ClusterError::TwoLogins { key, other });
        }
        Login::read(key, path).map(Some)
    }
}

/// Returns whether a text is the URL of a NATS server, without a login.
fn is_url(text: &str) -> bool {
    let rest =
        text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "nats" | "tls")).map(|(_, rest)| rest);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '/', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_and_nothing_else() {
        for text in ["nats://127.0.0.1:4222", "tls://nats.example:4222", "nats://[::1]:4222"] {
            assert!(is_url(text), "{text}");
        }
        for text in ["127.0.0.1:4222", "nats://", "nats://me:secret@host", "http://host", "nats://host/path"]
        {
            assert!(!is_url(text), "{text}");
        }
    }

    #[test]
    fn two_kinds_of_login_are_an_error() {
        let config = Config {
            credentials: Some("a.creds".into()),
            token_file: Some("token".into()),
            ..Config::default()
        };

        let error = config.login().unwrap_err().to_string();

        assert!(error.contains("cluster.credentials") && error.contains("cluster.token_file"), "{error}");
    }
}
