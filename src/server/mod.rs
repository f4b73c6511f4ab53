//! The server: an accept loop of our own before warp's routes, and sessions behind them.
//!
//! One loop accepts and hands each socket to the worker with the fewest connections, of equals to any:
//! no order in which clients come puts the busy ones together. A worker is a thread with a shard, a
//! runtime and all tasks of its connections: a client's session never leaves its shard's thread.
//! HTTP/1.1 only.

mod handshake;
mod routes;

use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use warp::filters::BoxedFilter;

use crate::hub::Socket;
use crate::session::{Host, Session};

pub use handshake::Origins;
pub use routes::{Site, routes};

/// How long the accept loop rests when the system gives it no socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Sockets that may wait for a worker; the accept loop waits for room.
const HANDOVER: usize = 64;

/// The server (`[server]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen: an address and a port; port 0 picks a free one.
    pub listen: String,
    /// Whether to listen beyond this machine, where everybody who reaches the port may do everything.
    pub allow_anonymous: bool,
    /// Origins whose pages may connect beside the server's own.
    pub allowed_origins: Vec<String>,
    /// Threads that serve clients; 0 for one a core.
    pub shards: usize,
    /// How long updates are collected before they are written; an update after a quiet moment goes out at once.
    #[serde(with = "humantime_serde")]
    pub flush_window: Duration,
    /// Bytes that the kernel takes for a client before they are under way (`TCP_NOTSENT_LOWAT`); 0 leaves it to the system.
    pub send_buffer: u32,
    /// How long a client may take to send the headers of a request.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How many headers it may send.
    pub max_headers: usize,
    /// How many bytes they may have; 8 KiB at the least.
    pub max_header_bytes: usize,
    /// How long a shutdown waits for clients.
    #[serde(with = "humantime_serde")]
    pub shutdown: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            allow_anonymous: false,
            allowed_origins: Vec::new(),
            shards: 0,
            flush_window: Duration::from_millis(2),
            send_buffer: 64 * 1024,
            header_timeout: Duration::from_secs(5),
            max_headers: 64,
            max_header_bytes: 16 * 1024,
            shutdown: Duration::from_secs(10),
        }
    }
}

/// A socket on its way to a worker.
#[derive(Debug)]
pub struct Accepted {
    socket: std::net::TcpStream,
    is_full: bool,
    load: Load,
}

/// One connection of a worker's count, until it is dropped.
#[derive(Debug)]
struct Load(Arc<AtomicUsize>);

impl Load {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A worker as the accept loop sees it.
#[derive(Debug)]
pub struct Outlet {
    sockets: mpsc::Sender<Accepted>,
    load: Arc<AtomicUsize>,
}

/// The way of sockets to a worker: the accept loop's end and the worker's.
#[must_use]
pub fn handover() -> (Outlet, mpsc::Receiver<Accepted>) {
    let (sockets, inlet) = mpsc::channel(HANDOVER);
    (Outlet { sockets, load: Arc::default() }, inlet)
}

/// Accepts connections until `stop` fires.
pub async fn accept(
    listener: TcpListener,
    outlets: Vec<Outlet>,
    send_buffer: u32,
    max_connections: usize,
    stop: CancellationToken,
) {
    loop {
        let accepted = select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let socket = accepted.and_then(|(socket, _)| prepare(socket, send_buffer));
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let total: usize = outlets.iter().map(|outlet| outlet.load.load(Ordering::Relaxed)).sum();
        let is_full = max_connections > 0 && total >= max_connections;
        let load = |outlet: &&Outlet| (outlet.load.load(Ordering::Relaxed), rand::random::<u32>());
        let Some(outlet) = outlets.iter().min_by_key(load) else { return };
        let load = Load::new(&outlet.load);
        if outlet.sockets.send(Accepted { socket, is_full, load }).await.is_err() {
            return;
        }
    }
}

/// Sets the socket's options and takes it off this thread's reactor.
fn prepare(socket: TcpStream, send_buffer: u32) -> io::Result<std::net::TcpStream> {
    socket.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if send_buffer > 0 {
        // Not SO_SNDBUF: with a buffer smaller than a segment every write waits for a delayed acknowledgement.
        SockRef::from(&socket).set_tcp_notsent_lowat(send_buffer)?;
    }
    socket.into_std()
}

/// A worker: it serves the sockets that it is handed.
#[derive(Debug)]
pub struct Worker {
    /// What its sessions share.
    pub host: Rc<Host>,
    /// What it answers.
    pub routes: BoxedFilter<(warp::reply::Response,)>,
    /// How it serves.
    pub config: Config,
}

impl Worker {
    /// Serves until `stop` fires and every client has been told, but not for longer than a shutdown may take.
    pub async fn run(self, mut sockets: mpsc::Receiver<Accepted>, stop: CancellationToken) {
        let worker = Rc::new(self);
        let tasks = TaskTracker::new();
        loop {
            let accepted = select! {
                biased;
                () = stop.cancelled() => break,
                accepted = sockets.recv() => accepted,
            };
            let Some(Accepted { socket, is_full, load }) = accepted else { break };
            match TcpStream::from_std(socket) {
                Ok(socket) => {
                    let here = Rc::clone(&worker);
                    let stop = stop.clone();
                    let sessions = tasks.clone();
                    tasks.spawn_local(async move {
                        if let Some(mut session) = here.requests(socket, is_full, &stop).await {
                            // A task of its own: it is smaller than one that has served requests.
                            sessions.spawn_local(async move {
                                let reason = session.run(stop).await;
                                debug!(?reason, "a client is gone");
                                drop(load);
                            });
                        }
                    });
                }
                Err(error) => warn!(%error, "cannot serve a connection"),
            }
        }
        tasks.close();
        if time::timeout(worker.config.shutdown, tasks.wait()).await.is_err() {
            warn!(connections = tasks.len(), "clients did not close in time");
        }
    }

