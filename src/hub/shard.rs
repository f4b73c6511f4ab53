//! A shard: a fold of the log, and the connections that live on one thread.
//!
//! It [reads](Shard::read) the log at its own position and keeps the last values as of that position. A
//! subscription is answered from that very fold, so snapshot and updates join without a lock, a
//! gap or a repeat. Here is what a shard is, and what the sessions of its clients ask of it.
//!
//! Plain values and plain methods: no I/O, no clock, no task.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

use super::batch::Batch;
use super::beats::Beats;
use super::connection::Connection;
use super::frames::Frames;
use super::life::{Deadlines, Life, Lookouts, Verdict};
use super::subscriptions::{ConnectionId, Subscriptions};
use crate::bus::{Bus, LastValues, Seek, Start};
use crate::market::{FeedState, Time};
use crate::tally::Limit;
use crate::wire::{self, CloseReason, Delivery, Message, Refusal, Reply, RequestId};

/// How soon to look again at a client that is ahead of its shard.
const AHEAD: Duration = Duration::from_millis(5);

/// A server that has not looked at its clients for so long was stopped, or its clock has jumped.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What a shard is told at its start.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time between heartbeats; one goes with an update up to an eighth of it early, where there is one.
    pub heartbeat: Duration,
    /// How many bytes may wait for a connection.
    pub every_buffer: usize,
    /// How many symbols a connection may have; 0 means no limit.
    pub max_symbols: usize,
    /// What connections have to do in time.
    pub deadlines: Deadlines,
}

/// The last values and connections of one thread.
#[derive(Debug)]
pub struct Shard {
    pub(super) bus: Arc<Bus>,
    pub(super) settings: Settings,
    pub(super) last_values: LastValues,
    pub(super) feed: FeedState,
    /// The newest seek before the shard's own position.
    pub(super) seek: Option<Seek>,
    pub(super) frames: Frames,
    pub(super) subscriptions: Subscriptions,
    pub(super) connections: Slab<Connection>,
    /// Connections whose sessions have something new to do.
    pub(super) woken: Vec<ConnectionId>,
    pub(super) batch: Batch,
    /// Room for a heartbeat that goes with it.
    pub(super) beat: Vec<u8>,
    pub(super) beats: Beats,
    lookouts: Lookouts,
    looked: Option<Instant>,
    /// Connections that take something of the batch.
    pub(super) takers: Vec<ConnectionId>,
    /// Batches so far.
    pub(super) batches: u64,
}

impl Shard {
    /// A shard that begins where its reader of `bus` does.
    #[must_use]
    pub fn new(bus: Arc<Bus>, start: Start, settings: Settings) -> Self {
        Self {
            bus,
            settings,
            last_values: start.last_values,
            feed: start.feed,
            seek: start.seek,
            frames: Frames::default(),
            subscriptions: Subscriptions::default(),
            connections: Slab::new(),
            woken: Vec::new(),
            batch: Batch::default(),
            beat: Vec::new(),
            beats: Beats::new(settings.heartbeat),
            lookouts: Lookouts::default(),
            looked: None,
            takers: Vec::new(),
            batches: 0,
        }
    }

    /// Adds a plain connection.
    pub fn connect(&mut self, now: Instant) -> ConnectionId {
        let life = Life::new(now, &self.settings.deadlines);
        let look = life.next_look(&self.settings.deadlines);
        let id = self.connections.insert(Connection::new(self.settings.every_buffer, life));
        self.beats.begin(id, now);
        self.lookouts.set(id, look);
        id
    }

    /// Has a connection get nothing before it has shown a token, or no longer.
    pub fn lock(&mut self, id: ConnectionId, now: Instant, is_locked: bool) {
        let connection = &mut self.connections[id];
        connection.is_locked = is_locked;
        connection.life.lock(now, &self.settings.deadlines, is_locked);
        self.lookouts.set(id, connection.life.next_look(&self.settings.deadlines));
    }

    /// Tells a client something that its session knows.
    pub fn say(&mut self, id: ConnectionId, reply: &Reply<'_>) {
        self.connections[id].say(reply);
    }

    /// Forgets a connection.
    pub fn disconnect(&mut self, id: ConnectionId) {
        let mut wants = std::mem::take(&mut self.connections[id].wants);
        let had = wants.clone();
        self.subscriptions.remove(id, &mut wants, None, had.all);
        for (symbol, kinds) in had.names() {
            self.subscriptions.remove(id, &mut wants, Some(symbol), kinds);
        }
        self.connections.remove(id);
        self.lookouts.set(id, None);
    }

