//! What a node knows of the cluster, for the parts of the program that tell it.

use std::time::Duration;

use tokio::time::Instant;

use super::mail::Nodes;
use super::reader::Position;

/// What a node knows of the cluster.
#[derive(Clone, Debug)]
pub struct View {
    /// The id of this node.
    pub node: String,
    /// The id of the leader; `None` if there is no leader.
    pub leader: Option<String>,
    /// The present term; 0 before the first.
    pub term: u64,
    /// The epoch; empty before the first.
    pub epoch: String,
    /// The sequence number of the newest event that this node has read.
    pub seq: u64,
    /// How many entries this node has skipped.
    pub skipped: u64,
    /// How many terms have begun on this node's watch, its own included.
    pub takeovers: u64,
    /// How many appends of this node the stream has acknowledged.
    pub appends: u64,
    /// The time that these appends took, in all.
    pub append_time: Duration,
    /// Whether this node has read everything that the stream had when the node opened it.
    pub is_caught_up: bool,
    /// Whether this node has ever caught up, so that its clients get market data.
    pub has_caught_up: bool,
    /// The nodes that were present lately, this one included.
    pub nodes: Nodes,
    /// When this node has read the newest entry.
    pub read_at: Instant,
}

impl View {
    /// Returns the view of a node that has read nothing.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            leader: None,
            term: 0,
            epoch: String::new(),
            seq: 0,
            skipped: 0,
            takeovers: 0,
            appends: 0,
            append_time: Duration::ZERO,
            is_caught_up: false,
            has_caught_up: false,
            nodes: Nodes::default(),
            read_at: Instant::now(),
        }
    }

    /// Records the place after the newest entry.
    pub fn advance(&mut self, position: &Position, skipped: u64) {
        if position.term != self.term {
            self.takeovers += 1;
        }
        self.leader.clone_from(&position.leader);
        self.epoch.clone_from(&position.epoch);
        (self.term, self.seq, self.skipped) = (position.term, position.seq, skipped);
        self.read_at = Instant::now();
    }

    /// Records whether this node has caught up. Returns whether that is news.
    pub fn set_caught_up(&mut self, is_caught_up: bool) -> bool {
        self.has_caught_up |= is_caught_up;
        std::mem::replace(&mut self.is_caught_up, is_caught_up) != is_caught_up
    }

    /// Returns how long ago this node has read the newest entry. The leader of a running cluster writes at
    /// least two entries a second.
    #[must_use]
    pub fn lag(&self) -> Duration {
        self.read_at.elapsed()
    }

    /// Returns the [lag](Self::lag) in milliseconds.
    #[must_use]
    pub fn lag_ms(&self) -> u64 {
        u64::try_from(self.lag().as_millis()).unwrap_or(u64::MAX)
    }
}
