//! Limits how long the server waits for the next request of a connection.
//!
//! The HTTP library asks for a timer when it begins to wait for a request. The headers of the first request
//! must arrive within `server.header_timeout`. Before each further request, the connection may stay idle for
//! at most `server.keep_alive`. After the first byte of a further request, the headers of this request must
//! arrive within `server.header_timeout`.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt;
use tokio::time::{Sleep, sleep};

use crate::session::unless_zero;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The connection waits for its first request.
    First,
    /// A request has arrived, and the server has yet to send all of the response.
    Answering,
    /// The connection waits for a further request, and no byte of this request has arrived.
    Idle,
    /// The connection waits for the rest of a further request.
    Reading,
}

/// The phase of a connection. The socket, the timer and the task of the connection share this value. The
/// socket, the timer and the task run on one thread, so the lock is never contended.
#[derive(Debug)]
pub struct ConnectionPhase {
    phase: Mutex<Phase>,
    /// Whether the client has not yet accepted all bytes of the responses so far.
    is_blocked: AtomicBool,
}

/// Creates the timers of a connection for the HTTP library.
#[derive(Debug)]
pub struct RequestTimer {
    /// The phase of the connection.
    pub phase: Arc<ConnectionPhase>,
    /// The time limit for the headers of a request; 0 means no limit.
    pub header_timeout: Duration,
    /// The time limit for an idle connection; 0 means no limit.
    pub keep_alive: Duration,
}

/// The timer that runs while the connection waits for one request.
#[derive(Debug)]
struct RequestSleep {
    phase: Arc<ConnectionPhase>,
    header_timeout: Duration,
    /// Whether the timer measures how long the connection has been idle.
    is_idle: bool,
    sleep: Pin<Box<Sleep>>,
}

impl ConnectionPhase {
    /// Returns the phase of a new connection.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { phase: Mutex::new(Phase::First), is_blocked: AtomicBool::new(false) })
    }

    /// Records in the phase that bytes have arrived.
    pub fn on_bytes(&self) {
        self.change(Phase::Idle, Phase::Reading);
    }

    /// Records in the phase that a request has arrived.
    pub fn on_request(&self) {
        *self.lock() = Phase::Answering;
    }

    /// Returns whether the connection is idle after an earlier request.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self.lock() == Phase::Idle
    }

    /// Returns whether the connection waits for a request.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        *self.lock() != Phase::Answering
    }

    /// Records whether the client has yet to accept bytes of a response.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }

    /// Returns whether the client has yet to accept bytes of a response.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    fn change(&self, from: Phase, to: Phase) {
        let mut phase = self.lock();
        if *phase == from {
            *phase = to;
        }
    }

    fn lock(&self) -> impl std::ops::DerefMut<Target = Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl rt::Timer for RequestTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn rt::Sleep>> {
        // If the next request has arrived in the same packet, the connection also counts as idle until more
        // bytes arrive.
        self.phase.change(Phase::Answering, Phase::Idle);
        let is_idle = self.phase.is_idle();
        let limit = if is_idle { self.keep_alive } else { self.header_timeout };
        Box::pin(RequestSleep {
            phase: Arc::clone(&self.phase),
            header_timeout: self.header_timeout,
            is_idle,
            sleep: Box::pin(sleep(unless_zero(limit))),
        })
    }

    /// Returns the timer for a request. Ignores the deadline that the HTTP library passes, because the
    /// library has no separate limit for idle connections.
    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(Duration::ZERO)
    }
}

impl Future for RequestSleep {
    type Output = ();

    /// When the first byte of a further request has arrived, restarts the timer with the limit for headers.
    /// The HTTP library polls the timer after each read of the socket, so the timer notices this byte.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_idle && !self.phase.is_idle() {
            self.is_idle = false;
            let limit = unless_zero(self.header_timeout);
            self.sleep.set(sleep(limit));
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl rt::Sleep for RequestSleep {}
