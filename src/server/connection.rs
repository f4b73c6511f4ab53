//! One connection: its TLS, its requests, and the session that comes of them.
//!
//! Whatever happens on a connection ends there, a panic too.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
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

use super::admission::Permit;
use super::patient::Patient;
use super::stream::{self, Streaming};
use super::{Config, routes};
use crate::counters::{Counters, Limit};
use crate::encoding::Encoding;
use crate::hub::Socket;
use crate::session::{Context, Session, unless_zero};
use crate::task::caught;
use crate::wire::CloseReason;

/// Without a limit of ours a request may have so many headers: there is room for them in every request.
const MAX_HEADERS: usize = 10_000;

/// The least and the most room that the HTTP library takes for what comes in.
const BUFFER: (usize, usize) = (8 * 1024, 16 * 1024 * 1024);

/// TLS holds so many bytes for a client that the network does not take: one record.
const ENCRYPTED: usize = 16 * 1024;

/// What serves the connections of one worker, each in tasks of its own.
pub(super) struct Serving {
    /// What its sessions share.
    context: Rc<Context>,
    /// What it answers.
    routes: BoxedFilter<(warp::reply::Response,)>,
    /// How it serves.
    config: Config,
    /// What makes TLS of a socket, where clients are to speak it.
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Serving {
    /// Returns one without a connection; `stop` ends them all.
    pub(super) fn new(
        context: Rc<Context>,
        routes: BoxedFilter<(warp::reply::Response,)>,
        config: Config,
        tls: Option<TlsAcceptor>,
        stop: CancellationToken,
    ) -> Self {
        Self { context, routes, config, tls, stop, tasks: TaskTracker::new() }
    }

    /// Begins to serve a connection.
    pub(super) fn begin(self: &Rc<Self>, socket: Socket, permit: Permit) {
        let here = Rc::clone(self);
        self.tasks.spawn_local(async move {
            let permit = Rc::new(RefCell::new(permit));
            let serving = here.serve(socket, Rc::clone(&permit));
            if let Some(session) = here.contained(serving).await.flatten() {
                // A task of its own: it is smaller than one that has served requests.
                here.run(session, |_| drop(permit));
            }
        });
    }

    /// Waits until every client has been told of the end, but not for longer than a shutdown may take.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        if time::timeout(unless_zero(self.config.shutdown), self.tasks.wait()).await.is_err() {
            warn!(connections = self.tasks.len(), "clients did not close in time");
            (0..self.tasks.len()).for_each(|_| self.counters().increment(Limit::Shutdown));
        }
    }

    /// Runs a session, and calls `at_end` with the reason for which it ended.
    fn run(self: &Rc<Self>, mut session: Session, at_end: impl FnOnce(Option<CloseReason>) + 'static) {
        let here = Rc::clone(self);
        self.tasks.spawn_local(async move {
            let reason = here.contained(session.run(here.stop.clone())).await;
            debug!(?reason, "a client is gone");
            drop(session);
            at_end(reason);
        });
    }

    /// Runs a connection's future; a panic in it ends that alone.
    fn contained<F: Future>(&self, future: F) -> impl Future<Output = Option<F::Output>> {
        caught(future).map(|outcome| {
            outcome
                .inspect_err(|panic| {
                    self.counters().panics.inc();
                    error!(%panic, "a connection has ended in a fault of the server's");
                })
                .ok()
        })
    }

    fn counters(&self) -> &Counters {
        self.context.relay.counters()
    }

    /// Serves one connection until it ends or becomes a session.
    async fn serve(self: &Rc<Self>, socket: Socket, permit: Rc<RefCell<Permit>>) -> Option<Session> {
        let socket = match &self.tls {
            Some(tls) => self.encrypted(socket, tls).await?,
            None => socket,
        };
        self.requests(socket, permit).await
    }

    /// The TLS handshake.
    async fn encrypted(&self, socket: Socket, tls: &TlsAcceptor) -> Option<Socket> {
        let handshake = time::timeout(unless_zero(self.config.tls_timeout), tls.accept(socket));
        let shaken = select! {
            biased;
            () = self.stop.cancelled() => return None,
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
                self.counters().increment(Limit::TlsTimeout);
                None
            }
        }
    }

    /// The requests of one connection, until it ends or becomes a session.
    async fn requests(self: &Rc<Self>, socket: Socket, permit: Rc<RefCell<Permit>>) -> Option<Session> {
        let (sender, mut accepted) = mpsc::channel(1);
        let socket = Patient::new(socket, unless_zero(self.config.header_timeout));
        let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
        let has_asked = Rc::new(Cell::new(false));
        let (asked, here, while_streaming) = (Rc::clone(&has_asked), Rc::clone(self), socket.patience());
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            asked.set(true);
            let version = request.version();
            permit.borrow_mut().forwarded(request.headers());
            let over = permit.borrow().over();
            request.extensions_mut().insert(routes::Request { version, over });
            let response = routes.call(request);
            let (sender, here, patience) = (sender.clone(), Rc::clone(&here), while_streaming.clone());
            async move {
                let mut response = response.await?;
                if let Some(upgrade) = response.extensions_mut().remove::<routes::Upgrade>() {
                    // A connection is upgraded once.
                    let _ = sender.try_send(upgrade);
                }
                if let Some(streaming) = response.extensions_mut().remove::<Streaming>() {
                    let Streaming { encoding, stream, access } = streaming;
                    // A slow reader is the session's matter for as long as there is one.
                    let suspended = patience.suspend();
                    let (socket, piped) = stream::pipe(response, patience);
                    let context = Rc::clone(&here.context);
                    let session = Session::new(encoding, socket, &[], &stream, access, context);
                    here.run(session, |reason| match reason {
                        Some(CloseReason::Unresponsive) => suspended.give_up(),
                        _ => drop(suspended),
                    });
                    response = piped;
                }
                Ok::<_, Infallible>(response)
            }
        });
        let serving = self.http().serve_connection(TokioIo::new(socket), service);
        let mut connection = Box::pin(serving.with_upgrades());
        let served = select! {
            biased;
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let limit = unless_zero(self.context.config.close_timeout);
                time::timeout(limit, &mut connection).await.unwrap_or(Ok(()))
            }
            served = &mut connection => served,
        };
        // The other end of a handshake that failed: the upgrade waits for as long as it is there.
        drop(connection);
        if let Err(error) = served {
            debug!(%error, "a connection ended");
            if let Some(limit) = limit(&error, has_asked.get()) {
                self.counters().increment(limit);
            }
        }
        let routes::Upgrade { socket, stream, access } = accepted.try_recv().ok()?;
        let upgraded = socket.await.inspect_err(|error| debug!(%error, "an upgrade came to nothing")).ok()?;
        let parts = upgraded.downcast::<TokioIo<Patient>>().expect("it is the socket that it was");
        let socket = parts.io.into_inner().into_inner();
        let context = Rc::clone(&self.context);
        Some(Session::new(Encoding::WebSocket, socket, &parts.read_buf, &stream, access, context))
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
