//! The accept loop: it takes connections in and hands each to the worker with the fewest, of equals to any.
//!
//! No order in which clients come puts the busy ones together. A worker that stands still and takes none keeps nobody out:
//! the others get them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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

/// How long the accept loop rests when the system gives it no socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Sockets that may wait for a worker; where there is no room, another one gets the next.
const HANDOVER: usize = 64;

/// Where connections come from.
pub trait Listener {
    /// A connection on its way to its worker.
    type Socket: Arriving;

    /// Waits for the next connection and prepares it; says whose it is.
    ///
    /// Cancel safe: no connection is lost.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// A connection that has come to the thread which serves it.
pub trait Arriving {
    /// Begins to serve it there.
    ///
    /// # Errors
    ///
    /// The thread cannot watch it.
    fn arrive(self) -> io::Result<Socket>;
}

/// The machine's own network.
#[derive(Debug)]
pub struct Tcp {
    /// What listens.
    pub listener: TcpListener,
    /// Bytes that the kernel takes for a client before they are under way; 0 leaves it to the system.
    pub send_buffer: u32,
}

impl Listener for Tcp {
    type Socket = std::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(std::net::TcpStream, SocketAddr)> {
        loop {
            let (socket, peer) = self.listener.accept().await?;
            match self.prepare(socket) {
                Ok(socket) => return Ok((socket, peer)),
                Err(error) => debug!(%error, "a connection was gone at once"),
            }
        }
    }
}

impl Tcp {
    /// Sets the socket's options and takes it off this thread's reactor.
    fn prepare(&self, socket: TcpStream) -> io::Result<std::net::TcpStream> {
        socket.set_nodelay(true)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.send_buffer > 0 {
            // Not SO_SNDBUF: with a buffer smaller than a segment every write waits for a delayed acknowledgement.
            socket2::SockRef::from(&socket).set_tcp_notsent_lowat(self.send_buffer)?;
        }
        socket.into_std()
    }
}

impl Arriving for std::net::TcpStream {
    fn arrive(self) -> io::Result<Socket> {
        TcpStream::from_std(self).map(Socket::Tcp)
    }
}

/// A worker as the accept loop sees it.
#[derive(Debug)]
pub struct Outlet<S> {
    sockets: mpsc::Sender<(S, Permit)>,
    /// Each permit of a connection that it serves holds one more.
    load: Arc<()>,
}

/// The way of sockets to a worker: the accept loop's end and the worker's.
#[must_use]
pub fn handover<S>() -> (Outlet<S>, mpsc::Receiver<(S, Permit)>) {
    let (sockets, inlet) = mpsc::channel(HANDOVER);
    (Outlet { sockets, load: Arc::default() }, inlet)
}

/// Accepts connections until `stop` fires, or no worker is there to take one.
pub async fn accept<L: Listener>(
    mut listener: L,
    outlets: Vec<Outlet<L::Socket>>,
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
                // The system may be out of descriptors for long: that is told once.
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
        let Some(mut permit) = admission.enter(peer.ip()) else { continue };
        let room = select! {
            biased;
            () = stop.cancelled() => return,
            room = room(&outlets) => room,
        };
        let Some((outlet, room)) = room else { return };
        permit.count_for_worker(&outlet.load);
        room.send((socket, permit));
    }
}

/// Waits for room at a worker: at the one with the fewest connections among those that have room. Returns `None` where no
/// worker is left to wait for.
async fn room<S>(outlets: &[Outlet<S>]) -> Option<(&Outlet<S>, mpsc::Permit<'_, (S, Permit)>)> {
    let mut by_load: Vec<&Outlet<S>> = outlets.iter().collect();
    by_load.sort_by_cached_key(|outlet| (Arc::strong_count(&outlet.load), rand::random::<u32>()));
    for outlet in &by_load {
        if let Ok(room) = outlet.sockets.try_reserve() {
            return Some((outlet, room));
        }
    }
    // Whoever is the first to have some.
    let reserving = by_load.iter().map(|outlet| Box::pin(outlet.sockets.reserve()));
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
    async fn workers_have_as_many_clients_whatever_the_order_in_which_these_come() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (outlets, mut inlets): (Vec<_>, Vec<_>) = (0..2).map(|_| handover()).unzip();
        let mut accepting = JoinSet::new();
        let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "test".to_owned());
        let admission = Admission::new(&Limits::default(), Vec::new(), bus);
        let tcp = Tcp { listener, send_buffer: 0 };
        accepting.spawn(accept(tcp, outlets, admission, stop.clone()));
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

    #[tokio::test]
    async fn a_worker_that_takes_no_sockets_keeps_nobody_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ((stalled, _standing_still), (good, mut taking)) = (handover(), handover());
        let mut accepting = JoinSet::new();
        let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "test".to_owned());
        let admission = Admission::new(&Limits::default(), Vec::new(), bus);
        let tcp = Tcp { listener, send_buffer: 0 };
        accepting.spawn(accept(tcp, vec![stalled, good], admission, stop.clone()));

        let clients = async {
            let mut clients = Vec::new();
            for _ in 0..3 * HANDOVER {
                clients.push(TcpStream::connect(address).await.unwrap());
            }
            clients
        };
        let served = async {
            let mut served = Vec::new();
            while served.len() < 2 * HANDOVER {
                served.push(taking.recv().await.unwrap());
            }
        };

        let all = time::timeout(Duration::from_secs(20), async { tokio::join!(clients, served) }).await;
        assert!(all.is_ok(), "the worker that takes sockets gets those that the other one does not");
        stop.cancel();
        accepting.join_all().await;
    }
}
