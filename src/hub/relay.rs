//! The relay: sends each client's messages to all clients, including the sender.
//!
//! Each shard has a bounded inbox for messages. A message waits until the inbox of every shard has room.
//! While a client's message waits, the server reads no further message from this client. Shards never wait.

use std::fmt;
use std::num::NonZeroU32;
use std::string::FromUtf8Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::rate_limiter::{Limiter, limiter};
use crate::bus::Bus;
use crate::cluster::PeerMessage;
use crate::counters::{Counters, Limit};
use crate::range::{self, Check, GIB, MILLION};
use crate::wire::{ErrorCode, ErrorReply, Message};

/// Wrapping a relayed message for a subscriber adds about this many bytes.
const FRAME_BYTES: usize = 48;

/// The configuration of messages between clients (`[relay]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// Whether the server relays messages between clients at all.
    pub enabled: bool,
    /// How many messages one connection may send per second; 0 means no limit.
    pub rate: u32,
    /// How many messages one connection may send at once.
    pub burst: NonZeroU32,
    /// The maximum length of a relayed message, in bytes; 0 means no limit.
    pub max_bytes: usize,
    /// How many bytes the whole server may relay per second; 0 means no limit. The bytes of a message count
    /// once for each peer, which is a client that gets messages.
    pub total_bytes: u32,
    /// How many messages may wait in the inbox of a shard. While the inbox is full, the sender of a further
    /// message waits.
    pub inbox: NonZeroU32,
}

impl Default for RelayConfig {
    fn default() -> Self {
        let nonzero = |n| NonZeroU32::new(n).expect("the defaults are not zero");
        Self {
            enabled: true,
            rate: 10,
            burst: nonzero(20),
            max_bytes: 4096,
            total_bytes: 8 * 1024 * 1024,
            inbox: nonzero(256),
        }
    }
}

impl RelayConfig {
    /// Returns a range check for each number in the configuration.
    pub(crate) fn checks(&self) -> Vec<Check> {
        vec![
            range::whole_number("rate", self.rate, 0..=MILLION),
            range::whole_number("burst", self.burst.get(), 1..=MILLION),
            range::whole_number("max_bytes", self.max_bytes, 0..=GIB as usize),
            range::whole_number("total_bytes", self.total_bytes, 0..=GIB),
            range::whole_number("inbox", self.inbox.get(), 1..=MILLION),
        ]
    }
}

/// A message that is being relayed to all peers, which are the clients that get messages.
#[derive(Debug)]
pub struct Relayed {
    /// The sender's name.
    pub from: String,
    /// The message itself.
    pub message: Message,
}

impl From<&Relayed> for PeerMessage {
    fn from(Relayed { from, message }: &Relayed) -> Self {
        let (is_text, bytes) = match message {
            Message::Text(text) => (true, text.clone().into_bytes()),
            Message::Binary(bytes) => (false, bytes.clone()),
        };
        Self { from: from.clone(), is_text, bytes }
    }
}

impl TryFrom<PeerMessage> for Relayed {
    type Error = FromUtf8Error;

    /// Fails if a text is not UTF-8.
    fn try_from(PeerMessage { from, is_text, bytes }: PeerMessage) -> Result<Self, FromUtf8Error> {
        let message = if is_text { Message::Text(String::from_utf8(bytes)?) } else { Message::Binary(bytes) };
        Ok(Self { from, message })
    }
}

/// The name of a peer. Other clients see this name as the sender of the peer's messages.
#[derive(Clone, Copy, Debug)]
pub struct PeerName(u64);

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// Relays the messages of each client to the clients of all shards.
#[derive(Debug)]
pub struct Relay {
    bus: Arc<Bus>,
    config: RelayConfig,
    inboxes: Vec<mpsc::Sender<Arc<Relayed>>>,
    total: Option<Limiter>,
    peers: AtomicU32,
    names: AtomicU64,
    others: Option<OtherNodes>,
}

/// The way to the clients of the other nodes of a cluster.
#[derive(Debug)]
pub struct OtherNodes {
    /// The id of this node, with which the names of its clients begin.
    pub node: String,
    /// Takes each message of a client of this node. While the queue is full, messages are dropped.
    pub outgoing: mpsc::Sender<PeerMessage>,
}

