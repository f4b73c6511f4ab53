//! The application connects the feed, the bus, the hub and the server. It owns every task, and ends the tasks
//! in a fixed order.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info, warn};

use crate::auth;
use crate::bars::{Bars, BarsTask};
use crate::bus::{self, Bus};
use crate::cluster::{self, ClusterError, View};
use crate::config::Config;
use crate::feed::{self, Control, Feed, Standby};
use crate::hub::{OtherNodes, Relay};
use crate::server::{
    self, AcceptedSocket, Admission, AppState, ContractPages, Hosts, Identity, Info, ListenError, Metrics,
    Origins, RefusalLog, Tcp, TlsError, Worker, WorkerHandle,
};
use crate::session::{self, Limits};
use crate::task::{TaskFailed, catch_panic, catch_panic_now};

/// An error that prevents the start of the application.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or an address does not belong to this machine.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Other machines can reach the listening address, but there are no tokens and `server.allow_anonymous`
    /// is off.
    #[error("server.listen: {address} can be reached from other machines, and there are no tokens")]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The node of a cluster cannot start.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl StartError {
    /// Returns the configuration key whose value causes the error. Returns `None` for an error of the system
    /// or of a file.
    #[must_use]
    pub const fn key(&self) -> Option<&'static str> {
        match self {
            Self::Exposed { .. } => Some("server.listen"),
            Self::Tls(TlsError::Half { given }) => Some(given),
            Self::Listen(_) | Self::Tls(_) | Self::Cluster(_) | Self::Thread(_) => None,
        }
    }

    /// Returns advice for the user, if there is any.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Listen(error) if error.source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program uses the port; choose another with --listen, or port 0 for a free one")
            }
            Self::Listen(_) => {
                Some("give an address and a port of this machine, e.g. --listen 127.0.0.1:8000")
            }
            Self::Exposed { .. } => {
                Some("configure tokens (auth.tokens), or let everybody in with --allow-anonymous")
            }
            Self::Tls(error) => error.hint(),
            Self::Cluster(error) => error.hint(),
            Self::Thread(_) => None,
        }
    }
}

/// An error that ends a running application.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A task of the server failed.
    #[error(transparent)]
    Task(#[from] TaskFailed),
    /// The servers of the cluster refuse the node, or cannot be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The feed failed, and the setting `feed.exit_at_end` is on.
    #[error("the feed has failed: {detail}")]
    Feed {
        /// The reason why the feed failed.
        detail: String,
    },
}

/// Checks the certificate and the listening address as [`App::start`] does, but without binding the port. If
/// the listening address is a host name, checks only the certificate, because the name is not looked up.
///
/// # Errors
///
/// Fails if TLS cannot be set up, or if the listening address needs tokens and there are none.
pub fn check(config: &Config) -> Result<(), StartError> {
    Identity::load(config.server.tls_cert.as_deref(), config.server.tls_key.as_deref())?;
    cluster::check(&config.cluster, &config.bus)?;
    check_configured_exposure(config)
}

/// A running application.
#[derive(Debug)]
pub struct App {
    addresses: Vec<SocketAddr>,
    /// The URL under which a browser on this machine can reach the server.
    url: String,
    bus: Arc<Bus>,
    feed: JoinSet<Result<(), ClusterError>>,
    /// Whether the application ends when the feed has ended.
    exits_at_end: bool,
    /// Whether the application is a node of a cluster.
    is_node: bool,
    feed_stop: CancellationToken,
    /// The background tasks, which accept connections, log refused requests and renew the certificate.
    tasks: JoinSet<()>,
    /// Stops the server when this guard is dropped, even if `run` was never called.
    server_stop: DropGuard,
    /// The threads of the workers and of the bars.
    threads: Vec<thread::JoinHandle<()>>,
    failures: mpsc::Receiver<TaskFailed>,
    reloader: Reloader,
}

/// Replaces the tokens and the certificate of a running application.
#[derive(Clone, Debug)]
pub struct Reloader {
    auth: watch::Sender<auth::Config>,
    identity: Option<Arc<Identity>>,
}

