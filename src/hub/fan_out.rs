//! A fan-out: the part of a shard that sends events to all connections that use the same encoding. For each
//! event, the fan-out finds the subscribed connections, and adds the event to their batch.
//!
//! A shard has one fan-out for each encoding. So an event is encoded only in the encodings that its
//! subscribers use. For each event, an unused encoding costs only one check.

use std::sync::Arc;

use slab::Slab;
use tokio::time::Instant;

use super::batch::Batch;
use super::connection::{Connection, Dispatch};
use super::encoding_cache::{EncodedEvents, EncodedSnapshots};
use super::flush_window::FlushWindow;
use super::heartbeats::Heartbeats;
use super::outbox::SlowConsumer;
use super::spread::spread;
use super::subscription_index::{ConnectionId, SubscriptionIndex};
use crate::bus::{Bus, Key, LastValueCache};
use crate::counters::Limit;
use crate::encoding::{Encoding, Position};
use crate::market::{Symbol, Time};

/// The subscription index, the caches and the current batch for all connections that use the same encoding.
#[derive(Debug)]
pub(super) struct FanOut {
    pub(super) index: SubscriptionIndex,
    pub(super) encoded: EncodedEvents,
    pub(super) snapshots: EncodedSnapshots,
    batch: Batch,
    /// The connections that get an update of the current batch.
    subscribers: Vec<ConnectionId>,
    /// The number of batches that have been written so far.
    batches: u64,
    /// A buffer for a heartbeat that is written together with the batch. The buffer's memory is reused for
    /// each heartbeat.
    heartbeat: Vec<u8>,
}

impl FanOut {
    /// Returns a fan-out for this encoding and the epoch of the feed, without connections.
    pub(super) fn new(encoding: Encoding, epoch: &Arc<str>) -> Self {
        Self {
            index: SubscriptionIndex::default(),
            encoded: EncodedEvents::new(encoding, Arc::clone(epoch)),
            snapshots: EncodedSnapshots::new(encoding, Arc::clone(epoch)),
            batch: Batch::default(),
            subscribers: Vec::new(),
            batches: 0,
            heartbeat: Vec::new(),
        }
    }

    /// Empties the caches of encoded values, and sets the epoch of the values that follow. These caches must
    /// be emptied whenever symbols get other indexes.
    pub(super) fn forget_encoded(&mut self, epoch: &Arc<str>) {
        self.encoded.clear(epoch);
        self.snapshots.clear(epoch);
    }

    /// Returns whether the current batch is full, so that the shard must write it before reading more of the
    /// log.
    pub(super) fn is_full(&self) -> bool {
        self.batch.is_full(self.subscribers.len())
    }

    /// Dispatches the newest event of a key to each subscriber for which `is_included` is true.
    ///
    /// A subscriber's connection state decides whether the event is added to the batch, conflated or skipped.
    /// The event stands for `count` new events of the key. The `count - 1` older events count as merged.
    pub(super) fn apply(
        &mut self,
        (key, count): (Key, u64),
        symbol: &Symbol,
        last_values: &LastValueCache,
        connections: &mut Slab<Connection>,
        is_included: impl Fn(&Connection) -> bool,
    ) {
        if self.index.is_empty() {
            return;
        }
        let (_, kind) = key;
        let of_all = self.index.groups_of_all(kind).map(|group| (group, true));
        let by_name = self.index.groups_of(symbol, kind).map(|group| (group, false));
        // A connection may have subscribed to the symbol both by name and by `*`. Such a connection gets the
        // event once.
        let may_repeat = self.index.groups_of_all(kind).next().is_some();
        let number = self.batch.next_number();
        let mut clients = 0;
        for (group, has_all) in of_all.chain(by_name) {
            for &id in group {
                let connection = &mut connections[id];
                if may_repeat && !has_all && connection.subscription.all.contains(kind)
                    || !is_included(connection)
                {
                    continue;
                }
                match connection.dispatch(key, symbol) {
                    Dispatch::Send => {
                        clients += 1;
                        if connection.outbox.add_update(number) {
                            self.subscribers.push(id);
                        }
                        connection.outbox.count_merged(count - 1);
                    }
                    Dispatch::Conflate => connection.conflate(key, count),
                    Dispatch::Resume => connection.wake(),
                    Dispatch::Skip => {}
                }
            }
        }
        if clients > 0 {
            let (seq, frame) = self.encoded.latest(last_values, key);
            self.batch.push(seq, key, frame, clients);
        }
    }

    /// Writes the current batch to the sockets of its subscribers. If a subscriber's heartbeat is nearly due,
    /// the same write includes the heartbeat.
    ///
    /// Each heartbeat contains `time`, and the sequence number of `head`. `write` tries to write to a
    /// connection's socket once, and returns how many bytes the socket accepted.
    pub(super) fn flush(
        &mut self,
        connections: &mut Slab<Connection>,
        heartbeats: &mut Heartbeats,
        window: &mut FlushWindow,
        bus: &Bus,
        (now, time, head): (Instant, Time, Position<'_>),
        mut write: impl FnMut(ConnectionId, &[u8]) -> usize,
    ) {
        if self.subscribers.is_empty() {
            return;
        }
        let is_flow_controlled = bus.is_flow_controlled();
        // Each batch is written to a different connection first, so that no connection is always the last.
        let first = spread(self.batches, self.subscribers.len() as u64);
        self.batches += 1;
        let (last, first) =
            self.subscribers.split_at(usize::try_from(first).expect("it is below the number of subscribers"));
        let number = window.enter(now);
        let mut first_updates = 0;
        for &id in first.iter().chain(last) {
            let connection = &mut connections[id];
            first_updates += u64::from(connection.outbox.enter_window(number));
            if !connection.outbox.may_write_directly() {
                let pushed = connection.outbox.push_batch(&self.batch, is_flow_controlled);
                connection.on_pushed(pushed, bus);
                continue;
            }
            self.heartbeat.clear();
            if heartbeats.is_nearly_due(id, now) {
                connection.write_heartbeat(&mut self.heartbeat, time, head);
            }
            let count = write(id, self.batch.bytes(connection.outbox.runs(), &self.heartbeat));
            match connection.outbox.batch_written(&self.batch, count, is_flow_controlled) {
                Ok(Some(beyond)) if !self.heartbeat.is_empty() => {
                    heartbeats.sent(id, now);
                    if beyond < self.heartbeat.len() {
                        connection.outbox.push(|out| out.extend_from_slice(&self.heartbeat));
                        connection.outbox.written(beyond);
                        connection.wake();
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => connection.wake(),
                Err(SlowConsumer) => connection.close_slow_consumer(Limit::EveryBuffer, bus),
            }
        }
        window.record(self.batch.subscribed_updates(), first_updates);
        self.subscribers.clear();
        self.batch.clear();
    }
}
