//! Runs many clients on one thread. The operating system reports which sockets are ready. Each client has an
//! alarm: the time of its next action.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token};

use crate::connection::READ_BYTES;
use crate::hostile_client::HostileClient;
use crate::market_frame::Times;
use crate::published_events::PublishedEvents;
use crate::results::Results;
use crate::stream_checker::{Observations, Subscription};
use crate::subscriber::{Pace, Subscriber};

/// The longest time between two checks of the alarms.
const TICK: Duration = Duration::from_millis(50);

/// The clients of one thread, and the state that these clients share.
pub struct Fleet {
    poll: Poll,
    clients: Vec<Client>,
    alarms: BinaryHeap<Reverse<(Instant, usize)>>,
    /// For each client, the time of its next action, or `None` if no action is planned. Any other time of the
    /// client in the heap `alarms` is outdated and ignored.
    set: Vec<Option<Instant>>,
    context: FleetContext,
}

pub enum Client {
    Subscriber(Box<Subscriber>),
    HostileClient(HostileClient),
}

/// The state that all clients of a fleet share.
pub struct FleetContext {
    pub address: SocketAddr,
    pub registry: Registry,
    pub buffer: Vec<u8>,
    pub observations: Observations,
    /// Whether the shutdown of the server is imminent or has begun. While this is true, no client connects
    /// again.
    pub is_ending: bool,
}

impl Fleet {
    /// Creates a fleet without clients, for a server with this many symbols.
    pub fn new(address: SocketAddr, symbols: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let (results, published, times) = (Results::new(), PublishedEvents::new(symbols), Times::default());
        let observations = Observations { results, published, times, is_drained: false };
        let context =
            FleetContext { address, registry, buffer: vec![0; READ_BYTES], observations, is_ending: false };
        Ok(Self { poll, clients: Vec::new(), alarms: BinaryHeap::new(), set: Vec::new(), context })
    }

    /// Adds a client. The argument `client` is a function that creates the client from its token.
    pub fn add(&mut self, client: impl FnOnce(Token) -> Client) {
        let index = self.clients.len();
        self.clients.push(client(Token(index)));
        self.set.push(None);
        self.set_alarm(index);
    }

    /// Adds a well-behaved client that first connects at the time `begins`.
    pub fn subscribe(&mut self, subscription: Subscription, pace: Pace, begins: Instant) {
        self.add(|token| Client::Subscriber(Box::new(Subscriber::new(token, subscription, pace, begins))));
    }

    pub fn context(&mut self) -> &mut FleetContext {
        &mut self.context
    }

    pub fn results(&self) -> &Results {
        &self.context.observations.results
    }

    pub fn published(&self) -> &PublishedEvents {
        &self.context.observations.published
    }

    pub fn subscribers(&self) -> impl Iterator<Item = &Subscriber> {
        self.clients.iter().filter_map(|client| match client {
            Client::Subscriber(subscriber) => Some(&**subscriber),
            Client::HostileClient(_) => None,
        })
    }

    /// Returns the number of open connections.
    pub fn connections(&self) -> usize {
        let is_there = |client: &&Client| match client {
            Client::Subscriber(subscriber) => subscriber.is_connected(),
            Client::HostileClient(client) => client.is_connected(),
        };
        self.clients.iter().filter(is_there).count()
    }

    /// Returns the number of slow clients with `delivery=every`.
    pub fn slow_every(&self) -> usize {
        let is_slow = |client: &&Client| match client {
            Client::Subscriber(subscriber) => subscriber.is_slow_every(),
            Client::HostileClient(client) => client.is_slow_every(),
        };
        self.clients.iter().filter(is_slow).count()
    }

    /// Calls `act` with every subscriber.
    pub fn each(&mut self, mut act: impl FnMut(&mut Subscriber, &mut FleetContext)) {
        for index in 0..self.clients.len() {
            if let Client::Subscriber(subscriber) = &mut self.clients[index] {
                act(subscriber, &mut self.context);
                self.set_alarm(index);
            }
        }
    }

    /// Calls `act` with the subscriber at this index. Does nothing if the client at this index is hostile.
    pub fn one(&mut self, index: usize, act: impl FnOnce(&mut Subscriber, &mut FleetContext)) {
        if let Some(Client::Subscriber(subscriber)) = self.clients.get_mut(index) {
            act(subscriber, &mut self.context);
            self.set_alarm(index);
        }
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Runs the clients until the time `until`.
    pub fn run(&mut self, until: Instant) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            self.ring_alarms(now);
            let next = self.alarms.peek().map_or(until, |Reverse((at, _))| (*at).min(until));
            let wait = next.saturating_duration_since(Instant::now()).min(TICK);
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                let index = event.token().0;
                match &mut self.clients[index] {
                    Client::Subscriber(subscriber) => subscriber.on_ready(&mut self.context),
                    Client::HostileClient(client) => client.on_ready(&mut self.context),
                }
                self.set_alarm(index);
            }
        }
    }

    /// Starts the next action of each client whose alarm is due.
    fn ring_alarms(&mut self, now: Instant) {
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
                Client::Subscriber(subscriber) => subscriber.on_alarm(&mut self.context, now),
                Client::HostileClient(client) => client.on_alarm(&mut self.context, now),
            }
            self.set_alarm(index);
        }
    }

    fn set_alarm(&mut self, index: usize) {
        let alarm = match &self.clients[index] {
            Client::Subscriber(subscriber) => subscriber.alarm(),
            Client::HostileClient(client) => Some(client.alarm()),
        };
        if alarm != self.set[index] {
            self.set[index] = alarm;
            self.alarms.extend(alarm.map(|at| Reverse((at, index))));
        }
    }
}
