//! The application: wires feed, bus, hub and server together, owns every task, and orders the shutdown.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet, unconstrained};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::bus::{Bus, Reader, Start};
use crate::config::Config;
use crate::feed::{self, Control, Feed, Skipped};
use crate::hub::{Loop, Relay, Relayed, Seat, Settings, Shard};
use crate::server::{
    self, Accepted, Admission, Arriving, Identity, Listener, Metrics, Origins, Site, Tcp, TlsError, Worker,
};
use crate::session::{self, Host};

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

/// A shard's thread or its loop has come to an end that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shard has failed")]
pub struct ShardFailed;

/// A running application.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    bus: Arc<Bus>,
    feed: JoinSet<()>,
    feed_stop: CancellationToken,
    accepting: JoinSet<()>,
    server_stop: CancellationToken,
    workers: Vec<WorkerThread>,
}

/// A shard's thread, and what says that it has ended.
#[derive(Debug)]
struct WorkerThread {
    thread: thread::JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

/// All that a worker's thread is handed at its start.
struct Parts<S> {
    reader: Reader,
    start: Start,
    inbox: mpsc::Receiver<Arc<Relayed>>,
    sockets: mpsc::Receiver<Accepted<S>>,
    relay: Arc<Relay>,
    site: Arc<Site>,
    config: Config,
    tls: Option<TlsAcceptor>,
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
        bus.set_paced(config.feed.stall_timeout().is_some());
        let shards = match config.server.shards {
            0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            shards => shards,
        };
        let (relay, inboxes) = Relay::new(config.relay.clone(), shards, Arc::clone(&bus));
        let admission = admission(&config, &bus);
        let skipped = feed.as_ref().map(Feed::skipped).cloned().unwrap_or_default();
        let metrics = Metrics::new(Arc::clone(&bus), Arc::clone(&relay), Arc::clone(&admission), &skipped);
        let control = match &feed {
            Some(feed) => feed.control().clone(),
            None => Control::of_nothing(bus.kind()),
        };
        let loopback = address.ip().is_loopback();
        let site = Arc::new(site(&config, Arc::clone(&bus), control, loopback, metrics));
        let server_stop = CancellationToken::new();
        let mut outlets = Vec::new();
        let mut workers = Vec::new();
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let (outlet, sockets) = server::handover();
            outlets.push(outlet);
            let (reader, start) = bus.waited_reader("shard");
            let (relay, site) = (Arc::clone(&relay), Arc::clone(&site));
            let (config, tls) = (config.clone(), tls.clone());
            let parts = Parts { reader, start, inbox, sockets, relay, site, config, tls };
            workers.push(WorkerThread::spawn(number, parts, server_stop.clone())?);
        }
        let mut accepting = JoinSet::new();
        let listener = Tcp { listener, send_buffer: config.server.send_buffer };
        accepting.spawn(server::accept(listener, outlets, admission, server_stop.clone()));
        if let Some(identity) = identity {
            accepting.spawn(follow(identity, server_stop.clone()));
        }
        info!(%address, tls = tls.is_some(), feed = %bus.kind(), shards, "listening");

        let feed_stop = CancellationToken::new();
        let mut pumping = JoinSet::new();
        if let Some(feed) = feed {
            pumping.spawn(feed::pump(feed, Arc::clone(&bus), feed_stop.clone()));
        }
        Ok(Self { address, bus, feed: pumping, feed_stop, accepting, server_stop, workers })
    }

    /// Runs with one shard in the caller's runtime and behind any listener until `stop` fires: where the network is
    /// simulated, or the clock stands still. Whoever holds `bus` publishes.
    pub async fn run_here<L: Listener>(config: Config, bus: Arc<Bus>, listener: L, stop: CancellationToken) {
        bus.set_paced(config.feed.stall_timeout().is_some());
        let (relay, mut inboxes) = Relay::new(config.relay.clone(), 1, Arc::clone(&bus));
        let admission = admission(&config, &bus);
        let (counted, skipped) = (Arc::clone(&admission), Skipped::default());
        let metrics = Metrics::new(Arc::clone(&bus), Arc::clone(&relay), counted, &skipped);
        let control = Control::of_nothing(bus.kind());
        let site = Arc::new(site(&config, Arc::clone(&bus), control, true, metrics));
        let (outlet, sockets) = server::handover();
        let (reader, start) = bus.waited_reader("shard");
        let inbox = inboxes.remove(0);
        let accepting = server::accept(listener, vec![outlet], admission, stop.clone());
        let parts = Parts { reader, start, inbox, sockets, relay, site, config, tls: None };
        LocalSet::new().run_until(async { tokio::join!(accepting, parts.run(stop)) }).await;
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
    /// A shard failed, which ends everything.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), ShardFailed> {
        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = any_ends(&mut self.workers) => Err(ShardFailed),
        };
        info!("shutting down");
        self.feed_stop.cancel();
        self.feed.join_all().await;
        self.server_stop.cancel();
        self.accepting.join_all().await;
        for worker in self.workers {
            if !worker.ended.is_terminated() {
                // Only the end matters, and joining says how it was.
                let _ = worker.ended.await;
            }
            if worker.thread.join().is_err() {
                error!("a shard's thread has panicked");
            }
        }
        outcome
    }
}