impl Relay {
    /// Returns a relay, and an inbox for each shard.
    #[must_use]
    pub fn new(
        config: RelayConfig,
        shards: usize,
        bus: Arc<Bus>,
        others: Option<OtherNodes>,
    ) -> (Arc<Self>, Vec<mpsc::Receiver<Arc<Relayed>>>) {
        let capacity = config.inbox.get() as usize;
        let (inboxes, receivers) = (0..shards).map(|_| mpsc::channel(capacity)).unzip();
        let total = NonZeroU32::new(config.total_bytes).and_then(|burst| limiter(burst.get(), burst));
        let (peers, names) = (AtomicU32::new(0), AtomicU64::new(1));
        let relay = Self { bus, config, inboxes, total, peers, names, others };
        (Arc::new(relay), receivers)
    }

    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &RelayConfig {
        &self.config
    }

    /// Returns the counters of the bus and its clients.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.bus.counters()
    }

    /// Returns the number of peers, which are the clients that get relayed messages.
    #[must_use]
    pub fn peers(&self) -> u32 {
        self.peers.load(Ordering::Relaxed)
    }

    /// Returns a name for a new peer.
    pub fn name(&self) -> PeerName {
        PeerName(self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Counts a new peer, which gets messages from now on.
    pub fn join(&self) {
        self.peers.fetch_add(1, Ordering::Relaxed);
    }

    /// Subtracts one peer from the number of peers.
    pub fn leave(&self) {
        self.peers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Checks whether a message may be relayed. Does not check how many messages or bytes are sent per
    /// second.
    ///
    /// # Errors
    ///
    /// Returns an error if the relay is off, or if the message is too long.
    pub fn check(&self, message: &Message) -> Result<(), ErrorReply> {
        if !self.config.enabled {
            let message = "this server relays no messages; commands have an `action`";
            return Err(ErrorReply::new(ErrorCode::RelayDisabled, message));
        }
        let (len, limit) = (message.len(), self.config.max_bytes);
        if limit > 0 && len > limit {
            self.counters().increment(Limit::RelayBytes);
            let message = format!("the message has {len} bytes; relayed messages have at most {limit}");
            return Err(ErrorReply::new(ErrorCode::MessageTooLong, message));
        }
        Ok(())
    }

    /// Sends a message to every shard, and waits for room in each inbox that is full.
    ///
    /// # Errors
    ///
    /// Returns an error if the server relays too many bytes at the moment.
    pub async fn send(&self, from: PeerName, message: Message) -> Result<(), ErrorReply> {
        if !self.total.as_ref().is_none_or(|total| self.fits(total, message.len())) {
            self.counters().increment(Limit::RelayTotal);
            let message = "the server relays too much at the moment; try again later";
            return Err(ErrorReply::new(ErrorCode::RateLimited, message));
        }
        self.counters().relayed.inc();
        let from = match &self.others {
            Some(others) => format!("{}-{from}", others.node),
            None => from.to_string(),
        };
        let relayed = Arc::new(Relayed { from, message });
        self.send_to_shards(&relayed).await;
        if let Some(others) = &self.others
            && others.outgoing.try_send(PeerMessage::from(&*relayed)).is_err()
        {
            self.counters().increment(Limit::RelayTotal);
        }
        Ok(())
    }

    /// Sends a message of another node's client to every shard. The message is dropped and counted if the relay
    /// is off, or if the server relays too many bytes at the moment.
    pub async fn deliver(&self, message: PeerMessage) {
        let Ok(relayed) = Relayed::try_from(message) else { return };
        let fits = self.total.as_ref().is_none_or(|total| self.fits(total, relayed.message.len()));
        if self.config.enabled && fits {
            self.send_to_shards(&Arc::new(relayed)).await;
        } else {
            self.counters().increment(Limit::RelayTotal);
        }
    }

    async fn send_to_shards(&self, relayed: &Arc<Relayed>) {
        for inbox in &self.inboxes {
            // A send fails only if the shard has ended. The server is then shutting down, and the shard has
            // no peers.
            let _ = inbox.send(Arc::clone(relayed)).await;
        }
    }

    /// Returns whether the limit of bytes per second allows a message of this length now.
    ///
    /// A message never counts as more bytes than the server may relay in one second. Otherwise, a
    /// longer message could never be sent.
    fn fits(&self, total: &Limiter, len: usize) -> bool {
        let frame = u32::try_from(len + FRAME_BYTES).unwrap_or(u32::MAX);
        let bytes = frame.saturating_mul(self.peers()).min(self.config.total_bytes);
        NonZeroU32::new(bytes).is_none_or(|bytes| matches!(total.check_n(bytes), Ok(Ok(()))))
    }
}
