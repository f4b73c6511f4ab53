//! Reads the log into the bus.

use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{BEAT, Node, Role, Term};
use crate::bus::{Checkpoint, LastValueCache};
use crate::cluster::entry::{Body, Lead};
use crate::cluster::log::{Message, SharedLog};
use crate::cluster::own_feed::{Leading, Step};
use crate::cluster::queue::Queue;
use crate::cluster::reader::{Position, Verdict};
use crate::feed::{Place, Speed};
use crate::market::{Event, FeedKind, FeedState};

impl<L: SharedLog> Node<L> {
    /// Reads a message. Returns whether the log is of a newer version.
    pub(super) fn on_message(&mut self, message: &Message) -> bool {
        let now = Instant::now();
        self.contact = now;
        self.read = message.number;
        self.appender.read(message.number);
        self.on_stored();
        self.answer_read();
        match self.reader.read(message.number, &message.bytes) {
            Verdict::Newer(error) => {
                error!(%error, "the node stops reading the log");
                return true;
            }
            // Somebody leads, although this node cannot follow.
            Verdict::Unknown => self.lease.renew(now),
            Verdict::Skipped(fault) => {
                warn!(number = message.number, %fault, skipped = self.reader.skipped(), "an entry is skipped");
            }
            Verdict::Valid(body) => self.apply(body, now),
        }
        if self.read >= self.end {
            self.on_caught_up();
        }
        false
    }

    /// Tells this node's own feed how far the stream and the clients are.
    pub(super) fn report(&self) {
        let Role::Leading(term) = &self.role else { return };
        let served = self.bus.is_flow_controlled().then(|| {
            let others = self.view.borrow().nodes.served(&self.settings.id, Instant::now());
            self.bus.served().min(others.unwrap_or(u64::MAX))
        });
        term.queue.report(served);
    }

    /// Applies a valid entry.
    pub(super) fn apply(&mut self, body: Body, now: Instant) {
        self.lease.renew(now);
        self.end_stall();
        let position = self.reader.position().expect("a valid entry has a place").clone();
        if self.origin.as_deref() != Some(&position.origin) {
            self.origin = Some(Arc::new(position.origin.clone()));
        }
        if let Role::Leading(term) = &mut self.role {
            term.queue.stored(&body);
        }
        match body {
            Body::Events(events) => {
                let taken = position.place.taken - events.len() as u64;
                self.step(&position, Place { taken, ..position.place }, &events);
                if self.lost.is_none() {
                    self.bus.publish(events);
                }
            }
            Body::Mark { state, .. } => {
                self.step(&position, position.place, &[]);
                self.set_state(state);
            }
            Body::Values(values) => self.values.extend(values),
            Body::Seek { position: to, state, .. } => {
                self.step(&position, position.place, &[]);
                if self.lost.is_none() {
                    let values = std::mem::take(&mut self.values);
                    self.bus.seek(LastValueCache::of(position.seq, values), to, state);
                }
            }
            Body::Lead(lead) => self.on_lead(&lead, &position),
            Body::Resign => {
                self.stop_leading();
                self.lease.vacate();
                self.step(&position, position.place, &[]);
            }
            Body::Beat { status } => {
                if let Ok(status) = serde_json::from_str(&status) {
                    self.remote.set_status(status);
                }
            }
        }
        // A feed at full speed waits for the clients of all nodes.
        self.bus.set_flow_controlled(position.pace.speed == Some(Speed::Max));
        self.report();
        if self.lost.is_none() && self.values.is_empty() {
            self.marks.record(&self.bus, &position, self.read);
        }
        let skipped = self.reader.skipped();
        self.view.send_modify(|view| view.advance(&position, skipped));
    }

