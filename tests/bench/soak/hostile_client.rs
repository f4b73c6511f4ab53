//! A hostile client tries one attack after the other, and counts the outcomes.

use std::fmt;
use std::time::{Duration, Instant};

use mio::Token;

use crate::connection::{Connection, End, Received};
use crate::fleet::FleetContext;
use crate::results::increment;
use crate::websocket::{PING, TEXT, frame, part, request};

/// The duration of each attack, except the attack that reads nothing.
const ATTACK_TIME: Duration = Duration::from_secs(15);

/// The duration of the attack that reads nothing. The server should close the attacker's connection before
/// this time ends.
const NO_READ_TIME: Duration = Duration::from_secs(45);

/// At the end of the attack `NeverReads`, the client does read for this long, to learn the outcome.
const FINAL_READ_TIME: Duration = Duration::from_secs(2);

/// How long the client waits before it connects again.
const PAUSE: Duration = Duration::from_millis(100);

/// The time between two actions of an attack.
const INTERVAL: Duration = Duration::from_millis(50);

/// If this many bytes or more wait to be sent, the client skips its next action.
const MAX_UNSENT: usize = 256 * 1024;

/// The opcode of each fragment of a message, except the first fragment.
const CONTINUATION: u8 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attack {
    /// Sends random bytes after the handshake.
    Garbage,
    /// Sends a message over the size limit.
    Oversize,
    /// Sends 2,000 pings a second.
    Pings,
    /// Sends 1,000 commands a second.
    Commands,
    /// Sends 200 messages a second, which the server relays.
    Messages,
    /// Resets each connection as soon as it is open.
    Churn,
    /// Sends half a handshake and then nothing.
    HalfOpen,
    /// Sends an invalid handshake byte by byte, without end.
    Slowloris,
    /// Sends endless fragments of one message.
    Parts,
    /// Sends the beginning of a message and never its end.
    Unfinished,
    /// Sends a text that is not UTF-8.
    BadText,
    /// Subscribes to all symbols and reads nothing.
    NeverReads,
    /// Sends HTTP requests without waiting for the responses.
    Pages,
}

const ALL: [Attack; 13] = [
    Attack::Garbage,
    Attack::Oversize,
    Attack::Pings,
    Attack::Commands,
    Attack::Messages,
    Attack::Churn,
    Attack::HalfOpen,
    Attack::Slowloris,
    Attack::Parts,
    Attack::Unfinished,
    Attack::BadText,
    Attack::NeverReads,
    Attack::Pages,
];

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Garbage => "garbage",
            Self::Oversize => "oversize",
            Self::Pings => "pings",
            Self::Commands => "commands",
            Self::Messages => "messages",
            Self::Churn => "churn",
            Self::HalfOpen => "half-open",
            Self::Slowloris => "slowloris",
            Self::Parts => "parts",
            Self::Unfinished => "unfinished",
            Self::BadText => "bad text",
            Self::NeverReads => "never reads",
            Self::Pages => "pages",
        })
    }
}

#[derive(Debug)]
pub struct HostileClient {
    token: Token,
    attack: Attack,
    connection: Option<Connection>,
    alarm: Instant,
    attack_ends: Instant,
    /// How many actions the client has performed on its present connection.
    acts: usize,
}

impl HostileClient {
    /// Creates a client. `number` selects the first attack.
    pub fn new(token: Token, number: usize, begins: Instant) -> Self {
        let attack = ALL[number % ALL.len()];
        Self { token, attack, connection: None, alarm: begins, attack_ends: begins + attack.time(), acts: 0 }
    }

    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Returns the time of the client's next action.
    pub fn alarm(&self) -> Instant {
        self.alarm
    }

    /// Returns whether the client is connected and reads nothing. For a connected client that reads nothing,
    /// the server may have to keep a full buffer of unsent frames.
    pub fn is_slow_every(&self) -> bool {
        self.attack == Attack::NeverReads && self.is_connected()
    }

    /// Handles a socket that has become readable or writable.
    pub fn on_ready(&mut self, context: &mut FleetContext) {
        if let Some(connection) = &mut self.connection {
            connection.flush();
        }
        if self.reads(Instant::now()) {
            self.read(context);
        }
    }

    fn reads(&self, now: Instant) -> bool {
        self.attack != Attack::NeverReads || now + FINAL_READ_TIME >= self.attack_ends
    }

