//! The connections of one worker: TLS handshakes, HTTP requests, and the sessions of WebSocket and NDJSON
//! clients.
//!
//! Each connection has its own task. If the task of a connection panics, only this connection ends.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Parts};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::select;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};
use warp::filters::BoxedFilter;

use super::Config;
use super::admission::Permit;
use super::answers::Answers;
use super::compression::Coding;
use super::guard::RequestContext;
use super::request_socket::{HeadLimits, RequestSocket};
use super::request_timer::{ConnectionPhase, RequestTimer};
use super::session_response::Departure;
use super::write_timeout::WriteTimeoutSocket;
use crate::counters::{Counters, Limit};
use crate::hub::Socket;
use crate::session::{Context, Session, unless_zero};
use crate::task::catch_panic;

/// The maximum number of headers in a request when `server.max_headers` is 0. A bound is always needed,
/// because the HTTP library reserves memory for this many headers in each request.
const MAX_HEADERS: usize = 10_000;

/// The smallest and the largest allowed size of the HTTP library's read buffer, in bytes.
const READ_BUFFER_BYTES: (usize, usize) = (8 * 1024, 16 * 1024 * 1024);

/// The maximum number of bytes that TLS buffers while the socket accepts no data: the size of one TLS record.
const TLS_BUFFER_BYTES: usize = 16 * 1024;

