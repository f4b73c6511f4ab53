//! The accept loop: accepts connections, and hands each new connection to the worker with the fewest
//! connections.
//!
//! Between workers with the same number of connections, the loop chooses at random. Otherwise, if busy and
//! quiet clients connect alternately, one worker could get all busy clients. The loop skips a worker whose
//! queue of connections is full, so that a stuck worker does not block new clients.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::select_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::admission::{Admission, Permit};
use crate::fault;
use crate::hub::Socket;

/// How long the accept loop waits after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The maximum number of sockets in a worker's queue. When the queue is full, another worker gets the next
/// socket.
const WAITING_SOCKETS: usize = 64;

/// A source of connections.
pub trait Listener {
    /// An accepted connection that no worker has registered yet.
    type Socket: AcceptedSocket;

    /// Waits for the next connection and returns it with the address of its peer.
    ///
    /// Cancel safe: a cancelled call loses no connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// An accepted connection, which a worker registers with its own runtime.
pub trait AcceptedSocket {
    /// Registers the connection with the runtime of the current thread.
    ///
    /// # Errors
    ///
    /// Returns an error if the runtime cannot watch the socket.
    fn register(self) -> io::Result<Socket>;
}

/// The listening TCP sockets of a server.
#[derive(Debug)]
pub struct Tcp {
    listeners: Vec<TcpListener>,
    /// The index of the listener that the next call of `poll_accept` polls first.
    first: usize,
    /// The maximum number of unsent bytes that the kernel buffers for a client; 0 means the system's default.
    send_buffer: u32,
}

impl Listener for Tcp {
    type Socket = std::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(std::net::TcpStream, SocketAddr)> {
        loop {
            let (socket, peer) = poll_fn(|cx| self.poll_accept(cx)).await?;
            match self.prepare(socket) {
                Ok(socket) => return Ok((socket, peer)),
                Err(error) => debug!(%error, "a connection ended before it could be served"),
            }
        }
    }
}

impl Tcp {
    /// Returns a source of connections to these listening sockets. `send_buffer` limits the unsent bytes that
    /// the kernel buffers for a client; 0 means the system's default.
    #[must_use]
    pub fn new(listeners: Vec<TcpListener>, send_buffer: u32) -> Self {
        Self { listeners, first: 0, send_buffer }
    }

