//! A client that behaves, at its own pace: it comes back where it left off, however its connection ended.

use std::time::{Duration, Instant};

use mio::Token;
use tickerplant::market::Time;

use crate::fleet::World;
use crate::ledger::{Delivery, Ledger, Wants};
use crate::link::{Came, End, Link};
use crate::tally::count;
use crate::websocket::{TEXT, frame, request};

/// A slow reader's kernel keeps so many bytes for it.
const SMALL_ROOM: usize = 16 * 1024;

/// How long a client waits before it comes back.
const PAUSE: Duration = Duration::from_millis(100);

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// All at once, whenever something has come.
    Prompt,
    /// At most so many bytes, ten times a second.
    Slow(usize),
    /// Nothing for four seconds, all that comes in the fifth.
    Pauses,
    /// Nothing at all.
    Deaf,
}

/// A client.
#[derive(Debug)]
pub struct Subscriber {
    token: Token,
    pace: Pace,
    ledger: Ledger,
    link: Option<Link>,
    alarm: Option<Instant>,
    /// While it [pauses](Pace::Pauses): when it began to read or to rest.
    since: Instant,
    is_resting: bool,
    /// The code with which the server closed its last connection.
    closed: Option<u16>,
}

impl Subscriber {
    /// A client that connects at a moment.
    pub fn new(token: Token, wants: Wants, pace: Pace, begins: Instant) -> Self {
        Self {
            token,
            pace,
            ledger: Ledger::new(wants),
            link: None,
            alarm: Some(begins),
            since: begins,
            is_resting: false,
            closed: None,
        }
    }

    pub fn is_prompt(&self) -> bool {
        self.pace == Pace::Prompt
    }

    /// Whether it can fill the buffer that it has at the server.
    pub fn is_slow_every(&self) -> bool {
        !self.is_prompt() && self.ledger.wants.delivery == Delivery::Every
    }

    pub fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Whether it is connected and has had all that it missed.
    pub fn is_level(&self) -> bool {
        self.is_connected() && self.ledger.is_level()
    }

    /// Whether what it had is exactly what there was.
    pub fn is_exact(&self) -> bool {
        self.ledger.is_exact()
    }

    /// The code with which the server closed its last connection.
    pub fn closed(&self) -> Option<u16> {
        self.closed
    }

    /// When it does something by itself.
    pub fn alarm(&self) -> Option<Instant> {
        self.alarm
    }

    /// Breaks the connection, and comes back at a moment.
    pub fn cut(&mut self, back: Instant, world: &mut World) {
        if let Some(link) = self.link.take() {
            link.cut();
            self.ledger.end(&mut world.notes);
            count(&mut world.notes.tally.ends, "cut by the client");
        }
        self.alarm = Some(back);
    }

    /// Asks up to which event it has had all.
    pub fn ask_level(&mut self) {
        if let Some(link) = &mut self.link {
            link.say(&frame(TEXT, self.ledger.wants.delivery.command().as_bytes()));
        }
    }

    /// Compares what it had with what there was.
    pub fn settle(&mut self, world: &mut World) {
        self.ledger.settle(&mut world.notes);
    }

    /// The socket has something, or room.
    pub fn ready(&mut self, world: &mut World) {
        if let Some(link) = &mut self.link {
            link.flush();
        }
        if self.is_prompt() {
            self.read(usize::MAX, world);
        }
    }

    /// It does what it does by itself.
    pub fn ring(&mut self, world: &mut World, now: Instant) {
        self.alarm = None;
        if self.link.is_none() {
            self.connect(world, now);
        }
        match self.pace {
            Pace::Prompt | Pace::Deaf => return,
            Pace::Slow(bytes) => self.read(bytes, world),
            Pace::Pauses => {
                let rest = if self.is_resting { 4 } else { 1 };
                if now.duration_since(self.since) >= Duration::from_secs(rest) {
                    self.is_resting = !self.is_resting;
                    self.since = now;
                }
                if !self.is_resting {
                    self.read(usize::MAX, world);
                }
            }
        }
        self.alarm.get_or_insert(now + Duration::from_millis(100));
    }

    fn connect(&mut self, world: &mut World, now: Instant) {
        if world.is_ending {
            return;
        }
        let room = matches!(self.pace, Pace::Slow(_) | Pace::Deaf).then_some(SMALL_ROOM);
        match Link::open(world.address, room, &world.registry, self.token) {
            Ok(mut link) => {
                link.say(request(world.address, &self.ledger.query()).as_bytes());
                self.ledger.begin();
                self.closed = None;
                self.link = Some(link);
            }
            Err(error) => {
                count(&mut world.notes.tally.ends, format_args!("cannot connect: {error}"));
                self.alarm = Some(now + PAUSE);
            }
        }
    }

    fn read(&mut self, most: usize, world: &mut World) {
        let Some(link) = &mut self.link else { return };
        let now = Time::now();
        let (ledger, notes) = (&mut self.ledger, &mut world.notes);
        let mut asks_level = false;
        let end = link.read(&mut world.buffer, most, |came| match came {
            Came::Text(payload) => asks_level |= ledger.take(payload, now, notes),
            Came::Ping => notes.tally.pings += 1,
            Came::Open => {}
            Came::Other => notes.tally.violation("unexpected frame", "neither a text nor a ping"),
        });
        match end {
            Some(end) => self.end(&end, world),
            None if asks_level => self.ask_level(),
            None => {}
        }
    }

    fn end(&mut self, end: &End, world: &mut World) {
        self.link = None;
        let tally = &mut world.notes.tally;
        let who = if self.is_prompt() { "" } else { "slow: " };
        count(&mut tally.ends, format_args!("{who}{end}"));
        match end {
            End::Closed(1001, _) if world.is_ending => {}
            End::Closed(4008, cursor) => self.ledger.fell_behind(cursor, tally),
            // One that hardly reads may lose its connection.
            End::Closed(..) | End::Broken(_) | End::Eof if !self.is_prompt() => {}
            _ => tally.violation("a client that behaves lost its connection", end),
        }
        if let End::Closed(code, _) = end {
            self.closed = Some(*code);
        }
        self.ledger.end(&mut world.notes);
        self.alarm = Some(Instant::now() + PAUSE);
    }
}

impl Delivery {
    /// A command that changes nothing; its answer comes behind all that waits.
    const fn command(self) -> &'static str {
        match self {
            Self::Every => r#"{"action":"set","delivery":"every"}"#,
            Self::Latest(_) => r#"{"action":"set","delivery":"latest"}"#,
        }
    }
}