impl Reloader {
    /// Requests that the server reads its certificate and key files again. Does nothing on a server without
    /// TLS.
    pub fn reload_certificate(&self) {
        if let Some(identity) = &self.identity {
            identity.reload_soon();
        }
    }

    /// Replaces the tokens, and closes the clients whose token was removed or changed. An empty list does not
    /// replace existing tokens, because an empty list would let everybody in.
    pub fn replace_tokens(&self, tokens: Vec<Arc<auth::Grant>>) {
        let count = tokens.len();
        if tokens.is_empty() && !self.auth.borrow().tokens.is_empty() {
            warn!("auth.tokens is empty now; the old tokens stay in use until a restart");
            return;
        }
        let has_changed = self.auth.send_if_modified(|auth| {
            let has_changed = auth.tokens != tokens;
            auth.tokens = tokens;
            has_changed
        });
        info!(tokens = count, has_changed, "read the tokens again");
    }
}

/// What a node of a cluster gives to the parts that serve its clients.
#[derive(Debug)]
pub struct ClusterSide {
    /// What the node knows of the cluster.
    pub view: watch::Receiver<View>,
    /// The way to the clients of the other nodes.
    pub others: OtherNodes,
    /// Controls the feed of the cluster.
    pub control: Control,
}

/// The parts of a server that lie between the bus and the clients. The parts are connected to each other, but
/// do not run yet.
pub struct Wiring<S> {
    /// Relays messages between clients.
    pub relay: Arc<Relay>,
    /// Admits connections.
    pub admission: Arc<Admission>,
    /// The handles through which the accept loop passes sockets to the workers.
    pub handles: Vec<WorkerHandle<S>>,
    /// The workers.
    pub workers: Vec<Worker<S>>,
    /// The task that folds the log into bars.
    pub bars: BarsTask,
    /// Logs the requests that the workers refuse.
    pub refusals: Arc<RefusalLog>,
    /// The sender with which a task reports its failure.
    pub failure_sender: mpsc::Sender<TaskFailed>,
    /// The receiver of the failures that tasks report.
    pub failures: mpsc::Receiver<TaskFailed>,
    /// Replaces the tokens.
    pub auth: watch::Sender<auth::Config>,
}

impl<S: AcceptedSocket> Wiring<S> {
    /// Creates the parts that lie between the bus and the clients, and connects them. `shards` is the number
    /// of workers. `cluster` is what a node knows of its cluster. If `feed` is `None`, the owner of the bus must publish the events.
    #[must_use]
    pub fn new(
        config: &Config,
        bus: &Arc<Bus>,
        feed: Option<&Feed>,
        tls: Option<&TlsAcceptor>,
        is_loopback: bool,
        shards: usize,
        cluster: Option<ClusterSide>,
    ) -> Self {
        bus.set_flow_controlled(config.feed.stall_timeout().is_some());
        if let Some(feed) = feed {
            bus.announce(feed.announced_symbols());
        }
        let control = match (&cluster, feed) {
            (Some(side), _) => side.control.clone(),
            (None, Some(feed)) => feed.control().clone(),
            (None, None) => Control::of_nothing(bus.kind()),
        };
        let (cluster, others) = cluster.map(|ClusterSide { view, others, .. }| (view, others)).unzip();
        let (relay, inboxes) = Relay::new(config.relay.clone(), shards, Arc::clone(bus), others);
        let proxies = config.server.trusted_proxies.clone();
        let admission = Admission::new(&config.limits, proxies, Arc::clone(bus));
        let reject_counters = feed.map(Feed::reject_counters).cloned().unwrap_or_default();
        let (bars, bars_task) = Bars::new(&config.bars, bus);
        let metrics = Metrics::new(
            Arc::clone(bus),
            Arc::clone(&bars),
            Arc::clone(&relay),
            Arc::clone(&admission),
            cluster.clone(),
            &reject_counters,
        );
        let (auth_sender, auth) = watch::channel(config.auth.clone());
        let state = Arc::new(AppState {
            bus: Arc::clone(bus),
            bars,
            feed: control,
            cluster,
            relay: Arc::clone(&relay),
            hosts: Hosts { allowed: config.server.allowed_hosts.clone(), loopback: is_loopback },
            origins: Origins { allowed: config.server.allowed_origins.clone(), loopback: is_loopback },
            refusals: Arc::default(),
            body_timeout: session::unless_zero(config.server.header_timeout),
            max_symbols: config.limits.symbols,
            max_lag: config.ready.max_lag,
            auth,
            metrics,
            contract: ContractPages::default(),
            info: Info::new(&config.session, &config.limits, &config.relay),
        });
        let (failure_sender, failures) = mpsc::channel(1);
        let worker = |(number, inbox)| {
            let name = format!("shard {number}");
            let (handle, sockets) = server::worker_channel();
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
                has_system_clock: false,
                tls: tls.cloned(),
                failures: failure_sender.clone(),
            };
            (handle, worker)
        };
        let (handles, workers) = inboxes.into_iter().enumerate().map(worker).unzip();
        let refusals = Arc::clone(&state.refusals);
        Self {
            relay,
            admission,
            handles,
            workers,
            bars: bars_task,
            refusals,
            failure_sender,
            failures,
            auth: auth_sender,
        }
    }
}