    /// Accepts a connection on one of the listening sockets. The listening sockets take turns, so that a
    /// flood of connections to one socket does not block the others.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let count = self.listeners.len();
        for number in (self.first..self.first + count).map(|number| number % count) {
            if let Poll::Ready(accepted) = self.listeners[number].poll_accept(cx) {
                self.first = number + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Sets the options of an accepted socket. Detaches the socket from the runtime of the accept loop, so
    /// that a worker can register it.
    fn prepare(&self, socket: TcpStream) -> io::Result<std::net::TcpStream> {
        socket.set_nodelay(true)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.send_buffer > 0 {
            // SO_SNDBUF is unsuitable: with a buffer smaller than a segment, every write would wait for a
            // delayed acknowledgement.
            socket2::SockRef::from(&socket).set_tcp_notsent_lowat(self.send_buffer)?;
        }
        socket.into_std()
    }
}

impl AcceptedSocket for std::net::TcpStream {
    fn register(self) -> io::Result<Socket> {
        TcpStream::from_std(self).map(Socket::Tcp)
    }
}

/// The accept loop's handle on a worker.
#[derive(Debug)]
pub struct WorkerHandle<S> {
    sockets: mpsc::Sender<(S, Permit)>,
    /// The number of clones of this value is the load of the worker. Each connection of the worker holds a
    /// clone, in the connection's permit.
    load: Arc<()>,
}

/// Creates a worker's queue of sockets. Returns the handle for the accept loop and the receiver for the
/// worker.
#[must_use]
pub fn worker_channel<S>() -> (WorkerHandle<S>, mpsc::Receiver<(S, Permit)>) {
    let (sockets, receiver) = mpsc::channel(WAITING_SOCKETS);
    (WorkerHandle { sockets, load: Arc::default() }, receiver)
}

/// Accepts connections until `stop` fires or all workers have ended.
pub async fn accept<L: Listener>(
    mut listener: L,
    workers: Vec<WorkerHandle<L::Socket>>,
    admission: Arc<Admission>,
    stop: CancellationToken,
) {
    let mut is_failing = false;
    loop {
        let accepted = select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Only the first failure is logged, because a lack of file descriptors can last for a long
                // time.
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(%error, "cannot accept connections; trying again until it works");
                }
                time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if std::mem::take(&mut is_failing) {
            info!("accepting connections again");
        }
        fault::point("accept");
        let Some(mut permit) = admission.permit(peer.ip()) else { continue };
        let room = select! {
            biased;
            () = stop.cancelled() => return,
            room = reserve(&workers) => room,
        };
        let Some((worker, room)) = room else { return };
        permit.count_for_worker(&worker.load);
        room.send((socket, permit));
    }
}

/// Waits for a free slot in a worker's queue. Prefers the worker with the fewest connections. Returns `None`
/// when all workers have ended.
async fn reserve<S>(
    workers: &[WorkerHandle<S>],
) -> Option<(&WorkerHandle<S>, mpsc::Permit<'_, (S, Permit)>)> {
    let mut by_load: Vec<&WorkerHandle<S>> = workers.iter().collect();
    by_load.sort_by_cached_key(|worker| (Arc::strong_count(&worker.load), rand::random::<u32>()));
    for worker in &by_load {
        if let Ok(room) = worker.sockets.try_reserve() {
            return Some((worker, room));
        }
    }
    // All queues are full. The first queue that has a free slot again gets the socket.
    let reserving = by_load.iter().map(|worker| Box::pin(worker.sockets.reserve()));
    let (room, number, _) = select_all(reserving).await;
    Some((by_load[number], room.ok()?))
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;
    use crate::bus::{self, Bus};
    use crate::market::FeedKind;
    use crate::session::Limits;

    #[tokio::test]
    async fn clients_are_spread_evenly_over_workers_in_any_order_of_arrival() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (workers, mut receiver): (Vec<_>, Vec<_>) = (0..2).map(|_| worker_channel()).unzip();
        let mut accepting = JoinSet::new();
        let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "test".to_owned());
        let admission = Admission::new(&Limits::default(), Vec::new(), bus);
        let tcp = Tcp::new(vec![listener], 0);
        accepting.spawn(accept(tcp, workers, admission, stop.clone()));
        let mut clients = Vec::new();
        let mut accepted = [Vec::new(), Vec::new()];

        for _ in 0..50 {
            // Busy and quiet clients connect in turn.
            for is_busy in [true, false] {
                clients.push(TcpStream::connect(address).await.unwrap());
                let [left, right] = receiver.as_mut_slice() else { unreachable!() };
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

    #[tokio::test]
    async fn connections_to_several_sockets_are_accepted_in_turn() {
        let (mut listeners, mut clients) = (Vec::new(), Vec::new());
        for count in [20, 2, 1] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            for _ in 0..count {
                clients.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            }
            listeners.push(listener);
        }
        let ports: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let mut tcp = Tcp::new(listeners, 0);

        let mut accepted = Vec::new();
        for _ in 0..clients.len() {
            let (socket, _) = tcp.accept().await.unwrap();
            let port = socket.local_addr().unwrap().port();
            accepted.push(ports.iter().position(|own| *own == port).unwrap());
        }

        // The sockets take turns, so the few clients of the second and third socket are accepted early.
        let last = |socket| accepted.iter().rposition(|found| *found == socket).unwrap();
        assert!(last(1) < 6 && last(2) < 3, "{accepted:?}");
    }

    #[tokio::test]
    async fn a_worker_that_takes_no_sockets_does_not_block_new_clients() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ((stalled, _standing_still), (good, mut taking)) = (worker_channel(), worker_channel());
        let mut accepting = JoinSet::new();
        let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "test".to_owned());
        let admission = Admission::new(&Limits::default(), Vec::new(), bus);
        let tcp = Tcp::new(vec![listener], 0);
        accepting.spawn(accept(tcp, vec![stalled, good], admission, stop.clone()));

        let clients = async {
            let mut clients = Vec::new();
            for _ in 0..3 * WAITING_SOCKETS {
                clients.push(TcpStream::connect(address).await.unwrap());
            }
            clients
        };
        let served = async {
            let mut served = Vec::new();
            while served.len() < 2 * WAITING_SOCKETS {
                served.push(taking.recv().await.unwrap());
            }
        };

        let all = time::timeout(Duration::from_secs(20), async { tokio::join!(clients, served) }).await;
        assert!(all.is_ok(), "the other worker gets the sockets that the stuck one does not take");
        stop.cancel();
        accepting.join_all().await;
    }
}
