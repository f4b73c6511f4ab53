//! The reader decides which entries of the stream are valid. All nodes decide alike.
//!
//! The first entry of an epoch is valid if its term is newer. Any other entry is valid if its epoch, its term, its sequence number and its chain value follow from the newest
//! valid entry. The rest is skipped. For example, the late entry of a deposed leader is skipped, because
//! this entry has an old term.

use serde::{Deserialize, Serialize};

use super::entry::{Body, Chain, DecodeError, Entry, Lead, Origin};
use crate::feed::{Pace, Place};
use crate::market::FeedState;

/// The place in the log after the newest valid entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch.
    pub epoch: String,
    /// The term.
    pub term: u64,
    /// The id of the term's leader; `None` after the leader has resigned.
    pub leader: Option<String>,
    /// What determines the events of the feed.
    pub origin: Origin,
    /// The sequence number of the newest event.
    pub seq: u64,
    /// The place of the source.
    pub place: Place,
    /// The chain value of the newest entry.
    pub chain: Chain,
    /// The number of the newest entry that is no beat.
    pub entry: u64,
    /// The newest state of the feed.
    pub state: FeedState,
    /// The newest pace of the feed.
    pub pace: Pace,
}

/// Reads the stream, and knows the place after the newest valid entry.
#[derive(Debug, Default)]
pub struct Reader {
    position: Option<Position>,
    skipped: u64,
    /// The highest term of any entry, also of entries whose place is not known.
    newest_term: u64,
}

/// What the reader makes of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The entry is valid.
    Valid(Body),
    /// Nothing is known of the log before the entry, and the entry does not begin an epoch.
    Unknown,
    /// The entry is skipped.
    Skipped(Fault),
    /// The entry has a form that this program does not know, so the node must stop reading.
    Newer(DecodeError),
}

/// The reason why an entry is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are no entry.
    #[error("the bytes are no entry")]
    Malformed,
    /// The epoch, the term or the sequence number does not follow.
    #[error("the epoch, the term or the sequence number does not follow")]
    Place,
    /// The chain value does not follow.
    #[error("the chain value does not follow")]
    Chain,
}

impl Reader {
    /// Returns the place after the newest valid entry; `None` if nothing of the log is known.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Returns the term that follows all terms that the reader has seen.
    #[must_use]
    pub fn next_term(&self) -> u64 {
        self.newest_term.max(self.position.as_ref().map_or(0, |position| position.term)) + 1
    }

    /// Returns how many entries were skipped.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Continues at the place of a checkpoint.
    pub fn go_to(&mut self, position: Position) {
        self.position = Some(position);
    }

    /// Forgets the place, because the stream no longer has what was read from it.
    pub fn forget(&mut self) {
        self.position = None;
    }

    /// Reads the message with this number.
    pub fn read(&mut self, number: u64, bytes: &[u8]) -> Verdict {
        let verdict = self.judge(number, bytes);
        if let Verdict::Skipped(_) = verdict {
            self.skipped += 1;
        }
        verdict
    }

    fn judge(&mut self, number: u64, bytes: &[u8]) -> Verdict {
        let (entry, stated) = match Entry::decode(bytes) {
            Ok(decoded) => decoded,
            Err(DecodeError::Malformed) => return Verdict::Skipped(Fault::Malformed),
            Err(newer) => return Verdict::Newer(newer),
        };
        self.newest_term = self.newest_term.max(entry.header.term);
        if let Body::Lead(lead) = &entry.body
            && lead.begins_epoch
        {
            return self.begin(number, bytes, entry, stated);
        }
        let Some(position) = &mut self.position else { return Verdict::Unknown };
        let Entry { header, body } = &entry;
        let term = position.term + u64::from(matches!(body, Body::Lead(_)));
        let follows = header.epoch == position.epoch
            && header.term == term
            && header.seq == position.seq
            && header.taken == position.place.taken;
        if !follows {
            return Verdict::Skipped(Fault::Place);
        }
        if entry.chain(position.chain, bytes) != stated {
            return Verdict::Skipped(Fault::Chain);
        }
        position.advance(&entry.body, term, number, stated);
        Verdict::Valid(entry.body)
    }

    /// Reads an entry that begins an epoch. The chain of an epoch begins with 0, so that nodes that know nothing of
    /// the log before decide like the others.
    fn begin(&mut self, number: u64, bytes: &[u8], entry: Entry, stated: Chain) -> Verdict {
        let Entry { header, body } = &entry;
        let Body::Lead(Lead { node, origin, target, pace, .. }) = body else {
            return Verdict::Skipped(Fault::Place);
        };
        let before = self.position.as_ref();
        if header.seq != 0 || before.is_some_and(|before| header.term <= before.term) {
            return Verdict::Skipped(Fault::Place);
        }
        if entry.chain(0, bytes) != stated {
            return Verdict::Skipped(Fault::Chain);
        }
        self.position = Some(Position {
            epoch: header.epoch.clone(),
            term: header.term,
            leader: Some(node.clone()),
            origin: origin.clone(),
            seq: 0,
            place: Place { target: *target, taken: header.taken },
            chain: stated,
            entry: number,
            state: FeedState::Starting,
            pace: *pace,
        });
        Verdict::Valid(entry.body)
    }
}

impl Position {
    fn advance(&mut self, body: &Body, term: u64, number: u64, chain: Chain) {
        if !body.is_beat() {
            (self.term, self.chain, self.entry) = (term, chain, number);
        }
        match body {
            Body::Events(events) => {
                self.seq += events.len() as u64;
                self.place.taken += events.len() as u64;
            }
            Body::Mark { state, pace } => (self.state, self.pace) = (state.clone(), *pace),
            Body::Seek { target, state, .. } => {
                self.place = Place { target: Some(*target), taken: 0 };
                self.state = state.clone();
            }
            Body::Lead(lead) => self.leader = Some(lead.node.clone()),
            Body::Resign => self.leader = None,
            Body::Values(_) | Body::Beat { .. } => {}
        }
    }
}