impl App {
    /// Binds the listening addresses and starts all tasks of the application. If `feed` is `None`, the caller
    /// must publish the events on the [bus](App::bus).
    ///
    /// # Errors
    ///
    /// Fails if an address cannot be bound, or if an address needs tokens and there are none. Also fails if
    /// TLS cannot be set up or a thread cannot be started.
    pub async fn start(config: Config, feed: Option<Feed>) -> Result<Self, StartError> {
        cluster::check(&config.cluster, &config.bus)?;
        let identity = Identity::load(config.server.tls_cert.as_deref(), config.server.tls_key.as_deref())?;
        let tls = identity.as_ref().map(Identity::acceptor);
        let (listeners, addresses) = listen(&config).await?;
        let is_loopback = addresses.iter().all(|address| address.ip().is_loopback());
        let hosts = Hosts { allowed: config.server.allowed_hosts.clone(), loopback: is_loopback };
        let url = server::browser_url(&config.server.listen, addresses[0], &hosts, tls.is_some());
        // A node of a cluster learns the epoch from the cluster.
        let epoch = if config.cluster.is_on() { String::new() } else { bus::random_name() };
        let bus = Bus::new(&config.bus, config.feed.kind, epoch);
        let shards = match config.server.shards {
            0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            shards => shards,
        };
        bus.set_exits_at_end(config.feed.exit_at_end);
        let starting = || cluster::Starting::new(config.cluster.clone(), &config.feed);
        let node = config.cluster.is_on().then(starting);
        let (edge_control, edge) = Control::remote(config.feed.kind);
        let (outgoing, mut incoming, queues) = cluster::queues();
        let side = node.as_ref().map(|node| ClusterSide {
            view: node.view(),
            others: OtherNodes { node: node.id().to_owned(), outgoing },
            control: feed.as_ref().map_or(edge_control, |feed| feed.control().clone()),
        });
        let Wiring { relay, admission, handles, workers, bars, refusals, failure_sender, failures, auth } =
            Wiring::new(&config, &bus, feed.as_ref(), tls.as_ref(), is_loopback, shards, side);
        let stop = CancellationToken::new();
        let server_stop = stop.clone().drop_guard();
        let workers = workers.into_iter().map(|worker| Worker { has_system_clock: true, ..worker });
        let workers = workers.map(|worker| spawn_worker(worker, stop.clone()));
        let mut threads = workers.collect::<Result<Vec<_>, _>>()?;
        let bars_stop = stop.clone();
        threads.push(spawn_thread("bars reader".to_owned(), failure_sender.clone(), move |runtime| {
            runtime.block_on(bars_stop.run_until_cancelled_owned(bars.run()));
        })?);
        let mut tasks = JoinSet::new();
        let listener = Tcp::new(listeners, config.server.send_buffer);
        let accepting = server::accept(listener, handles, admission, stop.clone());
        tasks.spawn(supervised("the accept loop", accepting, stop.clone(), failure_sender.clone()));
        let reloader = Reloader { auth, identity: identity.clone() };
        let report_stop = stop.clone();
        let reporting = async move {
            report_stop.run_until_cancelled(refusals.report()).await;
        };
        let name = "the log of refused requests";
        tasks.spawn(supervised(name, reporting, stop.clone(), failure_sender.clone()));
        if let Some(identity) = identity {
            let reload_stop = stop.clone();
            let reloading = async move {
                reload_stop.run_until_cancelled(identity.reload_when_changed()).await;
            };
            tasks.spawn(supervised("the renewal of the certificate", reloading, stop, failure_sender));
        }
        let address = addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
        info!(%address, tls = tls.is_some(), feed = %bus.kind(), shards, "listening");
        if let Some(reason) = server::missing_dashboard() {
            warn!(reason, "the program was built without the dashboard, so / is the plain page");
        }

        let feed_stop = CancellationToken::new();
        let mut pumping = JoinSet::new();
        let (pump_bus, pump_stop) = (Arc::clone(&bus), feed_stop.clone());
        if let Some(node) = node {
            let (standby, remote) = match feed.map(Standby::new) {
                Some((standby, remote)) => (Some(standby), remote),
                None => (None, edge),
            };
            pumping.spawn(node.run(standby, remote, pump_bus, queues, pump_stop));
            let delivering = async move {
                while let Some(message) = incoming.recv().await {
                    relay.deliver(message).await;
                }
            };
            let delivered_stop = feed_stop.clone();
            tasks.spawn(async move {
                delivered_stop.run_until_cancelled(delivering).await;
            });
        } else if let Some(feed) = feed {
            let pump = feed::pump(feed, pump_bus, pump_stop);
            pumping.spawn(async {
                drop(pump.await);
                Ok(())
            });
        }
        Ok(Self {
            addresses,
            url,
            bus,
            feed: pumping,
            exits_at_end: config.feed.exit_at_end,
            is_node: config.cluster.is_on(),
            feed_stop,
            tasks,
            server_stop,
            threads,
            failures,
            reloader,
        })
    }

