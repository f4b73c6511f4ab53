//! Starts a node: connects to the servers, and runs the node's tasks.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::error::ClusterError;
use super::nats::{self, NatsLog};
use super::node::{Node, Settings};
use super::own_feed::OwnFeed;
use super::peers::PeerQueues;
use super::view::View;
use crate::bus::{self, Bus};
use crate::feed::{self, RemoteFeed, Standby};

/// A node that has not been started, and what other parts of the program see of it.
#[derive(Debug)]
pub struct Starting {
    config: Config,
    /// How long one slow client may keep a feed at full speed waiting.
    stall_timeout: Duration,
    /// After this time without an entry of a leader, the feed is stalled.
    stalled_after: Duration,
    id: String,
    view: watch::Sender<View>,
}

/// Checks what the settings alone can tell.
///
/// # Errors
///
/// Returns an error if the login cannot be read, or if the stream would be too small.
pub fn check(config: &Config, history: &bus::Config) -> Result<(), ClusterError> {
    if !config.is_on() {
        return Ok(());
    }
    let (found, history) = (config.stream_bytes.get(), history.history_bytes.get());
    if found < history.saturating_mul(2) {
        return Err(ClusterError::StreamTooSmall { found, history });
    }
    config.login().map(drop)
}

impl Starting {
    /// Returns a node with a random id.
    #[must_use]
    pub fn new(config: Config, feed: &feed::Config) -> Self {
        let id = bus::random_name();
        let view = watch::Sender::new(View::new(&id));
        let (stall_timeout, stalled_after) = (feed.replay.stall_timeout, feed.stalled_after);
        Self { config, stall_timeout, stalled_after, id, view }
    }

    /// Returns the random id of the node.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns what the node knows of the cluster.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// Runs the node until `stop` fires. The future is boxed, because it is large.
    ///
    /// # Errors
    ///
    /// Returns an error if the servers refuse the node, or cannot be used.
    pub fn run(
        self,
        standby: Option<Standby>,
        remote: RemoteFeed,
        bus: Arc<Bus>,
        queues: PeerQueues,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), ClusterError>> {
        Box::pin(self.run_unboxed(standby, remote, bus, queues, stop))
    }

    async fn run_unboxed(
        self,
        standby: Option<Standby>,
        remote: RemoteFeed,
        bus: Arc<Bus>,
        queues: PeerQueues,
        stop: CancellationToken,
    ) -> Result<(), ClusterError> {
        let Self { config, id, view, .. } = self;
        bus.set_ahead_wait(config.ahead_wait);
        bus.set_current(false);
        let connecting = NatsLog::connect(&config, &id);
        let Some(log) = stop.run_until_cancelled(connecting).await.transpose()? else { return Ok(()) };
        let settings = Settings {
            id,
            lease: config.lease,
            batch_window: config.batch_window,
            batch_bytes: config.batch_bytes.get().min(log.max_entry()),
            checkpoint: config.checkpoint,
            stall_timeout: self.stall_timeout,
            stalled_after: self.stalled_after,
            restarts: config.restarts,
            has_system_clock: true,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(nats::pass_messages(config.clone(), settings.id.clone(), queues));
        let own_feed = standby.map(|standby| {
            let (own_feed, task) = OwnFeed::new(standby);
            tasks.spawn(task);
            own_feed
        });
        Node::new(log, settings, bus, own_feed, remote, view).run(stop).await;
        tasks.shutdown().await;
        Ok(())
    }
}
