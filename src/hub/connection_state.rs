//! The state of a connection: whether it gets new events, or must first get snapshots, missed events or
//! notices.

use super::market_state::MarketState;
use super::snapshot_set::SnapshotSet;
use crate::bus::Seek;
use crate::market::Time;
use crate::wire::CloseReason;

/// The state of a connection.
#[derive(Debug)]
pub(super) enum ConnectionState {
    /// The connection gets new events.
    Live,
    /// The connection is getting the events that it missed.
    Resuming {
        /// Missed events up to this sequence number are in the outbox.
        after: u64,
        /// The notices that follow the missed events.
        owed: Owed,
    },
    /// The connection is getting snapshots. New events of a symbol follow its snapshot.
    Snapshots {
        /// The snapshots that have yet to be written.
        set: Box<SnapshotSet>,
        /// Whether the connection has yet to be told the feed state.
        owes_feed_state: bool,
    },
    /// The connection has yet to be told of a gap, a seek or a feed state.
    ///
    /// Before the notice of a gap, the connection gets no events. Before the notice of a seek, a `latest`
    /// client's events are conflated, and an `every` client gets no events.
    Resync {
        /// The notices that the connection has yet to get.
        owed: Owed,
    },
    /// The connection is closing, and gets nothing new.
    Closing {
        /// The reason why the shard closes the connection. `None` after the session has taken the reason, or
        /// if the session closes the connection itself.
        reason: Option<CloseReason>,
    },
}

/// The notices that a connection has yet to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// The last event before a gap.
    pub(super) gap: Option<u64>,
    /// The market time at which the feed continued after a seek.
    pub(super) seek: Option<Time>,
    /// Whether the feed state has changed.
    pub(super) feed_state: bool,
}

impl ConnectionState {
    /// Returns the state of a connection that has yet to get these notices; `Live` if there are none.
    pub(super) fn owing(owed: Owed) -> Self {
        if owed == Owed::default() { Self::Live } else { Self::Resync { owed } }
    }

    /// Returns the notices that the connection has yet to get; `None` if the connection is closing.
    pub(super) fn owed(&self) -> Option<Owed> {
        match self {
            Self::Live => Some(Owed::default()),
            Self::Snapshots { owes_feed_state, .. } => {
                Some(Owed { feed_state: *owes_feed_state, ..Owed::default() })
            }
            Self::Resuming { owed, .. } | Self::Resync { owed } => Some(*owed),
            Self::Closing { .. } => None,
        }
    }

    /// Changes the notices that the connection has yet to get.
    ///
    /// A closing connection does not change. A gap or a seek ends a set of snapshots, because another set
    /// follows the notice.
    pub(super) fn owe(&mut self, change: impl FnOnce(&mut Owed)) {
        let Some(mut new) = self.owed() else { return };
        change(&mut new);
        match self {
            Self::Resuming { owed, .. } => *owed = new,
            Self::Snapshots { owes_feed_state, .. } if !new.has_snapshots() => {
                *owes_feed_state = new.feed_state;
            }
            _ => *self = Self::owing(new),
        }
    }

    /// Returns whether the connection is closing.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self, Self::Closing { .. })
    }

    /// Returns whether the connection is getting events that it missed.
    pub(super) const fn is_resuming(&self) -> bool {
        matches!(self, Self::Resuming { .. })
    }

    /// Returns whether snapshots or missed events have yet to be sent. The client's next command is answered
    /// after them.
    pub(super) fn is_catching_up(&self) -> bool {
        match self {
            Self::Live | Self::Closing { .. } => false,
            Self::Resuming { .. } | Self::Snapshots { .. } => true,
            Self::Resync { owed } => owed.has_snapshots(),
        }
    }

    /// Returns the client's own position while the client resumes, or has yet to be told of a gap. Otherwise
    /// the client is at the shard's position, and the result is `None`.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Self::Resuming { after, .. } => Some(*after),
            Self::Resync { owed } => owed.gap,
            Self::Live | Self::Snapshots { .. } | Self::Closing { .. } => None,
        }
    }

    /// Returns whether the client's own position is after this seek. Such a client was ahead of its shard.
    pub(super) fn is_past(&self, seek: Seek) -> bool {
        self.after().is_some_and(|after| after > seek.after)
    }
}

impl Owed {
    /// Returns whether snapshots follow the notices.
    pub(super) const fn has_snapshots(&self) -> bool {
        self.gap.is_some() || self.seek.is_some()
    }

    /// Returns whether the client can be told of its seek or gap now. A gap without a seek can be told when
    /// the shard has read an event after the start of the gap.
    pub(super) fn can_be_told(&self, market: &MarketState) -> bool {
        self.seek.is_some() || self.gap.is_some_and(|after| after < market.seq())
    }
}