pub(super) struct Connections {
    /// The state that all sessions of the worker share.
    context: Rc<Context>,
    routes: BoxedFilter<(warp::reply::Response,)>,
    answers: Answers,
    config: Config,
    /// The acceptor that does the TLS handshakes; `None` if TLS is not configured.
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Connections {
    /// Returns an empty set of connections. When `stop` fires, all connections of the set are closed.
    pub(super) fn new(
        context: Rc<Context>,
        routes: BoxedFilter<(warp::reply::Response,)>,
        config: Config,
        tls: Option<TlsAcceptor>,
        stop: CancellationToken,
    ) -> Self {
        let answers = Answers::new(Rc::clone(&context.runner));
        Self { context, routes, answers, config, tls, stop, tasks: TaskTracker::new() }
    }

    /// Serves a connection in its own task.
    pub(super) fn serve(self: &Rc<Self>, socket: Socket, permit: Permit) {
        let here = Rc::clone(self);
        self.tasks.spawn_local(async move {
            let permit = Rc::new(RefCell::new(permit));
            let serving = here.serve_one(socket, Rc::clone(&permit));
            if let Some(session) = here.catch_panic_of(serving).await.flatten() {
                // The session runs in a new task, because the task that served the requests uses more memory.
                here.run_session(session, permit);
            }
        });
    }

    /// Waits until all connections are closed, but no longer than `server.shutdown`.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        if time::timeout(unless_zero(self.config.shutdown), self.tasks.wait()).await.is_err() {
            warn!(connections = self.tasks.len(), "clients did not close in time");
            (0..self.tasks.len()).for_each(|_| self.counters().increment(Limit::Shutdown));
        }
    }

    /// Runs a session in its own task. The permit of the connection is dropped when the session has ended.
    fn run_session(self: &Rc<Self>, mut session: Session, permit: Rc<RefCell<Permit>>) {
        let here = Rc::clone(self);
        self.tasks.spawn_local(async move {
            let reason = here.catch_panic_of(session.run()).await;
            debug!(?reason, "a session has ended");
            drop(session);
            drop(permit);
        });
    }

    /// Runs a future that serves a connection. If the future panics, counts and logs the panic, and returns
    /// `None`.
    fn catch_panic_of<F: Future>(&self, future: F) -> impl Future<Output = Option<F::Output>> {
        catch_panic(future).map(|outcome| {
            outcome
                .inspect_err(|panic| {
                    self.counters().panics.inc();
                    error!(%panic, "a connection has ended in a panic");
                })
                .ok()
        })
    }

    fn counters(&self) -> &Counters {
        self.context.relay.counters()
    }

    /// Serves one connection. Returns a session if a request began a session.
    async fn serve_one(self: &Rc<Self>, socket: Socket, permit: Rc<RefCell<Permit>>) -> Option<Session> {
        let socket = match &self.tls {
            Some(tls) => self.tls_handshake(socket, tls).await?,
            None => socket,
        };
        self.serve_requests(socket, permit).await
    }

    /// Does the TLS handshake and returns the encrypted socket. Returns `None` if the handshake fails or
    /// takes too long, or if the server stops.
    async fn tls_handshake(&self, socket: Socket, tls: &TlsAcceptor) -> Option<Socket> {
        let handshake = time::timeout(unless_zero(self.config.tls_timeout), tls.accept(socket));
        let shaken = select! {
            biased;
            () = self.stop.cancelled() => return None,
            shaken = handshake => shaken,
        };
        match shaken {
            Ok(Ok(mut stream)) => {
                stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER_BYTES));
                Some(Socket::Other(Box::new(stream)))
            }
            Ok(Err(error)) => {
                debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                self.counters().increment(Limit::TlsTimeout);
                None
            }
        }
    }

    /// Answers the HTTP requests of one connection. Returns a session if a request began a session.
    async fn serve_requests(self: &Rc<Self>, socket: Socket, permit: Rc<RefCell<Permit>>) -> Option<Session> {
        let socket = WriteTimeoutSocket::new(socket, unless_zero(self.config.header_timeout));
        let phase = ConnectionPhase::new();
        let socket = RequestSocket::new(socket, Arc::clone(&phase), self.head_limits());
        let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
        let departure = Rc::new(RefCell::new(None));
        let (asked, departing, here) = (Arc::clone(&phase), Rc::clone(&departure), Rc::clone(self));
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            asked.on_request();
            let (version, uri) = (request.version(), request.uri().clone());
            permit.borrow_mut().forwarded(request.headers());
            let (exceeded, client) = (permit.borrow().exceeded(), permit.borrow().client());
            request.extensions_mut().insert(RequestContext { version, uri, exceeded, client });
            let coding = Coding::of(request.headers());
            let (response, departing, here) = (routes.call(request), Rc::clone(&departing), Rc::clone(&here));
            async move {
                let mut response = here.answers.complete(response.await?, coding).await;
                if let Some(departure) = Departure::take(&mut response) {
                    departing.replace(Some(departure));
                    // The library waits in vain for the response that has left it, until the library is dropped.
                    pending::<()>().await;
                }
                if exceeded.is_some() {
                    // The server closes a connection over a limit after one response.
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = Box::new(self.http(&phase).serve_connection(TokioIo::new(socket), service));
        let serving = poll_fn(|cx| {
            let served = Pin::new(&mut *connection).poll(cx);
            // If earlier responses are not completely written, the departure waits for them.
            if served.is_pending() && !phase.is_blocked() && departure.borrow().is_some() {
                return Poll::Ready(Ok(()));
            }
            served
        });
        let served = select! {
            biased;
            () = self.stop.cancelled() => None,
            served = serving => Some(served),
        };
        let served = if let Some(served) = served {
            served
        } else {
            Pin::new(&mut *connection).graceful_shutdown();
            let limit = unless_zero(self.context.config.close_timeout);
            time::timeout(limit, &mut *connection).await.unwrap_or(Ok(()))
        };
        if let Err(error) = served {
            debug!(%error, "a connection ended");
            if let Some(limit) = exceeded_limit(&error, phase.is_idle()) {
                self.counters().increment(limit);
            }
            return None;
        }
        let Departure { head, start } = departure.take()?;
        let Parts { io, read_buf, .. } = connection.into_parts();
        let socket = io.into_inner().into_inner().into_inner();
        Some(Session::new(start, socket, &head, &read_buf, Rc::clone(&self.context)))
    }

    /// Returns the settings of the HTTP library for one connection.
    fn http(&self, phase: &Arc<ConnectionPhase>) -> http1::Builder {
        let Config { header_timeout, keep_alive, .. } = self.config;
        let HeadLimits { headers, bytes } = self.head_limits();
        let mut http = http1::Builder::new();
        http.timer(RequestTimer { phase: Arc::clone(phase), header_timeout, keep_alive })
            // `RequestTimer` ignores this value, but the library uses the timer only if a timeout is set.
            .header_read_timeout(Duration::ZERO)
            // A client may close its sending half after a request, e.g. `nc -N`. It still gets its answer.
            .half_close(true)
            .max_headers(headers)
            .max_header_size(bytes)
            .max_buf_size(bytes.max(READ_BUFFER_BYTES.0));
        http
    }

    fn head_limits(&self) -> HeadLimits {
        let limit = |limit: usize, off| if limit == 0 { off } else { limit };
        HeadLimits {
            headers: limit(self.config.max_headers, MAX_HEADERS),
            bytes: limit(self.config.max_header_bytes, READ_BUFFER_BYTES.1),
        }
    }
}

/// Returns the limit that caused the end of a connection, if any. The timeout of an idle connection does not
/// count as an exceeded limit.
fn exceeded_limit(error: &hyper::Error, is_idle: bool) -> Option<Limit> {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    let was_stuck = cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut);
    if error.is_timeout() && !is_idle || was_stuck {
        Some(Limit::HeaderTimeout)
    } else if error.is_parse_too_large() {
        Some(Limit::Headers)
    } else {
        None
    }
}
