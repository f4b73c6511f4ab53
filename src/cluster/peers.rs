//! Messages of clients to the clients of other nodes.
//!
//! A message is sent at most once, and never sent on: the node of its sender gives it to its own clients and to
//! all other nodes, and those give it to their own clients only. The messages have a connection of their own,
//! so that they never delay the log. While a queue is full, further messages are dropped.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// The number of messages that may wait on the way to the other nodes, and on the way from them.
const WAITING: usize = 256;

/// A message of a client of one node to the clients of the other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerMessage {
    /// The name of the sender, which begins with the id of the sender's node.
    pub from: String,
    /// Whether the message is text.
    pub is_text: bool,
    /// The bytes of the message.
    pub bytes: Vec<u8>,
}

/// The ends of the two queues that the node has.
#[derive(Debug)]
pub struct PeerQueues {
    /// What the clients of this node say to the others.
    pub outgoing: mpsc::Receiver<PeerMessage>,
    /// What the clients of other nodes say.
    pub incoming: mpsc::Sender<PeerMessage>,
}

/// Creates the two queues between the relay and the node. Returns the sender for messages of this node's clients,
/// the receiver for messages of other nodes' clients, and the node's end of each queue.
#[must_use]
pub fn queues() -> (mpsc::Sender<PeerMessage>, mpsc::Receiver<PeerMessage>, PeerQueues) {
    let (sender, outgoing) = mpsc::channel(WAITING);
    let (incoming, receiver) = mpsc::channel(WAITING);
    (sender, receiver, PeerQueues { outgoing, incoming })
}