    fn read(&mut self, context: &mut FleetContext) {
        let Some(connection) = &mut self.connection else { return };
        let results = &mut context.observations.results;
        let attack = self.attack;
        let end = connection.read(&mut context.buffer, usize::MAX, |received| match received {
            Received::Text(payload) => {
                let text = String::from_utf8_lossy(payload);
                if let Some((_, rest)) = text.split_once(r#""code":""#) {
                    let code = rest.split('"').next().unwrap_or("");
                    increment(&mut results.attacks, format_args!("{attack} → {code}"));
                }
            }
            Received::Ping => results.pings += 1,
            Received::Open | Received::Other => {}
        });
        if let Some(end) = end {
            self.leave(&end, context);
            self.alarm = Instant::now() + PAUSE;
        }
    }

    /// Performs the client's next action.
    pub fn on_alarm(&mut self, context: &mut FleetContext, now: Instant) {
        if self.reads(now) {
            self.read(context);
        }
        self.alarm = now + INTERVAL;
        if now >= self.attack_ends {
            if let Some(connection) = self.connection.take() {
                connection.cut();
                increment(
                    &mut context.observations.results.attacks,
                    format_args!("{} → still connected", self.attack),
                );
            }
            let place = ALL.iter().position(|attack| *attack == self.attack).unwrap_or(0);
            self.attack = ALL[(place + 1) % ALL.len()];
            self.attack_ends = now + self.attack.time();
        }
        match &mut self.connection {
            None if !context.is_ending => self.connect(context),
            Some(connection) if self.attack == Attack::Churn => {
                connection.flush();
                if let Some(connection) = self.connection.take() {
                    connection.cut();
                }
                increment(&mut context.observations.results.attacks, format_args!("{} → reset", self.attack));
            }
            Some(connection) if connection.unsent() < MAX_UNSENT => {
                let bytes = self.attack.bytes(self.acts, connection.is_open());
                self.acts += usize::from(!bytes.is_empty());
                connection.send(&bytes);
            }
            _ => {}
        }
    }

    fn connect(&mut self, context: &mut FleetContext) {
        match Connection::open(context.address, None, &context.registry, self.token) {
            Ok(mut connection) => {
                let query = if self.attack == Attack::NeverReads { "symbols=*&delivery=every" } else { "" };
                let whole = request(context.address, query);
                match self.attack {
                    Attack::HalfOpen => connection.send(&whole.as_bytes()[..whole.len() / 2]),
                    Attack::Slowloris => {}
                    Attack::Pages => connection.ignore_answers(),
                    _ => connection.send(whole.as_bytes()),
                }
                self.acts = 0;
                self.connection = Some(connection);
            }
            Err(error) => increment(
                &mut context.observations.results.attacks,
                format_args!("{} → {error}", self.attack),
            ),
        }
    }

    fn leave(&mut self, end: &End, context: &mut FleetContext) {
        increment(&mut context.observations.results.attacks, format_args!("{} → {end}", self.attack));
        if let Some(connection) = self.connection.take() {
            // After an orderly close, the client's port would stay in TIME-WAIT. Many such closes would use
            // up all ports.
            connection.cut();
        }
    }
}

impl Attack {
    /// Returns the duration of the attack.
    const fn time(self) -> Duration {
        if matches!(self, Self::NeverReads) { NO_READ_TIME } else { ATTACK_TIME }
    }

    /// Returns the next bytes of the attack.
    fn bytes(self, acts: usize, is_open: bool) -> Vec<u8> {
        match self {
            Self::Slowloris => b"G".to_vec(),
            Self::Pages => {
                b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    .to_vec()
            }
            _ if !is_open => Vec::new(),
            Self::Garbage => (0..512).map(|_| rand::random()).collect(),
            Self::Oversize => frame(TEXT, &vec![b'x'; 64 * 1024 + 1]),
            Self::Pings => frame(PING, b"there?").repeat(100),
            Self::Commands => frame(TEXT, br#"{"action":"ping"}"#).repeat(50),
            Self::Messages => frame(TEXT, &[b'x'; 200]).repeat(10),
            Self::Parts => {
                let first = if acts == 0 { TEXT } else { CONTINUATION };
                [part(first, b"x"), part(CONTINUATION, b"x").repeat(10)].concat()
            }
            Self::Unfinished if acts == 0 => part(TEXT, b"and then"),
            Self::BadText if acts == 0 => frame(TEXT, &[0xff; 16]),
            _ => Vec::new(),
        }
    }
}
