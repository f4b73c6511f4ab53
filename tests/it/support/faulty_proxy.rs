//! A TCP proxy that imitates network faults.
//!
//! The proxy forwards bytes in both directions. A test can set a [`Fault`], which applies to all open and all
//! later connections.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio::{select, try_join};

/// The size of the receive buffer for the server's data, in bytes. The buffer is small, so that the server
/// soon notices when the proxy stops reading.
const ROOM: u32 = 16 * 1024;

/// While the proxy delays data, it stores at most this many pieces of data in each direction. A piece is the
/// result of one read.
const PIECES: usize = 1024;

/// The fault that the proxy imitates on all its connections.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Forwards everything.
    None,
    /// Delays all bytes by this duration.
    Delay(Duration),
    /// Forwards at most this many bytes at a time, with this pause between two writes.
    Drip(usize, Duration),
    /// Neither reads nor forwards any bytes. The connection still seems open to the client and to the server.
    Silence,
    /// Ends the stream from the client to the server. Still forwards bytes from the server to the client.
    HalfClose,
    /// Resets both ends.
    Reset,
}

/// A proxy in front of a server.
pub struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    _running: JoinSet<()>,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, faults) = watch::channel(Fault::None);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                select! {
                    accepted = listener.accept() => {
                        connections.spawn(carry(accepted.unwrap().0, server, faults.clone()));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, fault, _running: running }
    }

    /// Returns the address to which clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the fault that the proxy imitates on all connections from now on.
    pub fn strike(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

/// Forwards one connection until both ends have closed it, or until it breaks.
async fn carry(mut client: TcpStream, server: SocketAddr, faults: watch::Receiver<Fault>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(ROOM).unwrap();
    let Ok(mut server) = socket.connect(server).await else { return };
    // Disables Nagle's algorithm, so that TCP does not join small pieces. If one end resets its connection,
    // the proxy resets both.
    let is_whole = [&client, &server].iter().all(|socket| socket.set_nodelay(true).is_ok())
        && exchange(&mut client, &mut server, faults).await.is_ok();
    if !is_whole {
        for socket in [client, server] {
            let _: io::Result<()> = socket.set_zero_linger();
        }
    }
}

async fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mut faults: watch::Receiver<Fault>,
) -> io::Result<()> {
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let mut up = Way::new(from_client, to_server);
    let mut down = Way::new(from_server, to_client);
    loop {
        let fault = *faults.borrow_and_update();
        let pass = async {
            match fault {
                Fault::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
                Fault::Silence => match pending::<Infallible>().await {},
                Fault::HalfClose => up.is_at_end = true,
                Fault::None | Fault::Delay(_) | Fault::Drip(..) => {}
            }
            try_join!(up.pass(fault), down.pass(fault)).map(|_| ())
        };
        select! {
            passed = pass => return passed,
            Ok(()) = faults.changed() => {}
        }
    }
}

/// One direction of a connection through the proxy. If the fault changes, bytes that were read but not yet
/// forwarded are kept.
struct Way<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    waiting: VecDeque<(Instant, Vec<u8>)>,
    is_at_end: bool,
    is_shut: bool,
}

impl<'a> Way<'a> {
    fn new(from: ReadHalf<'a>, to: WriteHalf<'a>) -> Self {
        Self { from, to, waiting: VecDeque::new(), is_at_end: false, is_shut: false }
    }

    /// Forwards bytes as `fault` demands, until the end of the stream.
    async fn pass(&mut self, fault: Fault) -> io::Result<()> {
        let (most, pause, delay, pieces) = match fault {
            Fault::Delay(delay) => (usize::MAX, Duration::ZERO, delay, PIECES),
            Fault::Drip(bytes, pause) => (bytes, pause, Duration::ZERO, 1),
            _ => (usize::MAX, Duration::ZERO, Duration::ZERO, 1),
        };
        let mut bytes = vec![0; 4096];
        let mut rested = Instant::now();
        loop {
            let due = self.waiting.front().map(|(read, _)| rested.max(*read + delay));
            select! {
                count = self.from.read(&mut bytes), if !self.is_at_end && self.waiting.len() < pieces => {
                    let piece = &bytes[..count?];
                    self.is_at_end = piece.is_empty();
                    if !piece.is_empty() {
                        self.waiting.push_back((Instant::now(), piece.to_vec()));
                    }
                }
                () = reach(due.unwrap_or(rested)), if due.is_some() => {
                    self.write(most).await?;
                    rested = Instant::now() + pause;
                }
                else => break,
            }
        }
        if !self.is_shut {
            self.is_shut = true;
            self.to.shutdown().await?;
        }
        Ok(())
    }

    async fn write(&mut self, most: usize) -> io::Result<()> {
        let Some((_, piece)) = self.waiting.front_mut() else { return Ok(()) };
        let count = self.to.write(&piece[..piece.len().min(most)]).await?;
        piece.drain(..count);
        if piece.is_empty() {
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Sleeps until the time `due`. If `due` has passed, returns without a timer, because a timer may round up to
/// a later time.
async fn reach(due: Instant) {
    if due > Instant::now() {
        sleep_until(due).await;
    }
}
