//! What a feed is and how it fares, as clients are told.

use std::fmt;

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedKind {
    /// A random walk.
    Simulated,
    /// Recorded files.
    Replay,
    /// Lines on standard input.
    Stdin,
}

/// How a feed fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedState {
    /// Nothing has been published yet.
    Starting,
    /// Events come as they are due.
    Running,
    /// Somebody has stopped it, and nothing comes before it is resumed, or told to go a step.
    Paused,
    /// Nothing has come for longer than is normal.
    Stalled,
    /// All has been published.
    Ended,
    /// The feed is over before its end.
    Failed {
        /// Why, for a person.
        detail: String,
    },
}

impl FeedState {
    /// The state's name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stalled => "stalled",
            Self::Ended => "ended",
            Self::Failed { .. } => "failed",
        }
    }

    /// Why a feed failed.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Failed { detail } => Some(detail),
            _ => None,
        }
    }
}

impl FeedKind {
    /// The kind's name, on the wire and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Replay => "replay",
            Self::Stdin => "stdin",
        }
    }
}

impl fmt::Display for FeedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
