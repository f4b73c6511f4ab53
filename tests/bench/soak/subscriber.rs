//! A well-behaved client that reads at a given pace. Whenever its connection ends, the client connects again
//! and resumes with its cursor.

use std::time::{Duration, Instant};

use mio::Token;
use tickerplant::market::Time;

use crate::connection::{Connection, End, Received};
use crate::fleet::FleetContext;
use crate::results::increment;
use crate::stream_checker::{Delivery, StreamChecker, Subscription};
use crate::websocket::{TEXT, frame, request};

/// The kernel's receive buffer of a slow reader, in bytes.
const SMALL_RECEIVE_BUFFER: usize = 16 * 1024;

/// How long a client waits before it connects again.
const PAUSE: Duration = Duration::from_millis(100);

/// How fast a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Reads everything as soon as it arrives.
    Prompt,
    /// Reads at most this many bytes, ten times a second.
    Slow(usize),
    /// Reads nothing for four seconds, then everything for one second.
    Pauses,
    /// Reads nothing.
    NeverReads,
}

#[derive(Debug)]
pub struct Subscriber {
    token: Token,
    pace: Pace,
    checker: StreamChecker,
    connection: Option<Connection>,
    alarm: Option<Instant>,
    /// When the current phase of [`Pace::Pauses`] began. A client with this pace reads in one phase and rests
    /// in the next.
    since: Instant,
    is_resting: bool,
    /// The close code of the client's last connection, if the server closed the connection.
    closed: Option<u16>,
}

impl Subscriber {
    /// Creates a client that first connects at the time `begins`.
    pub fn new(token: Token, subscription: Subscription, pace: Pace, begins: Instant) -> Self {
        Self {
            token,
            pace,
            checker: StreamChecker::new(subscription),
            connection: None,
            alarm: Some(begins),
            since: begins,
            is_resting: false,
            closed: None,
        }
    }

    pub fn is_prompt(&self) -> bool {
        self.pace == Pace::Prompt
    }

    /// Returns whether the client is slow and has `delivery=every`. For a slow client with `delivery=every`,
    /// the server may have to keep a full buffer of unsent frames.
    pub fn is_slow_every(&self) -> bool {
        !self.is_prompt() && self.checker.subscription.delivery == Delivery::Every
    }

    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Returns whether the client is connected and has received the events that it missed, or snapshots in
    /// their place.
    pub fn is_caught_up(&self) -> bool {
        self.is_connected() && self.checker.is_caught_up()
    }

    /// Returns whether the client got exactly as many events as were published.
    pub fn is_exact(&self) -> bool {
        self.checker.is_exact()
    }

    /// Returns the close code of the client's last connection, if the server closed the connection.
    pub fn closed(&self) -> Option<u16> {
        self.closed
    }

    /// Returns the time of the client's next action.
    pub fn alarm(&self) -> Option<Instant> {
        self.alarm
    }

    /// Cuts the connection. The client connects again at the time `back`.
    pub fn cut(&mut self, back: Instant, context: &mut FleetContext) {
        if let Some(connection) = self.connection.take() {
            connection.cut();
            self.checker.end(&mut context.observations);
            increment(&mut context.observations.results.ends, "cut by the client");
        }
        self.alarm = Some(back);
    }

    /// Sends a command whose answer shows that the client has caught up.
    pub fn ask_whether_caught_up(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.send(&frame(TEXT, self.checker.subscription.delivery.command().as_bytes()));
        }
    }

    /// Compares the client's counts with the number of published events.
    pub fn compare_counts(&mut self, context: &mut FleetContext) {
        self.checker.compare_counts(&mut context.observations);
    }

    /// Handles a socket that has become readable or writable.
    pub fn on_ready(&mut self, context: &mut FleetContext) {
        if let Some(connection) = &mut self.connection {
            connection.flush();
        }
        if self.is_prompt() {
            self.read(usize::MAX, context);
        }
    }

    /// Performs the client's next action.
    pub fn on_alarm(&mut self, context: &mut FleetContext, now: Instant) {
        self.alarm = None;
        if self.connection.is_none() {
            self.connect(context, now);
        }
        match self.pace {
            Pace::Prompt | Pace::NeverReads => return,
            Pace::Slow(bytes) => self.read(bytes, context),
            Pace::Pauses => {
                let rest = if self.is_resting { 4 } else { 1 };
                if now.duration_since(self.since) >= Duration::from_secs(rest) {
                    self.is_resting = !self.is_resting;
                    self.since = now;
                }
                if !self.is_resting {
                    self.read(usize::MAX, context);
                }
            }
        }
        self.alarm.get_or_insert(now + Duration::from_millis(100));
    }

    fn connect(&mut self, context: &mut FleetContext, now: Instant) {
        if context.is_ending {
            return;
        }
        let receive_buffer =
            matches!(self.pace, Pace::Slow(_) | Pace::NeverReads).then_some(SMALL_RECEIVE_BUFFER);
        match Connection::open(context.address, receive_buffer, &context.registry, self.token) {
            Ok(mut connection) => {
                connection.send(request(context.address, &self.checker.query()).as_bytes());
                self.checker.begin();
                self.closed = None;
                self.connection = Some(connection);
            }
            Err(error) => {
                increment(&mut context.observations.results.ends, format_args!("cannot connect: {error}"));
                self.alarm = Some(now + PAUSE);
            }
        }
    }

    fn read(&mut self, most: usize, context: &mut FleetContext) {
        let Some(connection) = &mut self.connection else { return };
        let now = Time::now();
        let (checker, observations) = (&mut self.checker, &mut context.observations);
        let mut has_to_ask = false;
        let end = connection.read(&mut context.buffer, most, |received| match received {
            Received::Text(payload) => has_to_ask |= checker.on_frame(payload, now, observations),
            Received::Ping => observations.results.pings += 1,
            Received::Open => {}
            Received::Other => {
                observations.results.record_violation("unexpected frame", "neither a text nor a ping");
            }
        });
        match end {
            Some(end) => self.end(&end, context),
            None if has_to_ask => self.ask_whether_caught_up(),
            None => {}
        }
    }

    fn end(&mut self, end: &End, context: &mut FleetContext) {
        self.connection = None;
        let results = &mut context.observations.results;
        let who = if self.is_prompt() { "" } else { "slow: " };
        increment(&mut results.ends, format_args!("{who}{end}"));
        match end {
            End::Closed(1001, _) if context.is_ending => {}
            End::Closed(4008, cursor) => self.checker.closed_as_slow_consumer(cursor, results),
            // A slow reader may lose its connection.
            End::Closed(..) | End::Broken(_) | End::Eof if !self.is_prompt() => {}
            _ => results.record_violation("a well-behaved client lost its connection", end),
        }
        if let End::Closed(code, _) = end {
            self.closed = Some(*code);
        }
        self.checker.end(&mut context.observations);
        self.alarm = Some(Instant::now() + PAUSE);
    }
}

impl Delivery {
    /// Returns a command that changes nothing. The server's answer to this command arrives after all pending
    /// frames.
    const fn command(self) -> &'static str {
        match self {
            Self::Every => r#"{"action":"set","delivery":"every"}"#,
            Self::Latest(_) => r#"{"action":"set","delivery":"latest"}"#,
        }
    }
}