    /// Returns the addresses on which the server listens. The list is never empty. If the configured port is
    /// 0, the addresses have the port that the system picked.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the URL under which a browser on this machine can reach the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns a handle that can replace the tokens and the certificate.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Returns the bus.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Runs the application until the token `stop` fires or a task fails. If the setting `feed.exit_at_end` is
    /// on, the end of the feed also ends the application. At the end, stops the feed, closes the clients and
    /// ends the worker threads, in this order.
    ///
    /// # Errors
    ///
    /// Fails if a task of the server failed, or if the application ends because the feed failed.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), RunError> {
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            Some(failure) = self.failures.recv() => Err(failure.into()),
            Some(ended) = self.feed.join_next(), if self.exits_at_end || self.is_node => match ended {
                Ok(Err(error)) => Err(error.into()),
                _ if self.is_node && !self.bus.is_ending() => Err(TaskFailed::ended("the node of the cluster").into()),
                _ => {
                    let failed = |detail: &str| Err(RunError::Feed { detail: detail.to_owned() });
                    self.bus.feed_state().detail().map_or(Ok(()), failed)
                }
            },
        };
        match &outcome {
            Err(RunError::Task(failure)) => {
                error!(%failure, "shutting down because a task of the server has failed");
            }
            Err(RunError::Feed { .. } | RunError::Cluster(_)) | Ok(()) => info!("shutting down"),
        }
        self.feed_stop.cancel();
        finish(self.feed).await;
        drop(self.server_stop);
        finish(self.tasks).await;
        for thread in self.threads {
            // The result is ignored, because a thread that panicked has already reported the panic.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
        outcome
    }
}

