//! A client that means no good. It tries one thing after the other, and notes what came of each.

use std::fmt;
use std::time::{Duration, Instant};

use mio::Token;

use crate::fleet::World;
use crate::link::{Came, End, Link, PING};
use crate::tally::count;
use crate::websocket::{TEXT, frame, part, request};

/// How long it tries one thing.
const TURN: Duration = Duration::from_secs(15);

/// How long it reads nothing, which is longer than a server should put up with.
const DEAF: Duration = Duration::from_secs(45);

/// At its end it reads for so long, to see what came of it.
const HEARS: Duration = Duration::from_secs(2);

/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(100);

/// How often it does what it does.
const BEAT: Duration = Duration::from_millis(50);

/// What it has not got rid of, in bytes, before it waits.
const FULL: usize = 256 * 1024;

/// The opcode of a message's later parts.
const CONTINUATION: u8 = 0;

/// What it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Abuse {
    /// Bytes without sense behind the handshake.
    Garbage,
    /// A message over the limit.
    Oversize,
    /// 2,000 pings a second.
    Pings,
    /// 1,000 commands a second.
    Commands,
    /// 200 messages for all others a second.
    Messages,
    /// Connections that are reset as soon as they are there.
    Churn,
    /// Half a handshake, and silence.
    HalfOpen,
    /// A handshake that comes byte by byte, and never makes sense.
    Slowloris,
    /// A message in parts without end.
    Parts,
    /// A message whose end never comes.
    Unfinished,
    /// Text that is not UTF-8.
    BadText,
    /// Asks for everything and reads nothing.
    Deaf,
    /// Requests for pages, without waiting for the answers.
    Pages,
}

const ALL: [Abuse; 13] = [
    Abuse::Garbage,
    Abuse::Oversize,
    Abuse::Pings,
    Abuse::Commands,
    Abuse::Messages,
    Abuse::Churn,
    Abuse::HalfOpen,
    Abuse::Slowloris,
    Abuse::Parts,
    Abuse::Unfinished,
    Abuse::BadText,
    Abuse::Deaf,
    Abuse::Pages,
];

impl fmt::Display for Abuse {
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
            Self::Deaf => "deaf",
            Self::Pages => "pages",
        })
    }
}

/// A client that means no good.
#[derive(Debug)]
pub struct Abuser {
    token: Token,
    abuse: Abuse,
    link: Option<Link>,
    alarm: Instant,
    turn_ends: Instant,
    /// What it has done on this connection.
    acts: usize,
}

impl Abuser {
    /// The abuser with this number; each begins with something else.
    pub fn new(token: Token, number: usize, begins: Instant) -> Self {
        let abuse = ALL[number % ALL.len()];
        Self { token, abuse, link: None, alarm: begins, turn_ends: begins + abuse.turn(), acts: 0 }
    }

    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// When it does something by itself.
    pub fn alarm(&self) -> Instant {
        self.alarm
    }

    /// Whether it fills the buffer that it has at the server.
    pub fn is_slow_every(&self) -> bool {
        self.abuse == Abuse::Deaf && self.is_connected()
    }

    /// The socket has something, or room.
    pub fn ready(&mut self, world: &mut World) {
        if let Some(link) = &mut self.link {
            link.flush();
        }
        if self.hears(Instant::now()) {
            self.read(world);
        }
    }

    fn hears(&self, now: Instant) -> bool {
        self.abuse != Abuse::Deaf || now + HEARS >= self.turn_ends
    }

    fn read(&mut self, world: &mut World) {
        let Some(link) = &mut self.link else { return };
        let tally = &mut world.notes.tally;
        let abuse = self.abuse;
        let end = link.read(&mut world.buffer, usize::MAX, |came| match came {
            Came::Text(payload) => {
                let text = String::from_utf8_lossy(payload);
                if let Some((_, rest)) = text.split_once(r#""code":""#) {
                    let code = rest.split('"').next().unwrap_or("");
                    count(&mut tally.abuses, format_args!("{abuse} → {code}"));
                }
            }
            Came::Ping => tally.pings += 1,
            Came::Open | Came::Other => {}
        });
        if let Some(end) = end {
            self.leave(&end, world);
            self.alarm = Instant::now() + PAUSE;
        }
    }

    /// It does what it does by itself.
    pub fn ring(&mut self, world: &mut World, now: Instant) {
        if self.hears(now) {
            self.read(world);
        }
        self.alarm = now + BEAT;
        if now >= self.turn_ends {
            if let Some(link) = self.link.take() {
                link.cut();
                count(&mut world.notes.tally.abuses, format_args!("{} → went on", self.abuse));
            }
            let place = ALL.iter().position(|abuse| *abuse == self.abuse).unwrap_or(0);
            self.abuse = ALL[(place + 1) % ALL.len()];
            self.turn_ends = now + self.abuse.turn();
        }
        match &mut self.link {
            None if !world.is_ending => self.connect(world),
            Some(link) if self.abuse == Abuse::Churn => {
                link.flush();
                if let Some(link) = self.link.take() {
                    link.cut();
                }
                count(&mut world.notes.tally.abuses, format_args!("{} → reset", self.abuse));
            }
            Some(link) if link.waiting() < FULL => {
                let bytes = self.abuse.bytes(self.acts, link.is_open());
                self.acts += usize::from(!bytes.is_empty());
                link.say(&bytes);
            }
            _ => {}
        }
    }

    fn connect(&mut self, world: &mut World) {
        match Link::open(world.address, None, &world.registry, self.token) {
            Ok(mut link) => {
                let query = if self.abuse == Abuse::Deaf { "symbols=*&delivery=every" } else { "" };
                let whole = request(world.address, query);
                match self.abuse {
                    Abuse::HalfOpen => link.say(&whole.as_bytes()[..whole.len() / 2]),
                    Abuse::Slowloris => {}
                    Abuse::Pages => link.ignore_answers(),
                    _ => link.say(whole.as_bytes()),
                }
                self.acts = 0;
                self.link = Some(link);
            }
            Err(error) => count(&mut world.notes.tally.abuses, format_args!("{} → {error}", self.abuse)),
        }
    }

    fn leave(&mut self, end: &End, world: &mut World) {
        count(&mut world.notes.tally.abuses, format_args!("{} → {end}", self.abuse));
        if let Some(link) = self.link.take() {
            // Otherwise the ports that wait would run out.
            link.cut();
        }
    }
}

impl Abuse {
    /// How long it is tried.
    const fn turn(self) -> Duration {
        if matches!(self, Self::Deaf) { DEAF } else { TURN }
    }

    /// What it sends the next time.
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
