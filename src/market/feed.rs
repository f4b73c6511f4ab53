//! The kind and the state of a feed, as clients see them.

use std::fmt;

/// The kind of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeedKind {
    /// A random walk.
    Simulated,
    /// Recorded files.
    Replay,
    /// The feed reads lines from standard input.
    Stdin,
}

/// The state of a feed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FeedState {
    /// The feed has published no event yet.
    Starting,
    /// The feed publishes events when they are due.
    Running,
    /// The feed publishes no events until a client resumes or steps the feed.
    Paused,
    /// The feed's source has delivered no event for longer than `feed.stalled_after`.
    Stalled,
    /// The feed has published its last event.
    Ended,
    /// The feed has failed, and publishes no further events.
    Failed {
        /// The reason for the failure of the feed, as a text for people to read.
        detail: String,
    },
    /// Another node of the cluster has taken over the feed, and has not published any event yet.
    Restarting,
    /// This node of a cluster is cut off from the others. Only a node's own clients get this state.
    Degraded {
        /// The reason, as a text for people to read.
        detail: String,
    },
}

impl FeedState {
    /// Returns whether the feed publishes no further events in this state, unless a command starts it again.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Ended | Self::Failed { .. })
    }

    /// Returns the name of this state, as in messages to clients.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stalled => "stalled",
            Self::Ended => "ended",
            Self::Failed { .. } => "failed",
            Self::Restarting => "restarting",
            Self::Degraded { .. } => "degraded",
        }
    }

    /// Returns the reason of the states `failed` and `degraded`; `None` if the feed is in another state.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Failed { detail } | Self::Degraded { detail } => Some(detail),
            _ => None,
        }
    }
}

impl FeedKind {
    /// Returns the name of this kind of feed, as in messages to clients and in the configuration.
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
