//! The cluster: many nodes that serve one feed.
//!
//! One node leads. Its feed publishes into a queue, and the node appends the queue to a shared log, as
//! entries. Every node, the leader too, reads the shared log into its own bus. So no client
//! ever sees an event that is not stored, and an event has the same sequence number on all nodes.
//!
//! If the leader is silent for the lease, another node appends the beginning of a new term. The append
//! succeeds only if nothing came since, so one node wins. A node's own feed runs along with the log
//! while another node leads, and therefore continues with the very next event.

mod appender;
mod checkpoint;
mod config;
mod entry;
mod error;
mod lease;
mod log;
mod login;
mod mail;
mod nats;
mod node;
mod own_feed;
mod peers;
mod queue;
mod reader;
mod start;
mod view;

pub use config::{Config, NodeRole, Storage};
pub use error::{ClusterError, ClusterErrorClass};
pub use mail::{Nodes, Presence};
pub use peers::{PeerMessage, PeerQueues, queues};
pub use start::{Starting, check};
pub use view::View;

#[cfg(test)]
mod tests;