impl WorkerThread {
    fn spawn<S: Arriving + Send + 'static>(
        number: usize,
        parts: Parts<S>,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let (end, ended) = oneshot::channel();
        let runtime =
            // The network and the timers are looked at after every turn of the tasks: those that always have something to do,
            // as a flood has, would else keep them waiting for sixty turns.
            runtime::Builder::new_current_thread()
                .enable_all()
                .event_interval(1)
                .build()
                .map_err(StartError::Thread)?;
        let thread = thread::Builder::new()
            .name(format!("shard-{number}"))
            .spawn(move || {
                // Dropped when the thread ends, however it does.
                let _end: oneshot::Sender<()> = end;
                LocalSet::new().block_on(&runtime, parts.run(stop));
            })
            .map_err(StartError::Thread)?;
        Ok(Self { thread, ended })
    }
}

impl<S: Arriving> Parts<S> {
    async fn run(self, stop: CancellationToken) {
        let Self { reader, start, inbox, sockets, relay, site, config, tls } = self;
        let settings = Settings {
            heartbeat: config.session.heartbeat,
            every_buffer: config.session.every_buffer,
            max_symbols: config.limits.symbols,
            deadlines: config.limits.deadlines(config.auth.timeout),
        };
        let shard = RefCell::new(Shard::new(Arc::clone(reader.bus()), start, settings));
        let seat = Rc::new(Seat { shard, sockets: RefCell::default(), served: Notify::new() });
        let (flush_window, stall_timeout) = (config.server.flush_window, config.feed.replay.stall_timeout);
        let moving = Loop { seat: Rc::clone(&seat), reader, inbox, flush_window, stall_timeout };
        let moving_stop = CancellationToken::new();
        let mut moving = tokio::task::spawn_local(unconstrained(moving.run(moving_stop.clone())));
        let host =
            Rc::new(Host { seat, relay, config: config.session, limits: config.limits, auth: config.auth });
        let worker = Worker { host, routes: server::routes(site), config: config.server, tls };
        tokio::select! {
            () = worker.run(sockets, stop) => {
                moving_stop.cancel();
                // It has been told to end, and has nothing left to fail at.
                let _ = moving.await;
            }
            // Without its loop a shard stands still: better that the thread ends, and with it the application.
            _ = &mut moving => error!("a shard's loop has failed"),
        }
    }
}

fn admission(config: &Config, bus: &Arc<Bus>) -> Arc<Admission> {
    Admission::new(&config.limits, config.server.trusted_proxies.clone(), Arc::clone(bus))
}

/// Keeps the certificate up to date until `stop` fires.
async fn follow(identity: Arc<Identity>, stop: CancellationToken) {
    stop.run_until_cancelled(identity.follow()).await;
}

fn site(config: &Config, bus: Arc<Bus>, feed: Control, loopback: bool, metrics: Metrics) -> Site {
    Site {
        bus,
        feed,
        origins: Origins { allowed: config.server.allowed_origins.clone(), loopback },
        patience: session::unless_zero(config.server.header_timeout),
        max_symbols: config.limits.symbols,
        auth: config.auth.clone(),
        metrics,
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

async fn any_ends(workers: &mut [WorkerThread]) {
    let ends = workers.iter_mut().map(|worker| &mut worker.ended);
    let mut ends: futures_util::stream::FuturesUnordered<_> = ends.collect();
    // The outcome does not matter: a thread that ends unasked has failed.
    let _ = futures_util::StreamExt::next(&mut ends).await;
}

/// A name for this run's count of events: no two runs share one.
fn epoch() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..8).map(|_| char::from(DIGITS[rand::random_range(0..DIGITS.len())])).collect()
}