    /// Puts a message of one client into every outbox.
    pub fn relay(&mut self, from: &str, message: &Message) {
        let mut plain = Vec::new();
        match message {
            Message::Text(text) => wire::text(&mut plain, |out| out.extend_from_slice(text.as_bytes())),
            Message::Binary(bytes) => wire::binary(&mut plain, bytes),
            Message::Ping(_) | Message::Pong | Message::Close(_) => return,
        }
        let mut wrapped = Vec::new();
        if let Some(reply) = Reply::message(from, message) {
            wire::text(&mut wrapped, |out| reply.write_to(out));
        }
        let is_for = |connection: &Connection| !connection.is_closing && !connection.is_locked;
        for (id, connection) in self.connections.iter_mut().filter(|(_, connection)| is_for(connection)) {
            let frame = if connection.is_subscriber { &wrapped } else { &plain };
            let pushed = connection.outbox.push_news(frame);
            connection.pushed(id, pushed, &self.bus, &mut self.woken);
        }
    }

    /// Sets the delivery with which a connection begins.
    pub fn begin(&mut self, id: ConnectionId, delivery: Delivery, interval: Duration) {
        self.connections[id].outbox.set_delivery(delivery, interval);
    }

    /// Tells a client what it did wrong.
    pub fn refuse(&mut self, id: ConnectionId, request_id: Option<&RequestId>, refusal: Refusal) {
        self.connections[id].say(&Reply::error(request_id, refusal));
    }

    /// Puts a control frame into a client's outbox.
    pub fn push(&mut self, id: ConnectionId, write: impl FnOnce(&mut Vec<u8>)) {
        self.connections[id].outbox.push(write);
    }

