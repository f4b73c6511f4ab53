//! A client that resumes after the shard has closed its connection.

use std::time::Duration;

use proptest::prelude::*;
use tickerplant::encoding::Encoding;
use tickerplant::market::KindSet;
use tickerplant::wire::{Cursor, Delivery, Symbols};

use crate::support::client_model::Answer;
use crate::support::shard_harness::{Client, ShardHarness, cursor, subscribe};

/// A client whose subscriptions do not change. The client resumes when the shard closes its connection with
/// code 4008.
#[derive(Debug)]
pub struct ResumingClient {
    pub client: Client,
    delivery: Delivery,
    interval: Duration,
    symbols: Symbols,
    channels: KindSet,
    /// The sequence number after which the client resumed on this connection, or 0 if it did not resume. The
    /// cursor in a later close must not be older than this sequence number.
    has: u64,
}

impl ResumingClient {
    /// Connects and subscribes. If `after` contains a cursor, the client resumes from this cursor.
    pub fn begin(
        shard: &mut ShardHarness,
        encoding: Encoding,
        (delivery, interval): (Delivery, Duration),
        (symbols, channels): (Symbols, KindSet),
        after: Option<Cursor>,
    ) -> Self {
        let client = shard.connect(encoding, delivery, interval);
        let mut resuming = Self { client, delivery, interval, symbols, channels, has: 0 };
        resuming.subscribe(shard, after);
        resuming
    }

    fn subscribe(&mut self, shard: &mut ShardHarness, after: Option<Cursor>) {
        let answer = shard.answer(after.as_ref(), false);
        self.has = if let Answer::Resumed(after) = answer { after } else { 0 };
        shard.ask(&mut self.client, subscribe(self.symbols.clone(), self.channels, after));
    }

    /// Checks the frames that the client received. If the shard has closed the connection, the client
    /// resumes, and this function returns true.
    pub fn follow(&mut self, shard: &mut ShardHarness) -> Result<bool, TestCaseError> {
        shard.check(&mut self.client)?;
        let Some(cursor) = shard.closed(&mut self.client)? else { return Ok(false) };
        self.client.model.closed_at(&shard.past, cursor.seq)?;
        let has = if self.client.model.is_in_set() { 0 } else { self.has };
        prop_assert!(cursor.seq >= has, "{} for a client that came with {}", cursor, has);
        self.connect_again(shard, self.client.encoding, Some(cursor));
        Ok(true)
    }

    /// Disconnects the client and connects it again with this encoding. The client resumes after the last
    /// event that it received.
    pub fn come_back(&mut self, shard: &mut ShardHarness, encoding: Encoding) -> Result<(), TestCaseError> {
        shard.check(&mut self.client)?;
        shard.shard.disconnect(self.client.id);
        let seq = self.client.model.shown().max(self.has);
        self.connect_again(shard, encoding, (!self.client.model.is_in_set()).then(|| cursor(seq)));
        Ok(())
    }

    fn connect_again(&mut self, shard: &mut ShardHarness, encoding: Encoding, cursor: Option<Cursor>) {
        self.client = shard.connect(encoding, self.delivery, self.interval);
        self.subscribe(shard, cursor);
    }

    /// Returns whether the client has no conflation interval.
    pub fn is_immediate(&self) -> bool {
        self.interval.is_zero()
    }

    /// Lets the client read all frames, and resume after each close.
    pub fn finish(mut self, shard: &mut ShardHarness) -> Result<Client, TestCaseError> {
        loop {
            shard.settle(self.client.id);
            if !self.follow(shard)? {
                shard.finish(&mut self.client)?;
                return Ok(self.client);
            }
        }
    }
}