    pub(super) fn on_lead(&mut self, lead: &Lead, position: &Position) {
        self.stop_leading();
        self.values.clear();
        info!(node = lead.node, term = position.term, epoch = position.epoch, "a term begins");
        self.bus.set_kind(position.origin.kind);
        self.remote.set_kind(position.origin.kind);
        // A node that has lost its place reads the old epochs once more.
        if lead.begins_epoch && self.remember(&position.epoch) {
            (self.lost, self.saved) = (None, 0);
            self.marks.clear();
            self.bus.start_over(Checkpoint {
                epoch: position.epoch.as_str().into(),
                position: 0,
                last_values: LastValueCache::at(0),
                feed_state: position.state.clone(),
                seek: None,
            });
        }
        if lead.node != self.settings.id {
            self.step(position, position.place, &[]);
            return;
        }
        if position.entry <= self.opened_at {
            // The term was this node's own, but the node no longer has what its feed had published.
            self.lease.vacate();
            self.step(position, position.place, &[]);
            return;
        }
        self.settings.restarts = false;
        let Some(own_feed) = self.own_feed.as_ref() else { return };
        // Standard input loses what came while no node led.
        let is_lossy =
            position.origin.kind == FeedKind::Stdin && !lead.begins_epoch && !position.state.is_last();
        let state = if is_lossy { FeedState::Restarting } else { position.state.clone() };
        let (bus, mut queue) = Queue::new(self.bus.kind(), &position.epoch, position.seq, state.clone());
        if is_lossy {
            queue.enter(state.clone());
        }
        let (stop, (control, starting)) = (CancellationToken::new(), oneshot::channel());
        let leading =
            Leading { place: position.place, bus, pace: position.pace, state, stop: stop.clone(), control };
        let is_ready = own_feed.is_at(&position.origin, position.place) && own_feed.lead(leading);
        let mut term = Term {
            queue,
            stop,
            control: None,
            starting: Some(starting),
            next_beat: Instant::now() + BEAT,
            next_checkpoint: Instant::now() + self.settings.checkpoint,
            is_resigning: false,
            executing: FuturesUnordered::new(),
        };
        if !is_ready {
            warn!("this node leads, but its own feed is not ready, so the node resigns");
            term.resign();
        }
        self.role = Role::Leading(Box::new(term));
    }

    pub(super) fn stop_leading(&mut self) {
        if let Role::Leading(term) = std::mem::replace(&mut self.role, Role::Following) {
            term.stop.cancel();
        }
    }

    /// Lets the own standby follow, unless this node leads.
    pub(super) fn step(&self, position: &Position, place: Place, events: &[Event]) {
        if let (Role::Following, Some(own_feed), Some(origin)) = (&self.role, &self.own_feed, &self.origin) {
            let origin = Arc::clone(origin);
            own_feed.follow(Step { origin, place, pace: position.pace, events: events.to_vec() });
        }
    }

    pub(super) fn on_caught_up(&mut self) {
        if self.is_degraded {
            self.is_degraded = false;
            if let Some(position) = self.reader.position() {
                self.bus.set_feed_state(position.state.clone());
            }
        }
        let is_caught_up = self.reader.position().is_some() && self.lost.is_none();
        self.bus.set_current(is_caught_up);
        self.view.send_if_modified(|view| view.set_caught_up(is_caught_up));
    }

    /// Tells the clients that no node publishes events.
    pub(super) fn stall(&mut self) {
        if !std::mem::replace(&mut self.is_stalled, true) && !self.is_degraded {
            warn!(after = ?self.settings.stalled_after, "no node leads, so the feed is stalled");
            self.bus.set_feed_state(FeedState::Stalled);
        }
    }

    fn end_stall(&mut self) {
        if std::mem::replace(&mut self.is_stalled, false)
            && !self.is_degraded
            && let Some(position) = self.reader.position()
        {
            self.bus.set_feed_state(position.state.clone());
        }
    }

    pub(super) fn degrade(&mut self, detail: String) {
        if !std::mem::replace(&mut self.is_degraded, true) {
            warn!(detail, "this node is cut off");
            self.bus.set_feed_state(FeedState::Degraded { detail });
        }
    }

    pub(super) fn set_state(&mut self, state: FeedState) {
        if self.lost.is_none() && !self.is_degraded && self.bus.feed_state() != state {
            self.bus.set_feed_state(state);
        }
    }
}
