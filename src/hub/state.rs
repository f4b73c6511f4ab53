//! The state of a connection: what stands between it and the newest events.

use super::view::View;
use crate::bus::Seek;
use crate::market::Time;
use crate::wire::CloseReason;

/// How a connection is served.
#[derive(Debug)]
pub(super) enum State {
    /// It receives events as they come.
    Live,
    /// It is being sent what it missed.
    Resuming {
        /// The last event of it that is in the outbox.
        after: u64,
        /// What it is told when it has caught up.
        owed: Owed,
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

impl State {
    /// Returns the state of a connection that is owed this, or nothing.
    pub(super) fn owing(owed: Owed) -> Self {
        if owed == Owed::default() { Self::Live } else { Self::Resync { owed } }
    }

    /// Returns what the connection is owed; `None` where it closes, and is owed nothing any more.
    pub(super) fn owed(&self) -> Option<Owed> {
        match self {
            Self::Live => Some(Owed::default()),
            Self::Resuming { owed, .. } | Self::Resync { owed } => Some(*owed),
            Self::Closing { .. } => None,
        }
    }

    /// Changes what the connection is owed. One that closes stays as it is.
    pub(super) fn owe(&mut self, change: impl FnOnce(&mut Owed)) {
        match self {
            Self::Closing { .. } => {}
            Self::Resuming { owed, .. } => change(owed),
            Self::Live | Self::Resync { .. } => {
                let mut owed = self.owed().unwrap_or_default();
                change(&mut owed);
                *self = Self::owing(owed);
            }
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

    /// Returns the event up to which it has all, where it is not at its shard's own position: it is being sent
    /// what it missed, or has lost what came after.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Self::Resuming { after, .. } => Some(*after),
            Self::Resync { owed } => owed.gap,
            Self::Live | Self::Closing { .. } => None,
        }
    }

    /// Returns whether all that it has came after this seek, which its shard has yet to find.
    pub(super) fn is_past(&self, seek: Seek) -> bool {
        self.after().is_some_and(|after| after > seek.after)
    }
}

impl Owed {
    /// Returns whether a shard can say what it is: one that is behind the client itself has nothing to tell it yet.
    pub(super) fn can_be_told(&self, view: &View) -> bool {
        self.seek.is_some() || self.gap.is_some_and(|after| after < view.seq())
    }
}
