//! Appends to the log: the entries of a leader, and the beginning of a term.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::{ANSWER, Answer, AppendFuture, BEAT, Node, RETRY, Role};
use crate::bus;
use crate::cluster::entry::{Body, Entry, Header, Lead, Origin};
use crate::cluster::log::{AppendError, SharedLog, Subject, Unavailable};
use crate::cluster::own_feed::Step;
use crate::cluster::reader::Position;
use crate::feed::Place;
use crate::market::Time;

/// What a node says of a stream that can be read, and answers no append.
const SILENT_STREAM: &str = "the NATS server does not answer, although the stream can be read: its log has the reason. \
     A server whose disk is full does so: make room, and start the server again";

impl<L: SharedLog> Node<L> {
    /// Begins the next append, if the node has anything to append and may do so.
    pub(super) fn append(&mut self, now: Instant) -> Option<AppendFuture> {
        if !self.may_append(now) {
            return None;
        }
        let (subject, bytes) = self.next_message(now)?;
        let (log, expected) = (self.log.clone(), self.read);
        self.appender.sent(expected, now);
        Some(Box::pin(async move {
            match timeout(ANSWER, log.append(subject, bytes, expected)).await {
                Ok(Ok(_)) => Answer::Appended { after: now.elapsed() },
                failed => Answer::Failed {
                    error: failed.map_or(AppendError::NoAnswer, |failed| failed.expect_err("it has failed")),
                    ends: timeout(ANSWER, log.ends()).await.ok().and_then(Result::ok),
                },
            }
        }))
    }

    /// Returns whether the node has read everything, and has nothing in flight.
    pub(super) fn may_append(&self, now: Instant) -> bool {
        self.appender.is_free(now) && self.read >= self.end
    }

    /// Returns the next message that this node may append, and its subject.
    fn next_message(&mut self, now: Instant) -> Option<(Subject, Vec<u8>)> {
        if let Role::Following = self.role {
            let (entry, previous) = self.lead_entry(now)?;
            return Some((Subject::Log, entry.encode(previous).0));
        }
        let position = self.reader.position()?;
        let Role::Leading(term) = &mut self.role else { return None };
        let header = Header {
            epoch: position.epoch.clone(),
            term: position.term,
            seq: position.seq,
            taken: position.place.taken,
        };
        let status = term.status();
        if now >= term.next_beat {
            term.next_beat = now + BEAT;
            let status = serde_json::to_string(&status).unwrap_or_default();
            let beat = Entry { header, body: Body::Beat { status } };
            return Some((Subject::Beat, beat.encode(position.chain).0));
        }
        term.queue.fill();
        let mut most = usize::MAX;
        loop {
            let body = term.queue.front(most, &status)?;
            let entry = Entry { header: header.clone(), body };
            let (bytes, _) = entry.encode(position.chain);
            let events = usize::try_from(entry.body.events()).unwrap_or(usize::MAX);
            if bytes.len() <= self.settings.batch_bytes || events <= 1 {
                return Some((Subject::Log, bytes));
            }
            most = events / 2;
        }
    }

    /// Returns the entry with which this node would begin a term; `None` if the node may not lead now.
    fn lead_entry(&mut self, now: Instant) -> Option<(Entry, u64)> {
        let own_feed = self.own_feed.as_ref()?;
        let begins_epoch = self.settings.restarts || self.lost.is_some() || self.reader.position().is_none();
        // An empty stream has no leader to wait for.
        let is_empty = self.reader.position().is_none() && self.end == 0;
        // A node that knows nothing of the log leaves more time to those that do.
        let patience = if self.reader.position().is_none() { self.settings.lease } else { Duration::ZERO };
        let has_ended = self.lease.ends_at(now) + patience <= now;
        if !(self.settings.restarts || self.lost.is_some() || is_empty || has_ended) {
            return None;
        }
        let node = self.settings.id.clone();
        let before = self.reader.position();
        if !begins_epoch {
            let Position { epoch, term, origin, seq, place, pace, chain, .. } = before?;
            if !own_feed.is_at(origin, *place) {
                return None;
            }
            let (epoch, term, origin) = (epoch.clone(), term + 1, origin.clone());
            let header = Header { epoch, term, seq: *seq, taken: place.taken };
            let lead = Lead { node, begins_epoch, origin, target: place.target, pace: *pace };
            return Some((Entry { header, body: Body::Lead(lead) }, *chain));
        }
        let (origin, at, pace) = match &self.lost {
            Some(lost) if !self.settings.restarts => (lost.origin.clone(), lost.place, lost.pace),
            _ => {
                let start = own_feed.origin().start.or_else(|| Some(Time::now()));
                let origin = self.origin.as_deref().filter(|_| !self.settings.restarts).cloned();
                let origin = origin.unwrap_or_else(|| Origin { start, ..own_feed.origin().clone() });
                (origin, Place::default(), own_feed.pace())
            }
        };
        if !own_feed.is_at(&origin, at) {
            let origin = Arc::new(origin);
            self.origin = Some(Arc::clone(&origin));
            own_feed.follow(Step { origin, place: at, pace, events: Vec::new() });
            return None;
        }
        let term = self.reader.next_term();
        let header = Header { epoch: bus::random_name(), term, seq: 0, taken: at.taken };
        let lead = Lead { node, begins_epoch, origin, target: at.target, pace };
        // The chain of an epoch begins with 0.
        Some((Entry { header, body: Body::Lead(lead) }, 0))
    }

    /// Records the answer to an append. Returns an error if the stream has to be opened again.
    pub(super) fn on_answer(&mut self, answer: &Answer) -> Option<Unavailable> {
        match answer {
            Answer::Appended { after } => {
                self.contact = Instant::now();
                self.view.send_modify(|view| {
                    view.appends += 1;
                    view.append_time += *after;
                });
                None
            }
            Answer::Failed { error, ends: Some(ends) } if ends.last >= self.read => {
                if self.appender.failed(ends.last) {
                    self.on_not_stored(error);
                }
                self.end = self.end.max(ends.last);
                None
            }
            Answer::Failed { ends: Some(_), .. } => {
                Some(Unavailable("the stream has lost its end".to_owned()))
            }
            Answer::Failed { ends: None, .. } => Some(Unavailable("an append has no answer".to_owned())),
        }
    }

    /// Logs why the stream has not stored an entry, although nothing came before it. Logs the same reason once.
    fn on_not_stored(&mut self, error: &AppendError) {
        let reason = match error {
            AppendError::Refused => return,
            AppendError::Rejected(reason) => {
                self.appender.rest(Instant::now() + RETRY);
                reason
            }
            // One answer may be lost on its way.
            AppendError::NoAnswer if !std::mem::replace(&mut self.is_unanswered, true) => return,
            AppendError::NoAnswer => SILENT_STREAM,
        };
        if self.untaken.as_deref() != Some(reason) {
            warn!(reason, "the stream takes no entry, so nobody can lead; this node tries again");
            self.untaken = Some(reason.to_owned());
        }
    }

    /// Records that the stream has stored an entry of any node.
    pub(super) fn on_stored(&mut self) {
        self.is_unanswered = false;
        if self.untaken.take().is_some() {
            info!("the stream takes entries again");
        }
    }
}