/// Starts a thread that runs a worker until the token `stop` fires.
fn spawn_worker<S: AcceptedSocket + Send + 'static>(
    worker: Worker<S>,
    stop: CancellationToken,
) -> Result<thread::JoinHandle<()>, StartError> {
    let (name, failure_sender) = (worker.name.clone(), worker.failures.clone());
    spawn_thread(name, failure_sender, |runtime| LocalSet::new().block_on(runtime, worker.run(stop)))
}

/// Starts a thread with a runtime of its own. Reports a panic of the thread.
fn spawn_thread(
    name: String,
    failure_sender: mpsc::Sender<TaskFailed>,
    run: impl FnOnce(&runtime::Runtime) + Send + 'static,
) -> Result<thread::JoinHandle<()>, StartError> {
    let runtime =
        // The runtime polls the network and the timers after every task. By default, tokio polls them after
        // 61 tasks, so that a few busy clients would delay all others.
        runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(1)
            .build()
            .map_err(StartError::Thread)?;
    let thread = thread::Builder::new().name(name.replace(' ', "-"));
    let run = move || {
        if let Err(panic) = catch_panic_now(|| run(&runtime)) {
            error!(%panic, thread = name, "a thread has panicked");
            // The channel has room for the first failure, which ends the program. Later failures are dropped.
            let _ = failure_sender.try_send(TaskFailed::panicked(name, &panic));
        }
    };
    thread.spawn(run).map_err(StartError::Thread)
}

/// Runs a task. Reports a failure when the task panics, or when the task ends before the token `stop` fires.
async fn supervised(
    name: &'static str,
    task: impl Future<Output = ()>,
    stop: CancellationToken,
    failure_sender: mpsc::Sender<TaskFailed>,
) {
    let failure = match catch_panic(task).await {
        Err(panic) => TaskFailed::panicked(name, &panic),
        Ok(()) if stop.is_cancelled() => return,
        Ok(()) => TaskFailed::ended(name),
    };
    // The channel has room for the first failure, which ends the program. Later failures are dropped.
    let _ = failure_sender.try_send(failure);
}

/// Waits until all tasks have ended. Logs each panic.
async fn finish<T: 'static>(mut tasks: JoinSet<T>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            error!(%error, "a task has failed");
        }
    }
}

/// Binds the listening addresses. Fails if other machines can reach an address, but there are no tokens and
/// anonymous clients are not allowed.
async fn listen(config: &Config) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), StartError> {
    check_configured_exposure(config)?;
    let listeners = server::bind(&config.server.listen).await?;
    let failed = |source| ListenError { address: config.server.listen.clone(), source };
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>();
    let addresses = addresses.map_err(failed)?;
    let Limits { ping_interval, ping_timeout, .. } = config.limits;
    if !ping_interval.is_zero() && !ping_timeout.is_zero() {
        for listener in &listeners {
            // Two unanswered transmissions show that a client is gone. So TCP must transmit at least twice
            // within the time limit of a client.
            tcp_info::limit_retransmission_interval(listener, (ping_interval + ping_timeout) / 2);
        }
    }
    addresses.iter().try_for_each(|address| check_exposure(config, *address))?;
    Ok((listeners, addresses))
}

/// Applies [`check_exposure`] to the configured address, before the address is bound. A host name is not
/// checked, because the name is not looked up yet.
fn check_configured_exposure(config: &Config) -> Result<(), StartError> {
    config.server.listen.parse().map_or(Ok(()), |address| check_exposure(config, address))
}

/// Returns an error if other machines can reach the address, but there are no tokens and anonymous clients
/// are not allowed.
fn check_exposure(config: &Config, address: SocketAddr) -> Result<(), StartError> {
    if config.auth.tokens.is_empty() && !config.server.allow_anonymous && !address.ip().is_loopback() {
        return Err(StartError::Exposed { address });
    }
    Ok(())
}
