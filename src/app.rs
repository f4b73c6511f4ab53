//! The application: wires feed, bus, hub and server together, owns every task, and orders the shutdown.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info};

use crate::bus::Bus;
use crate::config::Config;
use crate::feed::{self, Control, Feed};
use crate::hub::Relay;
use crate::server::{
    self, Admission, AppState, Arriving, Identity, Metrics, Origins, Outlet, Tcp, TlsError, Worker,
};
use crate::session;
use crate::task::{TaskFailed, caught, caught_now};

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address as it was configured.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Everybody who reaches the port could do everything, and nobody said that this is meant.
    #[error("server.listen: {address} can be reached from other machines, and there are no tokens")]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// There is no TLS as it is configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl StartError {
    /// What the reader can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program listens there; name another with --listen, port 0 picks a free one")
            }
            Self::Listen { .. } => {
                Some("an address is a host and a port of this machine, e.g. --listen 127.0.0.1:8000")
            }
            Self::Exposed { .. } => Some("--allow-anonymous opens it to everybody who reaches it"),
            Self::Tls(error) => error.hint(),
            Self::Thread(_) => None,
        }
    }
}

/// A running application.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    bus: Arc<Bus>,
    feed: JoinSet<()>,
    feed_stop: CancellationToken,
    /// What goes on until the server stops: the accept loop, and what keeps the certificate up to date.
    tasks: JoinSet<()>,
    /// Stops the server, also where the application is dropped instead of run to its end.
    server_stop: DropGuard,
    workers: Vec<thread::JoinHandle<()>>,
    failures: mpsc::Receiver<TaskFailed>,
}

/// What stands between a bus and its clients, wired, but not running.
pub struct Wiring<S> {
    /// Who may connect.
    pub admission: Arc<Admission>,
    /// The workers, as the accept loop sees them.
    pub outlets: Vec<Outlet<S>>,
    /// The workers.
    pub workers: Vec<Worker<S>>,
    /// Where tasks say that they have failed.
    pub failing: mpsc::Sender<TaskFailed>,
    /// The tasks that have failed.
    pub failures: mpsc::Receiver<TaskFailed>,
}

impl<S: Arriving> Wiring<S> {
    /// Wires so many workers. Where there is no `feed`, the holder of the bus publishes.
    #[must_use]
    pub fn new(
        config: &Config,
        bus: &Arc<Bus>,
        feed: Option<&Feed>,
        tls: Option<&TlsAcceptor>,
        is_loopback: bool,
        shards: usize,
    ) -> Self {
        bus.set_flow_controlled(config.feed.stall_timeout().is_some());
        let (relay, inboxes) = Relay::new(config.relay.clone(), shards, Arc::clone(bus));
        let proxies = config.server.trusted_proxies.clone();
        let admission = Admission::new(&config.limits, proxies, Arc::clone(bus));
        let reject_counters = feed.map(Feed::reject_counters).cloned().unwrap_or_default();
        let metrics =
            Metrics::new(Arc::clone(bus), Arc::clone(&relay), Arc::clone(&admission), &reject_counters);
        let state = Arc::new(AppState {
            bus: Arc::clone(bus),
            feed: feed.map_or_else(|| Control::of_nothing(bus.kind()), |feed| feed.control().clone()),
            origins: Origins { allowed: config.server.allowed_origins.clone(), loopback: is_loopback },
            patience: session::unless_zero(config.server.header_timeout),
            max_symbols: config.limits.symbols,
            max_lag: config.ready.max_lag,
            auth: config.auth.clone(),
            metrics,
        });
        let (failing, failures) = mpsc::channel(1);
        let worker = |(number, inbox)| {
            let name = format!("shard {number}");
            let (outlet, sockets) = server::handover();
            let (reader, start) = bus.awaited_reader(name.clone());
            let worker = Worker {
                name,
                reader,
                start,
                inbox,
                sockets,
                relay: Arc::clone(&relay),
                state: Arc::clone(&state),
                config: config.server.clone(),
                session: config.session.clone(),
                limits: config.limits.clone(),
                stall_timeout: config.feed.replay.stall_timeout,
                tls: tls.cloned(),
                failures: failing.clone(),
            };
            (outlet, worker)
        };
        let (outlets, workers) = inboxes.into_iter().enumerate().map(worker).unzip();
        Self { admission, outlets, workers, failing, failures }
    }
}

