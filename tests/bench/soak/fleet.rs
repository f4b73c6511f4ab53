//! Many clients on one thread: a poll for what comes, and alarms for what they do by themselves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token};

use crate::abuse::Abuser;
use crate::ledger::{Notes, Wants};
use crate::link::READ_BYTES;
use crate::subscriber::{Pace, Subscriber};
use crate::tally::Tally;
use crate::update::Times;
use crate::witness::Witness;

/// Alarms are looked at so often at the least.
const TICK: Duration = Duration::from_millis(50);

/// Clients, and what they saw.
pub struct Fleet {
    poll: Poll,
    clients: Vec<Client>,
    alarms: BinaryHeap<Reverse<(Instant, usize)>>,
    /// The alarm of each client that counts; others of it in the heap are stale.
    set: Vec<Option<Instant>>,
    world: World,
}

/// A client.
pub enum Client {
    Subscriber(Box<Subscriber>),
    Abuser(Abuser),
}

/// What the clients of a fleet share.
pub struct World {
    pub address: SocketAddr,
    pub registry: Registry,
    pub buffer: Vec<u8>,
    pub notes: Notes,
    /// The server has been told to stop: nobody comes back.
    pub is_ending: bool,
}

impl Fleet {
    /// No clients yet, for a server with so many symbols.
    pub fn new(address: SocketAddr, symbols: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let (tally, witness, times) = (Tally::new(), Witness::new(symbols), Times::default());
        let notes = Notes { tally, witness, times, is_still: false };
        let world = World { address, registry, buffer: vec![0; READ_BYTES], notes, is_ending: false };
        Ok(Self { poll, clients: Vec::new(), alarms: BinaryHeap::new(), set: Vec::new(), world })
    }

    /// Adds a client, which is told its token.
    pub fn add(&mut self, client: impl FnOnce(Token) -> Client) {
        let index = self.clients.len();
        self.clients.push(client(Token(index)));
        self.set.push(None);
        self.set_alarm(index);
    }

    /// Adds a client that behaves, at its own pace; it connects at a moment.
    pub fn subscribe(&mut self, wants: Wants, pace: Pace, begins: Instant) {
        self.add(|token| Client::Subscriber(Box::new(Subscriber::new(token, wants, pace, begins))));
    }

    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }

    pub fn tally(&self) -> &Tally {
        &self.world.notes.tally
    }

    pub fn witness(&self) -> &Witness {
        &self.world.notes.witness
    }

    pub fn subscribers(&self) -> impl Iterator<Item = &Subscriber> {
        self.clients.iter().filter_map(|client| match client {
            Client::Subscriber(subscriber) => Some(&**subscriber),
            Client::Abuser(_) => None,
        })
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        let is_there = |client: &&Client| match client {
            Client::Subscriber(subscriber) => subscriber.is_connected(),
            Client::Abuser(abuser) => abuser.is_connected(),
        };
        self.clients.iter().filter(is_there).count()
    }

    /// How many clients can fill the buffer that they have at the server.
    pub fn slow_every(&self) -> usize {
        let is_slow = |client: &&Client| match client {
            Client::Subscriber(subscriber) => subscriber.is_slow_every(),
            Client::Abuser(abuser) => abuser.is_slow_every(),
        };
        self.clients.iter().filter(is_slow).count()
    }

    /// Lets every subscriber do something.
    pub fn each(&mut self, mut act: impl FnMut(&mut Subscriber, &mut World)) {
        for index in 0..self.clients.len() {
            if let Client::Subscriber(subscriber) = &mut self.clients[index] {
                act(subscriber, &mut self.world);
                self.set_alarm(index);
            }
        }
    }

    /// Lets one subscriber, by its number among all clients, do something; others do nothing.
    pub fn one(&mut self, index: usize, act: impl FnOnce(&mut Subscriber, &mut World)) {
        if let Some(Client::Subscriber(subscriber)) = self.clients.get_mut(index) {
            act(subscriber, &mut self.world);
            self.set_alarm(index);
        }
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Runs until a moment.
    pub fn run(&mut self, until: Instant) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            self.ring(now);
            let next = self.alarms.peek().map_or(until, |Reverse((at, _))| (*at).min(until));
            let wait = next.saturating_duration_since(Instant::now()).min(TICK);
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                let index = event.token().0;
                match &mut self.clients[index] {
                    Client::Subscriber(subscriber) => subscriber.ready(&mut self.world),
                    Client::Abuser(abuser) => abuser.ready(&mut self.world),
                }
                self.set_alarm(index);
            }
        }
    }

    /// Rings the alarms that are due.
    fn ring(&mut self, now: Instant) {
        while let Some(Reverse((at, index))) = self.alarms.peek().copied() {
            if at > now {
                return;
            }
            self.alarms.pop();
            if self.set[index] != Some(at) {
                continue;
            }
            self.set[index] = None;
            match &mut self.clients[index] {
                Client::Subscriber(subscriber) => subscriber.ring(&mut self.world, now),
                Client::Abuser(abuser) => abuser.ring(&mut self.world, now),
            }
            self.set_alarm(index);
        }
    }

    fn set_alarm(&mut self, index: usize) {
        let alarm = match &self.clients[index] {
            Client::Subscriber(subscriber) => subscriber.alarm(),
            Client::Abuser(abuser) => Some(abuser.alarm()),
        };
        if alarm != self.set[index] {
            self.set[index] = alarm;
            self.alarms.extend(alarm.map(|at| Reverse((at, index))));
        }
    }
}
