//! A worker: it answers the requests of the sockets that it is handed, and runs the sessions that come of them.
//!
//! Whatever happens on a connection ends there, a panic too.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::select;
use tokio::sync::mpsc;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};
use warp::filters::BoxedFilter;

use super::accept::{Accepted, Arriving};
use super::admission::Place;
use super::patient::Patient;
use super::{Config, routes};
use crate::hub::Socket;
use crate::session::{Host, Session, unless_zero};
use crate::tally::{Limit, Tally};

/// Without a limit of ours a request may have so many headers: there is room for them in every request.
const MAX_HEADERS: usize = 10_000;

/// The least and the most room that the HTTP library takes for what comes in.
const BUFFER: (usize, usize) = (8 * 1024, 16 * 1024 * 1024);

/// TLS holds so many bytes for a client that the network does not take: one record.
const ENCRYPTED: usize = 16 * 1024;

/// A worker: it serves the sockets that it is handed.
pub struct Worker {
    /// What its sessions share.
    pub host: Rc<Host>,
    /// What it answers.
    pub routes: BoxedFilter<(warp::reply::Response,)>,
    /// How it serves.
    pub config: Config,
    /// What makes TLS of a socket, where clients are to speak it.
    pub tls: Option<TlsAcceptor>,
}

impl Worker {
    /// Serves until `stop` fires and every client has been told, but not for longer than a shutdown may take.
    pub async fn run<S: Arriving>(self, mut sockets: mpsc::Receiver<Accepted<S>>, stop: CancellationToken) {
        let worker = Rc::new(self);
        let tasks = TaskTracker::new();
        loop {
            let accepted = select! {
                biased;
                () = stop.cancelled() => break,
                accepted = sockets.recv() => accepted,
            };
            let Some(Accepted { socket, place, load }) = accepted else { break };
            let socket = match socket.arrive() {
                Ok(socket) => socket,
                Err(error) => {
                    warn!(%error, "cannot serve a connection");
                    continue;
                }
            };
            let here = Rc::clone(&worker);
            let stop = stop.clone();
            let sessions = tasks.clone();
            tasks.spawn_local(async move {
                let place = Rc::new(RefCell::new(place));
                let serving = here.serve(socket, Rc::clone(&place), &stop);
                let Some(mut session) = contained(serving, here.tally()).await.flatten() else { return };
                // A task of its own: it is smaller than one that has served requests.
                sessions.spawn_local(async move {
                    let reason = contained(session.run(stop), here.tally()).await;
                    debug!(?reason, "a client is gone");
                    drop((session, place, load));
                });
            });
        }
        tasks.close();
        if time::timeout(unless_zero(worker.config.shutdown), tasks.wait()).await.is_err() {
            warn!(connections = tasks.len(), "clients did not close in time");
            (0..tasks.len()).for_each(|_| worker.tally().struck(Limit::Shutdown));
        }
    }

    fn tally(&self) -> &Tally {
        self.host.relay.tally()
    }

    /// Serves one connection until it ends or becomes a session.
    async fn serve(
        &self,
        socket: Socket,
        place: Rc<RefCell<Place>>,
        stop: &CancellationToken,
    ) -> Option<Session> {
        let socket = match &self.tls {
            Some(tls) => self.encrypted(socket, tls, stop).await?,
            None => socket,
        };
        self.requests(socket, place, stop).await
    }

    /// The TLS handshake.
    async fn encrypted(&self, socket: Socket, tls: &TlsAcceptor, stop: &CancellationToken) -> Option<Socket> {
        let handshake = time::timeout(unless_zero(self.config.tls_timeout), tls.accept(socket));
        let shaken = select! {
            biased;
            () = stop.cancelled() => return None,
            shaken = handshake => shaken,
        };
        match shaken {
            Ok(Ok(mut stream)) => {
                stream.get_mut().1.set_buffer_limit(Some(ENCRYPTED));
                Some(Socket::Other(Box::new(stream)))
            }
            Ok(Err(error)) => {
                debug!(%error, "a TLS handshake came to nothing");
                None
            }
            Err(_) => {
                self.tally().struck(Limit::TlsTimeout);
                None
            }
        }
    }

    /// The requests of one connection, until it ends or becomes a session.
    async fn requests(
        &self,
        socket: Socket,
        place: Rc<RefCell<Place>>,
        stop: &CancellationToken,
    ) -> Option<Session> {
        let (sender, mut accepted) = mpsc::channel(1);
        let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
        let has_asked = Rc::new(Cell::new(false));
        let asked = Rc::clone(&has_asked);
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            asked.set(true);
            let version = request.version();
            place.borrow_mut().forwarded(request.headers());
            let over = place.borrow().over();
            request.extensions_mut().insert(routes::Request { version, over });
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
        let socket = TokioIo::new(Patient::new(socket, unless_zero(self.config.header_timeout)));
        let mut connection = Box::pin(self.http().serve_connection(socket, service).with_upgrades());
        let served = select! {
            biased;
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let limit = unless_zero(self.host.config.close_timeout);
                time::timeout(limit, &mut connection).await.unwrap_or(Ok(()))
            }
            served = &mut connection => served,
        };
        // The other end of a handshake that failed: the upgrade waits for as long as it is there.
        drop(connection);
        if let Err(error) = served {
            debug!(%error, "a connection ended");
            if let Some(limit) = limit(&error, has_asked.get()) {
                self.tally().struck(limit);
            }
        }
        let routes::Upgrade { socket, stream, access } = accepted.try_recv().ok()?;
        let upgraded = socket.await.inspect_err(|error| debug!(%error, "an upgrade came to nothing")).ok()?;
        let parts = upgraded.downcast::<TokioIo<Patient>>().expect("it is the socket that it was");
        let socket = parts.io.into_inner().into_inner();
        Some(Session::new(socket, &parts.read_buf, &stream, access, Rc::clone(&self.host)))
    }

    fn http(&self) -> http1::Builder {
        let limit = |limit: usize, off| if limit == 0 { off } else { limit };
        let header_bytes = limit(self.config.max_header_bytes, BUFFER.1);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Some(self.config.header_timeout).filter(|limit: &Duration| !limit.is_zero()))
            .max_headers(limit(self.config.max_headers, MAX_HEADERS))
            .max_header_size(header_bytes)
            .max_buf_size(header_bytes.max(BUFFER.0));
        http
    }
}

/// Runs a connection's future; a panic in it ends that alone.
async fn contained<T>(future: impl Future<Output = T>, tally: &Tally) -> Option<T> {
    let outcome = AssertUnwindSafe(future).catch_unwind().await;
    outcome
        .inspect_err(|_| {
            tally.panics.inc();
            error!("a connection has ended in a fault of the server's");
        })
        .ok()
}

/// The limit for which a connection ended. One that has asked something and then asks no more is over none.
fn limit(error: &hyper::Error, has_asked: bool) -> Option<Limit> {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    let was_stuck = cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut);
    if error.is_timeout() && !has_asked || was_stuck {
        Some(Limit::HeaderTimeout)
    } else if error.is_parse_too_large() {
        Some(Limit::Headers)
    } else {
        None
    }
}