    /// Serves one connection's requests until it ends or becomes a session.
    async fn requests(&self, socket: TcpStream, is_full: bool, stop: &CancellationToken) -> Option<Session> {
        let (sender, mut accepted) = mpsc::channel(1);
        let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let version = request.version();
            request.extensions_mut().insert(routes::Request { version, is_full });
            let response = hyper::service::Service::call(&routes, request);
            let sender = sender.clone();
            async move {
                let mut response = response.await?;
                if let Some(upgrade) = response.extensions_mut().remove::<routes::Upgrade>() {
                    // A connection is upgraded once.
                    let _ = sender.try_send(upgrade);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = Box::pin(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.config.header_timeout)
                .max_headers(self.config.max_headers)
                .max_buf_size(self.config.max_header_bytes)
                .serve_connection(TokioIo::new(socket), service)
                .with_upgrades(),
        );
        let served = select! {
            biased;
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                time::timeout(self.host.config.close_timeout, &mut connection).await.unwrap_or(Ok(()))
            }
            served = &mut connection => served,
        };
        // The other end of a handshake that failed: the upgrade waits for as long as it is there.
        drop(connection);
        if let Err(error) = served {
            debug!(%error, "a connection ended");
        }
        let routes::Upgrade { socket, stream } = accepted.try_recv().ok()?;
        let upgraded = socket.await.inspect_err(|error| debug!(%error, "an upgrade came to nothing")).ok()?;
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("every connection is a TCP socket");
        Some(Session::new(
            Socket::Tcp(parts.io.into_inner()),
            &parts.read_buf,
            &stream,
            Rc::clone(&self.host),
        ))
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn workers_have_as_many_clients_whatever_the_order_in_which_these_come() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (outlets, mut inlets): (Vec<_>, Vec<_>) = (0..2).map(|_| handover()).unzip();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, outlets, 0, 0, stop.clone()));
        let mut clients = Vec::new();
        let mut accepted = [Vec::new(), Vec::new()];

        for _ in 0..50 {
            // Every other client is a busy one.
            for is_busy in [true, false] {
                clients.push(TcpStream::connect(address).await.unwrap());
                let [left, right] = inlets.as_mut_slice() else { unreachable!() };
                select! {
                    socket = left.recv() => accepted[0].push((socket, is_busy)),
                    socket = right.recv() => accepted[1].push((socket, is_busy)),
                }
            }
        }

        assert_eq!(accepted.each_ref().map(Vec::len), [50, 50]);
        let busy = accepted.map(|sockets| sockets.iter().filter(|(_, is_busy)| *is_busy).count());
        assert!(busy.iter().all(|count| (5..=45).contains(count)), "{busy:?}");
        stop.cancel();
        accepting.join_all().await;
    }
}