    /// How often to [see](Self::heartbeats) who has to be told that the server lives, and to [look](Self::look) who of
    /// the clients does.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        self.beats.check_period().min(self.settings.deadlines.look_period())
    }

    /// Pings the clients whose ping is due, and has those closed that have not done in time what they have to.
    pub fn look(&mut self, now: Instant) {
        let looked = self.looked.replace(now).unwrap_or(now);
        let gap = now.duration_since(looked);
        if gap > STANDSTILL {
            // The server itself stood still, and has not read what clients have sent since.
            for (id, connection) in &mut self.connections {
                connection.life.postpone(gap);
                self.lookouts.set(id, connection.life.next_look(&self.settings.deadlines));
            }
        }
        let mut from = 0;
        while let Some(id) = self.lookouts.next_due(from, now) {
            from = id + 1;
            let may_read = self.may_read(id);
            let connection = &mut self.connections[id];
            if connection.is_closing {
                self.lookouts.set(id, None);
                continue;
            }
            if !may_read {
                // The rest of its message may have come: it has not been looked for.
                connection.life.extend_message(now, &self.settings.deadlines);
            }
            let is_alive = connection.outbox.take_moving() | std::mem::take(&mut connection.is_heard);
            match connection.life.look(now, &self.settings.deadlines, is_alive) {
                Verdict::Fine => {}
                // What waits for it goes first: then it is that which proves that it lives.
                Verdict::Ping if connection.outbox.is_blocked() => {}
                Verdict::Ping => {
                    connection.outbox.push(wire::ping);
                    connection.wake(id, &mut self.woken);
                }
                Verdict::Over(limit) => {
                    let reason = match limit {
                        Limit::AuthTimeout => "no token came in time",
                        Limit::MessageTimeout => "a message that begins is to be whole sooner",
                        _ => "",
                    };
                    connection.end(id, CloseReason::Over(limit, reason.into()), &mut self.woken);
                }
            }
            self.lookouts.set(id, connection.life.next_look(&self.settings.deadlines));
        }
    }

    /// Has a client's session look after its socket.
    pub fn rouse(&mut self, id: ConnectionId) {
        self.connections[id].wake(id, &mut self.woken);
    }

    /// Says that a byte has come from a client.
    pub fn heard(&mut self, id: ConnectionId) {
        self.connections[id].is_heard = true;
    }

    /// Says that a pong has come from a client; returns whether it answers a ping.
    pub fn ponged(&mut self, id: ConnectionId) -> bool {
        self.connections[id].life.ponged()
    }

    /// Says that a message of a client has come in part, or that none has.
    pub fn message_begun(&mut self, id: ConnectionId, now: Instant, is_partial: bool) {
        let life = &mut self.connections[id].life;
        life.message(now, &self.settings.deadlines, is_partial);
        self.lookouts.set(id, life.next_look(&self.settings.deadlines));
    }

    /// Tells the subscribers whose heartbeat is due that the server lives. One that is not reading is told when it reads.
    pub fn heartbeats(&mut self, now: Instant, time: Time) {
        let mut from = 0;
        while let Some(id) = self.beats.next_due(from, now) {
            from = id + 1;
            let connection = self.connections.get_mut(id).filter(|connection| connection.is_subscriber);
            if connection.as_ref().is_some_and(|connection| connection.outbox.is_blocked()) {
                continue;
            }
            self.beats.gone(id, now);
            if let Some(connection) = connection.filter(|connection| !connection.is_closing) {
                let heartbeat = connection.heartbeat(time, self.last_values.seq());
                connection.say(&heartbeat);
                connection.wake(id, &mut self.woken);
            }
        }
    }

    /// Why the shard wants a connection closed, once.
    pub fn take_closing(&mut self, id: ConnectionId) -> Option<CloseReason> {
        self.connections[id].closing.take()
    }

    /// Whether a client's socket has bytes to take.
    #[must_use]
    pub fn has_bytes(&self, id: ConnectionId) -> bool {
        !self.connections[id].outbox.bytes().is_empty()
    }

    /// Whether a client's next message may be read: not while its own answers pile up, nor before it has all that it missed.
    #[must_use]
    pub fn may_read(&self, id: ConnectionId) -> bool {
        let connection = &self.connections[id];
        !connection.is_closing && connection.resuming.is_none() && !connection.outbox.is_full()
    }

    /// What a client's socket is to take next; what is held goes only when it is due.
    pub fn outgoing(&mut self, id: ConnectionId, now: Instant) -> &[u8] {
        let connection = &mut self.connections[id];
        if connection.outbox.bytes().is_empty() && connection.resuming.is_some() {
            self.resume(id);
        }
        let connection = &mut self.connections[id];
        if connection.outbox.bytes().is_empty() {
            connection.say_break(&self.last_values, &self.feed);
        }
        if connection.outbox.due(now).is_some_and(|due| due <= now) {
            connection.outbox.release(&self.last_values, &mut self.frames);
            connection.outbox.rest(now);
        }
        if connection.owes_state && connection.resuming.is_none() && connection.outbox.bytes().is_empty() {
            connection.outbox.release(&self.last_values, &mut self.frames);
            connection.say_state(&self.feed);
        }
        connection.outbox.bytes()
    }

    /// Says that a client's socket took bytes; returns whether a feed that waits may go on.
    pub fn written(&mut self, id: ConnectionId, count: usize) -> bool {
        let connection = &mut self.connections[id];
        connection.outbox.written(count);
        // Nobody keeps a feed waiting that does not wait.
        if connection.served().is_none() || !self.bus.is_paced() {
            connection.behind_since = None;
        }
        self.bus.is_paced() && connection.outbox.delivery().0 == Delivery::Every
    }

    /// Says that a client's socket takes no more for now.
    pub fn block(&mut self, id: ConnectionId) {
        self.connections[id].outbox.block();
    }

    /// When a client that has nothing to write is to be looked at again, even if nothing happens.
    #[must_use]
    pub fn due(&self, id: ConnectionId, now: Instant) -> Option<Instant> {
        let connection = &self.connections[id];
        // One that is ahead of this shard goes on when the shard has come as far: that wakes nobody.
        let is_ahead = connection.resuming.is_some() || connection.owes_gap.is_some();
        connection.outbox.due(now).or_else(|| is_ahead.then(|| now + AHEAD))
    }

    /// Keeps the waker of a client's session until there is something for it.
    pub fn park(&mut self, id: ConnectionId, waker: &Waker) {
        let parked = &mut self.connections[id].waker;
        if !parked.as_ref().is_some_and(|parked| parked.will_wake(waker)) {
            *parked = Some(waker.clone());
        }
    }

    /// Puts the close frame behind what waits for a client; nothing follows it.
    pub fn close(&mut self, id: ConnectionId, code: u16, reason: &str) {
        let connection = &mut self.connections[id];
        connection.resuming = None;
        connection.closing = None;
        connection.say_break(&self.last_values, &self.feed);
        connection.owes_gap = None;
        connection.owes_state = false;
        connection.outbox.release(&self.last_values, &mut self.frames);
        connection.outbox.push(|out| wire::close(out, code, reason));
        connection.is_closing = true;
    }

    /// Wakes the sessions that have something new to do.
    pub fn wake(&mut self) {
        for id in self.woken.drain(..) {
            // A connection may have gone since, and its number may be another's: a wake-up too many does no harm.
            if let Some(connection) = self.connections.get_mut(id) {
                connection.is_woken = false;
                if let Some(waker) = &connection.waker {
                    waker.wake_by_ref();
                }
            }
        }
    }

    /// The newest event up to which all `every` clients have been served; the shard's own position where none waits.
    #[must_use]
    pub fn served(&self) -> u64 {
        let waiting = self.connections.iter().filter_map(|(_, connection)| connection.served());
        waiting.min().unwrap_or(u64::MAX).min(self.last_values.seq())
    }

    /// Closes the `every` clients that have kept the feed waiting for `timeout`, by what was seen at each call.
    pub fn close_stalled(&mut self, now: Instant, timeout: Duration) {
        let is_waiting = self.bus.is_waiting();
        for (id, connection) in &mut self.connections {
            if !is_waiting || connection.served().is_none() {
                connection.behind_since = None;
            } else if now.duration_since(*connection.behind_since.get_or_insert(now)) >= timeout {
                connection.fall_behind(id, Limit::StallTimeout, &self.bus, &mut self.woken);
            }
        }
    }
}
