//! The fan-out of one encoding: who receives an event, and the batch in which it leaves.
//!
//! A shard has one for each encoding, so an event is encoded only for connections that take it, and an encoding that
//! nobody uses costs a look at an empty index.

use slab::Slab;
use tokio::time::Instant;

use super::batch::Batch;
use super::connection::{Connection, Reception};
use super::encoding_cache::{EncodedEvents, EncodedSnapshots};
use super::heartbeats::Heartbeats;
use super::outbox::SlowConsumer;
use super::spread::spread;
use super::subscription_index::{ConnectionId, SubscriptionIndex};
use crate::bus::{Bus, Key, LastValueCache};
use crate::counters::Limit;
use crate::encoding::{Encoding, Value};
use crate::market::{Symbol, Time};

/// What the connections of one encoding subscribed to, and what they are about to be sent.
#[derive(Debug)]
pub(super) struct FanOut {
    encoding: Encoding,
    pub(super) subscriptions: SubscriptionIndex,
    pub(super) encoded: EncodedEvents,
    pub(super) snapshots: EncodedSnapshots,
    batch: Batch,
    /// Connections that receive something of the batch.
    subscribers: Vec<ConnectionId>,
    /// Batches so far.
    batches: u64,
    /// Room for a heartbeat that goes with the batch.
    heartbeat: Vec<u8>,
}

impl FanOut {
    /// Returns one without a connection.
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            subscriptions: SubscriptionIndex::default(),
            encoded: EncodedEvents::new(encoding),
            snapshots: EncodedSnapshots::new(encoding),
            batch: Batch::default(),
            subscribers: Vec::new(),
            batches: 0,
            heartbeat: Vec::new(),
        }
    }

    /// Forgets what has been encoded: symbols have other indexes from now on.
    pub(super) fn forget_encoded(&mut self) {
        self.encoded.clear();
        self.snapshots.clear();
    }

    /// Returns whether the batch should be written before more is read.
    pub(super) fn is_full(&self) -> bool {
        self.batch.is_full(self.subscribers.len())
    }

    /// Takes in the latest of `count` events of a key: it joins the batch, or the conflated keys, of each subscriber that
    /// `is_meant`. The others count as merged.
    pub(super) fn apply(
        &mut self,
        (key, count): (Key, u64),
        symbol: &Symbol,
        last_values: &LastValueCache,
        connections: &mut Slab<Connection>,
        is_meant: impl Fn(&Connection) -> bool,
    ) {
        let (_, kind) = key;
        let of_all = self.subscriptions.of_all(kind).map(|group| (group, true));
        let by_name = self.subscriptions.of(symbol, kind).map(|group| (group, false));
        // A connection that takes all symbols gets this one once.
        let may_repeat = self.subscriptions.of_all(kind).next().is_some();
        let mut number = None;
        let mut clients = 0;
        for (group, takes_all) in of_all.chain(by_name) {
            for &id in group {
                let connection = &mut connections[id];
                if may_repeat && !takes_all && connection.subscription.all.contains(kind)
                    || !is_meant(connection)
                {
                    continue;
                }
                match connection.reception(key, symbol) {
                    Reception::Now => {
                        let number = *number.get_or_insert_with(|| {
                            let (seq, bytes) = self.encoded.latest(last_values, key);
                            self.batch.push(seq, key, bytes)
                        });
                        clients += 1;
                        if connection.outbox.take(number) {
                            self.subscribers.push(id);
                        }
                        connection.outbox.count_merged(count - 1);
                    }
                    Reception::Conflated => connection.conflate(key, count),
                    Reception::Resumed => connection.wake(),
                    Reception::Never => {}
                }
            }
        }
        if let Some(number) = number {
            self.batch.taken(number, clients);
        }
    }

    /// Writes to each subscriber what it receives of the batch, and its heartbeat where that is nearly due.
    ///
    /// The heartbeat says `time` and `head`. `write` tries a connection's socket once and returns how many bytes it took.
    pub(super) fn flush(
        &mut self,
        connections: &mut Slab<Connection>,
        heartbeats: &mut Heartbeats,
        bus: &Bus,
        (now, time, head): (Instant, Time, u64),
        mut write: impl FnMut(ConnectionId, &[u8]) -> usize,
    ) {
        if self.subscribers.is_empty() {
            return;
        }
        let is_flow_controlled = bus.is_flow_controlled();
        // Of an encoding nobody is always the last.
        let first = spread(self.batches, self.subscribers.len() as u64);
        self.batches += 1;
        let (last, first) = self.subscribers.split_at(usize::try_from(first).expect("it is one of them"));
        for &id in first.iter().chain(last) {
            let connection = &mut connections[id];
            if !connection.outbox.is_empty() {
                let kept = connection.outbox.keep(&self.batch, is_flow_controlled);
                connection.pushed(kept, bus);
                continue;
            }
            self.heartbeat.clear();
            if heartbeats.is_near(id, now) {
                let heartbeat = connection.heartbeat(time, head);
                self.encoding.write(&mut self.heartbeat, &Value::Reply(&heartbeat));
            }
            let count = write(id, self.batch.bytes(connection.outbox.runs(), &self.heartbeat));
            match connection.outbox.flushed(&self.batch, count, is_flow_controlled) {
                Ok(Some(beyond)) if !self.heartbeat.is_empty() => {
                    heartbeats.gone(id, now);
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
        self.subscribers.clear();
        self.batch.clear();
    }
}
