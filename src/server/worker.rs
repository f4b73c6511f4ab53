//! A worker: a shard and its connections, on one thread.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::mpsc;
use tokio::task::{spawn_local, unconstrained, yield_now};
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::accept::AcceptedSocket;
use super::admission::Permit;
use super::app_state::AppState;
use super::connections::Connections;
use super::{Config, routes};
use crate::bus::{Checkpoint, Reader};
use crate::hub::{Relay, Relayed, Settings, ShardRunner};
use crate::session::{self, Context, Limits};
use crate::task::{TaskFailed, catch_panic};

/// A worker that is not running yet.
pub struct Worker<S> {
    /// The worker's name in logs and errors, e.g. `shard 0`.
    pub name: String,
    /// The reader through which the shard reads the log.
    pub reader: Reader,
    /// The checkpoint from which the shard starts reading the log.
    pub start: Checkpoint,
    /// Receives the messages that clients of any shard send, and that the clients of this shard should get.
    pub inbox: mpsc::Receiver<Arc<Relayed>>,
    /// Receives the connections that the accept loop hands to this worker.
    pub sockets: mpsc::Receiver<(S, Permit)>,
    /// Relays messages to the clients of all shards.
    pub relay: Arc<Relay>,
    /// The state that all routes share.
    pub state: Arc<AppState>,
    /// The settings of the server.
    pub config: Config,
    /// The settings of the sessions.
    pub session: session::Config,
    /// The limits for clients.
    pub limits: Limits,
    /// How long a client with `delivery=every` may delay a flow-controlled feed (a feed that waits for
    /// clients).
    pub stall_timeout: Duration,
    /// Whether tokio's clock runs with the system's clock. False in tests, which may pause tokio's clock.
    pub has_system_clock: bool,
    /// The acceptor that does the TLS handshakes; `None` if TLS is not configured.
    pub tls: Option<TlsAcceptor>,
    /// The channel on which the worker reports its failure.
    pub failures: mpsc::Sender<TaskFailed>,
}

impl<S: AcceptedSocket> Worker<S> {
    /// Serves connections until `stop` fires. Then closes all connections within the time limit
    /// `server.shutdown`.
    ///
    /// The worker reports a panic in the shard's loop at once. After such a panic, open connections stay open
    /// until `stop` fires.
    ///
    /// The future that this function returns must run on a [`LocalSet`](tokio::task::LocalSet).
    pub async fn run(self, stop: CancellationToken) {
        let Self { name, reader, start, inbox, mut sockets, state, failures, .. } = self;
        let settings = Settings {
            heartbeat: self.session.heartbeat,
            every_buffer: self.session.every_buffer,
            max_symbols: self.limits.symbols,
            timeouts: self.limits.deadlines(state.auth.borrow().timeout),
            flush_window: self.config.flush_window,
            has_system_clock: self.has_system_clock,
            stall_timeout: self.stall_timeout,
            catch_up_bytes: Settings::CATCH_UP_BYTES,
            conflated_events: Settings::CONFLATED_EVENTS,
        };
        let runner = Rc::new(ShardRunner::new(&reader, start, settings));
        let context = Rc::new(Context::new(
            Rc::clone(&runner),
            self.relay,
            self.session,
            self.limits,
            state.auth.clone(),
        ));
        let (clients, mut auth) = (Rc::clone(&context), state.auth.clone());
        let shard = Rc::clone(&runner);
        let stop_shard = CancellationToken::new();
        let shard_stop = stop_shard.clone();
        let shard_task = spawn_local(unconstrained(async move {
            if let Err(panic) = catch_panic(runner.run(reader, inbox, shard_stop)).await {
                error!(%panic, worker = name, "the loop of a shard has panicked");
                runner.fail();
                // The channel has room for the first failure, which ends the program. Later failures are
                // dropped.
                let _ = failures.try_send(TaskFailed::panicked(name, &panic));
            }
        }));
        let (bus, close_stop) = (Arc::clone(&state.bus), CancellationToken::new());
        let close_timeout = session::unless_zero(context.config.close_timeout);
        let connections = Rc::new(Connections::new(
            context,
            routes::routes(state),
            self.config,
            self.tls,
            close_stop.clone(),
        ));
        loop {
            let accepted = select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = auth.changed() => {
                    clients.close_revoked();
                    continue;
                }
                accepted = sockets.recv() => accepted,
            };
            let Some((socket, permit)) = accepted else { break };
            match socket.register() {
                Ok(socket) => connections.serve(socket, permit),
                Err(error) => warn!(%error, "cannot serve a connection"),
            }
            // A handshake needs much memory for a short time. Other tasks run before the next connection is
            // taken, so that few handshakes are unfinished at a time.
            yield_now().await;
        }
        // Dropping the queue closes the connections that still wait in the queue.
        drop(sockets);
        stop.cancelled().await;
        // Before the connections close, the shard processes all events that were published before the stop.
        // The worker waits for this at most `session.close_timeout`.
        let _ = time::timeout(close_timeout, shard.caught_up(bus.end())).await;
        close_stop.cancel();
        clients.stop();
        connections.finish().await;
        stop_shard.cancel();
        // The task has already reported its own failure.
        let _ = shard_task.await;
    }
}
