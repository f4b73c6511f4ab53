//! The state of a connection: whether it gets events as they come, or must first be sent or told something
//! else.

use super::market_state::MarketState;
use super::snapshot_set::SnapshotSet;
use crate::bus::Seek;
use crate::market::Time;
use crate::wire::CloseReason;

/// The state of a connection.
#[derive(Debug)]
pub(super) enum ConnectionState {
    /// The connection gets events as they come.
    Live,
    /// The connection is sent the events that it missed.
    Resuming {
        /// The event up to which the missed events are in the outbox.
        after: u64,
        /// The notices that it gets once it has caught up.
        owed: Owed,
    },
    /// The connection is sent snapshots, and events of the symbols whose snapshot it has.
    Snapshots {
        /// The snapshots that have yet to be written.
        set: Box<SnapshotSet>,
        /// Whether it has yet to be told the feed state.
        owes_feed_state: bool,
    },
    /// The connection has yet to be told of a gap, a seek or a feed state.
    ///
    /// Until it is told of a gap it gets no events. Until it is told of a seek, its events are conflated.
    Resync {
        /// The notices that it has yet to get.
        owed: Owed,
    },
    /// The connection closes, and gets nothing new.
    Closing {
        /// Why the shard closes it; `None` once its session knows, or if the session closes it.
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

    /// Returns the notices that the connection has yet to get; `None` if it closes.
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
    /// A closing connection stays as it is. A gap or a seek ends a set of snapshots, because another set
    /// follows it.
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

    /// Returns whether the connection closes.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self, Self::Closing { .. })
    }

    /// Returns whether the connection is sent events that it missed.
    pub(super) const fn is_resuming(&self) -> bool {
        matches!(self, Self::Resuming { .. })
    }

    /// Returns whether the connection has yet to be sent snapshots or missed events. Its next command is
    /// answered after them.
    pub(super) fn is_catching_up(&self) -> bool {
        match self {
            Self::Live | Self::Closing { .. } => false,
            Self::Resuming { .. } | Self::Snapshots { .. } => true,
            Self::Resync { owed } => owed.has_snapshots(),
        }
    }

    /// Returns the event up to which the client has everything, if that is not its shard's own position:
    /// while the client resumes, or after it lost events.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Self::Resuming { after, .. } => Some(*after),
            Self::Resync { owed } => owed.gap,
            Self::Live | Self::Snapshots { .. } | Self::Closing { .. } => None,
        }
    }

    /// Returns whether the client's cursor is after this seek. Such a client was ahead of its shard.
    pub(super) fn is_past(&self, seek: Seek) -> bool {
        self.after().is_some_and(|after| after > seek.after)
    }
}

impl Owed {
    /// Returns whether snapshots follow once the client is told.
    pub(super) const fn has_snapshots(&self) -> bool {
        self.gap.is_some() || self.seek.is_some()
    }

    /// Returns whether the client can be told of its seek or gap now. A gap alone can be told only after the
    /// shard has read an event of the gap.
    pub(super) fn can_be_told(&self, market: &MarketState) -> bool {
        self.seek.is_some() || self.gap.is_some_and(|after| after < market.seq())
    }
}