impl App {
    /// Binds the port and starts everything; `feed` publishes, or whoever holds the [bus](App::bus) does.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened on, or that may not without tokens; no threads.
    pub async fn start(config: Config, feed: Option<Feed>) -> Result<Self, StartError> {
        let identity = Identity::load(config.server.tls_cert.as_deref(), config.server.tls_key.as_deref())?;
        let tls = identity.as_ref().map(Identity::acceptor);
        let (listener, address) = listen(&config).await?;
        let bus = Bus::new(&config.bus, config.feed.kind, epoch());
        let shards = match config.server.shards {
            0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            shards => shards,
        };
        let is_loopback = address.ip().is_loopback();
        let Wiring { admission, outlets, workers, failing, failures } =
            Wiring::new(&config, &bus, feed.as_ref(), tls.as_ref(), is_loopback, shards);
        let stop = CancellationToken::new();
        let server_stop = stop.clone().drop_guard();
        let workers = workers.into_iter().map(|worker| spawn_worker(worker, stop.clone()));
        let workers = workers.collect::<Result<_, _>>()?;
        let mut tasks = JoinSet::new();
        let listener = Tcp { listener, send_buffer: config.server.send_buffer };
        let accepting = server::accept(listener, outlets, admission, stop.clone());
        tasks.spawn(watched("the accept loop", accepting, stop.clone(), failing.clone()));
        if let Some(identity) = identity {
            let follows = stop.clone();
            let following = async move {
                follows.run_until_cancelled(identity.follow()).await;
            };
            tasks.spawn(watched("the renewal of the certificate", following, stop, failing));
        }
        info!(%address, tls = tls.is_some(), feed = %bus.kind(), shards, "listening");

        let feed_stop = CancellationToken::new();
        let mut pumping = JoinSet::new();
        if let Some(feed) = feed {
            pumping.spawn(feed::pump(feed, Arc::clone(&bus), feed_stop.clone()));
        }
        Ok(Self { address, bus, feed: pumping, feed_stop, tasks, server_stop, workers, failures })
    }

    /// The address that is listened on; with port 0, the port that was picked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bus.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Runs until `stop` fires, then ends in order: the feed, then the clients, then the threads.
    ///
    /// # Errors
    ///
    /// A task of the server's failed, which ends everything in the same order.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), TaskFailed> {
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            Some(failure) = self.failures.recv() => Err(failure),
        };
        if let Err(failure) = &outcome {
            error!(%failure, "shutting down, as a task of the server has failed");
        } else {
            info!("shutting down");
        }
        self.feed_stop.cancel();
        finish(self.feed).await;
        drop(self.server_stop);
        finish(self.tasks).await;
        for worker in self.workers {
            // A thread that panicked has said so.
            let _ = tokio::task::spawn_blocking(|| worker.join()).await;
        }
        outcome
    }
}

/// Runs a worker on a thread of its own until `stop` fires.
fn spawn_worker<S: Arriving + Send + 'static>(
    worker: Worker<S>,
    stop: CancellationToken,
) -> Result<thread::JoinHandle<()>, StartError> {
    let (name, failing) = (worker.name.clone(), worker.failures.clone());
    let runtime =
        // The network and the timers are looked at after every turn of the tasks: those that always have something to do,
        // as a flood has, would else keep them waiting for sixty turns.
        runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(1)
            .build()
            .map_err(StartError::Thread)?;
    let thread = thread::Builder::new().name(name.replace(' ', "-"));
    let run = move || {
        if let Err(panic) = caught_now(|| LocalSet::new().block_on(&runtime, worker.run(stop))) {
            error!(%panic, worker = name, "a worker has failed");
            // The first failure of all is told, and ends everything.
            let _ = failing.try_send(TaskFailed::panicked(name, &panic));
        }
    };
    thread.spawn(run).map_err(StartError::Thread)
}

/// Runs a task that goes on until `stop` fires, and says so where it ends before.
async fn watched(
    name: &'static str,
    task: impl Future<Output = ()>,
    stop: CancellationToken,
    failing: mpsc::Sender<TaskFailed>,
) {
    let failure = match caught(task).await {
        Err(panic) => TaskFailed::panicked(name, &panic),
        Ok(()) if stop.is_cancelled() => return,
        Ok(()) => TaskFailed::ended(name),
    };
    // The first failure of all is told, and ends everything.
    let _ = failing.try_send(failure);
}

/// Waits for tasks that have been told to end. One that panics has said so, and keeps nobody from their end.
async fn finish(mut tasks: JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            error!(%error, "a task has failed");
        }
    }
}

async fn listen(config: &Config) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address: config.server.listen.clone(), source };
    let listener = TcpListener::bind(&config.server.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    if config.auth.tokens.is_empty() && !config.server.allow_anonymous && !address.ip().is_loopback() {
        return Err(StartError::Exposed { address });
    }
    Ok((listener, address))
}

/// A name for this run's count of events: no two runs share one.
fn epoch() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..8).map(|_| char::from(DIGITS[rand::random_range(0..DIGITS.len())])).collect()
}
