//! The state of a connection: whether the connection gets new events, or must first get snapshots, missed
//! events or notices.

use super::market_state::MarketState;
use super::snapshot_set::SnapshotSet;
use crate::bus::Seek;
use crate::market::Time;
use crate::wire::CloseReason;

/// The state of a connection: what the connection gets next.
#[derive(Debug)]
pub(super) enum ConnectionState {
    /// The connection gets new events as the shard reads them.
    Live,
    /// The connection is getting the events that it missed.
    Resuming {
        /// Missed events up to this sequence number have already been written into the outbox.
        after: u64,
        /// The notices that the connection gets after the missed events.
        owed: Owed,
    },
    /// The connection is getting snapshots. The connection gets new events of a symbol only after the
    /// snapshot of that symbol.
    Snapshots {
        /// The snapshots that have yet to be written.
        set: Box<SnapshotSet>,
        /// Whether the connection has yet to get the current feed state.
        owes_feed_state: bool,
    },
    /// The connection has yet to get the notice of a gap, a seek or a feed state.
    ///
    /// Before the notice of a gap, the connection gets no events. Before the notice of a seek, new events are
    /// conflated for a `latest` client. An `every` client gets no events before the notice of a seek.
    Resync {
        /// The notices that the connection has yet to get.
        owed: Owed,
    },
    /// The connection is closing, and gets nothing new.
    Closing {
        /// The reason why the shard closes the connection. The reason is `None` after the session has taken
        /// it, or if the session closes the connection itself.
        reason: Option<CloseReason>,
    },
}

/// The notices that a connection has yet to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// The sequence number of the last event before a gap; `None` if no notice of a gap is pending.
    pub(super) gap: Option<u64>,
    /// Whether the notice of a new epoch is pending. The notice replaces those of a gap and a seek.
    pub(super) new_epoch: bool,
    /// The market time at which the feed continued after a seek; `None` if no notice of a seek is pending.
    pub(super) seek: Option<Time>,
    /// Whether the connection has yet to get the current feed state.
    pub(super) feed_state: bool,
}

impl ConnectionState {
    /// Returns the state of a connection that has yet to get the notices in `owed`; `Live` if there are no
    /// such notices.
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
    /// Does nothing if the connection is closing. A notice of a gap or a seek ends the current set of
    /// snapshots, because another set follows the notice.
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
    /// only after these snapshots or events.
    pub(super) fn is_catching_up(&self) -> bool {
        match self {
            Self::Live | Self::Closing { .. } => false,
            Self::Resuming { .. } | Self::Snapshots { .. } => true,
            Self::Resync { owed } => owed.has_snapshots(),
        }
    }

    /// Returns the client's own log position while the client resumes or waits for the notice of a gap.
    /// Otherwise returns `None`, because the client is at the shard's position.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Self::Resuming { after, .. } => Some(*after),
            Self::Resync { owed } => owed.gap,
            Self::Live | Self::Snapshots { .. } | Self::Closing { .. } => None,
        }
    }

    /// Returns whether the client's own log position is after `seek`. If so, the client was ahead of its
    /// shard when the shard read the seek.
    pub(super) fn is_past(&self, seek: Seek) -> bool {
        self.after().is_some_and(|after| after > seek.after)
    }
}

impl Owed {
    /// Returns whether a set of snapshots must follow the notices.
    pub(super) const fn has_snapshots(&self) -> bool {
        self.gap.is_some() || self.seek.is_some() || self.new_epoch
    }

    /// Returns whether the client can now get the notice of a seek, a gap or a new epoch. If only the notice of a gap is
    /// pending, the shard must first have read an event after the start of the gap.
    pub(super) fn can_be_told(&self, market: &MarketState) -> bool {
        self.new_epoch || self.seek.is_some() || self.gap.is_some_and(|after| after < market.seq())
    }
}
