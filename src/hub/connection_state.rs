//! The state of a connection: what stands between it and the newest events.

use super::snapshot_set::SnapshotSet;
use super::view::View;
use crate::bus::Seek;
use crate::market::Time;
use crate::wire::CloseReason;

/// How a connection is served.
#[derive(Debug)]
pub(super) enum ConnectionState {
    /// It receives events as they come.
    Live,
    /// It is being sent what it missed.
    Resuming {
        /// The last event of it that is in the outbox.
        after: u64,
        /// What it is told when it has caught up.
        owed: Owed,
    },
    /// It is being sent snapshots, and events of the symbols whose snapshot it has.
    Snapshots {
        /// Those that have yet to be written.
        set: Box<SnapshotSet>,
        /// Whether the feed's state is news to it.
        owes_feed_state: bool,
    },
    /// It is owed news. Before a gap is told it receives no new events; a seek and the feed's state are told beside them.
    Resync {
        /// What it is told.
        owed: Owed,
    },
    /// Nothing new is for it.
    Closing {
        /// Why the shard closes it, until its session asks.
        reason: Option<CloseReason>,
    },
}

/// What a connection is owed, until it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// The event after which it lost some.
    pub(super) gap: Option<u64>,
    /// The market time from which the feed went on.
    pub(super) seek: Option<Time>,
    /// Whether the feed's state is news to it.
    pub(super) feed_state: bool,
}

impl ConnectionState {
    /// Returns the state of a connection that is owed this, or nothing.
    pub(super) fn owing(owed: Owed) -> Self {
        if owed == Owed::default() { Self::Live } else { Self::Resync { owed } }
    }

    /// Returns what the connection is owed beside snapshots; `None` where it closes, and is owed nothing any more.
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

    /// Changes what the connection is owed. One that closes stays as it is; a gap and a seek bring snapshots of their own.
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

    /// Returns whether it closes.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self, Self::Closing { .. })
    }

    /// Returns whether it is being sent what it missed.
    pub(super) const fn is_resuming(&self) -> bool {
        matches!(self, Self::Resuming { .. })
    }

    /// Returns whether snapshots are owed or missed events are: what the client asks for next is answered behind them.
    pub(super) fn is_catching_up(&self) -> bool {
        match self {
            Self::Live | Self::Closing { .. } => false,
            Self::Resuming { .. } | Self::Snapshots { .. } => true,
            Self::Resync { owed } => owed.has_snapshots(),
        }
    }

    /// Returns the event up to which it has all, where it is not at its shard's own position: it is being sent
    /// what it missed, or has lost what came after.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Self::Resuming { after, .. } => Some(*after),
            Self::Resync { owed } => owed.gap,
            Self::Live | Self::Snapshots { .. } | Self::Closing { .. } => None,
        }
    }

    /// Returns whether all that it has came after this seek, which its shard has yet to find.
    pub(super) fn is_past(&self, seek: Seek) -> bool {
        self.after().is_some_and(|after| after > seek.after)
    }
}

impl Owed {
    /// Returns whether snapshots follow when the client is told.
    pub(super) const fn has_snapshots(&self) -> bool {
        self.gap.is_some() || self.seek.is_some()
    }

    /// Returns whether a shard can say what it is: one that is behind the client itself has nothing to tell it yet.
    pub(super) fn can_be_told(&self, view: &View) -> bool {
        self.seek.is_some() || self.gap.is_some_and(|after| after < view.seq())
    }
}
