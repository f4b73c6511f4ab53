//! What nodes say to each other beside the log: commands for the leader's feed, and signs of presence.
//!
//! A command goes to the leader as a request. The leader answers when the effect is in the log, with the place
//! of the effect. The asking node then answers its own client as soon as it has read this place.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::log::Ask;
use crate::feed::{ControlError, FeedCommand, Status};

/// The largest number of nodes that are listed.
const MOST: usize = 1000;

/// A node that was silent for this long is no longer listed.
const SILENT: Duration = Duration::from_secs(3);

/// A feed at full speed does not wait for the clients of a node that was silent for this long.
const NOT_WAITED_FOR: Duration = Duration::from_secs(2);

/// The answer of the leader to a command.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The command was executed.
    Executed {
        /// The status of the feed after the command.
        status: Box<Status>,
        /// The number of the entry that has the effect.
        number: u64,
    },
    /// The command cannot be executed.
    Refused(ControlError),
}

/// A node's sign of presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The id of the node.
    pub node: String,
    /// Whether the node may lead.
    pub may_lead: bool,
    /// The sequence number of the newest event that the node has read.
    pub seq: u64,
    /// How long ago the node had read the newest entry, in milliseconds.
    pub lag_ms: u64,
    /// Whether the node has caught up.
    pub caught_up: bool,
    /// The sequence number up to which the node's clients have got all events, if the feed waits for clients.
    pub served: Option<u64>,
    /// The epoch in which the stream has lost what the node has read. The leader then begins a new one.
    pub lost: Option<String>,
    /// Whether a client of the node has subscribed.
    pub has_subscriber: bool,
}

/// The nodes that were present lately, by their ids.
#[derive(Clone, Debug, Default)]
pub struct Nodes(BTreeMap<String, (Presence, Instant)>);

impl Nodes {
    /// Records a sign of presence. While the list is full, further nodes are left out.
    pub fn record(&mut self, presence: Presence, now: Instant) {
        self.0.retain(|_, (_, seen)| now.duration_since(*seen) < SILENT);
        if self.0.len() < MOST || self.0.contains_key(&presence.node) {
            self.0.insert(presence.node.clone(), (presence, now));
        }
    }

    /// Returns the sequence number up to which the clients of all nodes but `own` have got all events. A node that
    /// was silent for a while does not count.
    #[must_use]
    pub fn served(&self, own: &str, now: Instant) -> Option<u64> {
        let is_waited_for = |one: &Presence, seen: &Instant| {
            one.node != own && one.caught_up && now.duration_since(*seen) < NOT_WAITED_FOR
        };
        let waited_for = self.0.values().filter(|(one, seen)| is_waited_for(one, seen));
        waited_for.filter_map(|(presence, _)| presence.served).min()
    }

    /// Returns the nodes that were present lately.
    pub fn present(&self, now: Instant) -> impl Iterator<Item = &Presence> {
        let is_present = move |seen: &Instant| now.duration_since(*seen) < SILENT;
        self.0.values().filter(move |(_, seen)| is_present(seen)).map(|(presence, _)| presence)
    }
}

/// Sends a command to the leader. Returns the leader's answer.
pub async fn send(log: &impl Ask, leader: &str, command: FeedCommand) -> Reply {
    let request = serde_json::to_vec(&command).expect("a command can be written");
    let answered = log.ask(leader, request).await.ok();
    let reply = answered.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    reply.unwrap_or(Reply::Refused(ControlError::NoLeader))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(node: &str) -> Presence {
        Presence {
            node: node.to_owned(),
            may_lead: true,
            seq: 1,
            lag_ms: 0,
            caught_up: true,
            served: None,
            lost: None,
            has_subscriber: false,
        }
    }

    #[test]
    fn a_full_list_takes_no_further_node() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        for number in 0..=MOST {
            nodes.record(presence(&format!("{number:04}")), now);
        }
        nodes.record(Presence { seq: 2, ..presence("0000") }, now);

        let ids: Vec<_> = nodes.present(now).collect();

        assert_eq!(ids.len(), MOST);
        assert_eq!((ids[0].seq, &*ids[MOST - 1].node), (2, "0999"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_node_is_no_longer_present() {
        let mut nodes = Nodes::default();
        let present =
            |nodes: &Nodes| nodes.present(Instant::now()).map(|one| one.node.clone()).collect::<Vec<_>>();
        nodes.record(presence("b"), Instant::now());
        tokio::time::advance(2 * SILENT / 3).await;
        nodes.record(presence("a"), Instant::now());
        assert_eq!(present(&nodes), ["a", "b"]);

        tokio::time::advance(2 * SILENT / 3).await;

        assert_eq!(present(&nodes), ["a"]);
    }
}
