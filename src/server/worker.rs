//! A worker: a shard with the connections that it is handed, on one thread.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::mpsc;
use tokio::task::{spawn_local, unconstrained};
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::accept::Arriving;
use super::admission::Permit;
use super::app_state::AppState;
use super::connection::Serving;
use super::{Config, routes};
use crate::bus::{Checkpoint, Reader};
use crate::hub::{LocalShard, Relay, Relayed, Settings};
use crate::session::{self, Context, Limits};
use crate::task::{TaskFailed, caught};

/// A worker that has not begun.
pub struct Worker<S> {
    /// What it is called, in errors.
    pub name: String,
    /// Its shard's place in the log.
    pub reader: Reader,
    /// What the log said before.
    pub start: Checkpoint,
    /// Messages that its shard relays.
    pub inbox: mpsc::Receiver<Arc<Relayed>>,
    /// Connections that it serves.
    pub sockets: mpsc::Receiver<(S, Permit)>,
    /// The way to clients of other shards.
    pub relay: Arc<Relay>,
    /// What its routes depend on.
    pub state: Arc<AppState>,
    /// How it serves HTTP.
    pub config: Config,
    /// How it serves clients.
    pub session: session::Config,
    /// What clients may do.
    pub limits: Limits,
    /// How long an `every` client may keep a paced feed waiting.
    pub stall_timeout: Duration,
    /// What makes TLS of a socket, where clients are to speak it.
    pub tls: Option<TlsAcceptor>,
    /// Where it says that it has failed.
    pub failures: mpsc::Sender<TaskFailed>,
}

impl<S: Arriving> Worker<S> {
    /// Serves until `stop` fires and every client has been told, but not for longer than a shutdown may take.
    ///
    /// Where the shard's loop fails, that is said at once; the connections stay until `stop` fires, and are told then.
    ///
    /// It runs on a [`LocalSet`](tokio::task::LocalSet).
    pub async fn run(self, stop: CancellationToken) {
        let Self { name, reader, start, inbox, mut sockets, state, failures, .. } = self;
        let settings = Settings {
            heartbeat: self.session.heartbeat,
            every_buffer: self.session.every_buffer,
            max_symbols: self.limits.symbols,
            timeouts: self.limits.deadlines(state.auth.timeout),
            flush_window: self.config.flush_window,
            stall_timeout: self.stall_timeout,
            catch_up_bytes: Settings::CATCH_UP_BYTES,
            conflated_events: Settings::CONFLATED_EVENTS,
        };
        let local = Rc::new(LocalShard::new(&reader, start, settings));
        let context = Rc::new(Context {
            local: Rc::clone(&local),
            relay: self.relay,
            config: self.session,
            limits: self.limits,
            auth: state.auth.clone(),
        });
        let shard = Rc::clone(&local);
        let loop_stop = CancellationToken::new();
        let looping_stop = loop_stop.clone();
        let looping = spawn_local(unconstrained(async move {
            if let Err(panic) = caught(local.run(reader, inbox, looping_stop)).await {
                error!(%panic, worker = name, "the loop of a shard has failed");
                local.fail();
                // The first failure of all is told, and ends everything.
                let _ = failures.try_send(TaskFailed::panicked(name, &panic));
            }
        }));
        let (bus, goodbye) = (Arc::clone(&state.bus), CancellationToken::new());
        let goodbye_within = session::unless_zero(context.config.close_timeout);
        let serving =
            Rc::new(Serving::new(context, routes::routes(state), self.config, self.tls, goodbye.clone()));
        loop {
            let accepted = select! {
                biased;
                () = stop.cancelled() => break,
                accepted = sockets.recv() => accepted,
            };
            let Some((socket, permit)) = accepted else { break };
            match socket.arrive() {
                Ok(socket) => serving.begin(socket, permit),
                Err(error) => warn!(%error, "cannot serve a connection"),
            }
        }
        // Nobody waits to hand over one more, and those that were not begun are told by the end of their sockets.
        drop(sockets);
        stop.cancelled().await;
        // What was published before goes out first. A loop that is too far behind holds up nobody for long.
        let _ = time::timeout(goodbye_within, shard.caught_up(bus.end())).await;
        goodbye.cancel();
        serving.finish().await;
        loop_stop.cancel();
        // It has been told to end, and has said what it failed at.
        let _ = looping.await;
    }
}
