//! The simulation of a run: the hosts of the server and the clients, and the network between them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use tcp_info::Acknowledgements;
use tickerplant::bus::{Bus, LastValueCache};
use tickerplant::hub::{Duplex, Socket};
use tickerplant::market::{Event, FeedKind, FeedState};
use tickerplant::server::{AcceptedSocket, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim};

use super::checker::Checker;
use super::client::Client;
use super::open_sockets::{OpenSocket, OpenSockets};
use super::published_log::{PublishedEvent, PublishedLog};
use super::scenario::{DISTURBED, Disturbance, MAX_DELAY, Market, Scenario};
use crate::support::one_worker;
use crate::support::reference_history::position;

const SERVER: &str = "server";

/// The simulated time that passes in one step of the simulation.
const TICK: Duration = Duration::from_millis(2);

/// The result of a simulated run.
pub struct Run {
    /// The transcript of each client.
    pub transcripts: Vec<Vec<String>>,
    /// For each situation that the test must cover: how often the situation occurred.
    pub seen: BTreeMap<&'static str, u64>,
    /// The number of the client with the first fault, and a description of the fault.
    pub fault: Option<(usize, String)>,
}

/// The server's host.
#[derive(Clone)]
struct ServerHost {
    scenario: Rc<Scenario>,
    published_log: Rc<RefCell<PublishedLog>>,
    control: Rc<ProcessControl>,
    open_sockets: OpenSockets,
    /// The buses of the server. Each run of the server's process has its own bus.
    buses: Rc<RefCell<Vec<Arc<Bus>>>>,
}

/// Suspends, continues and ends the server's process.
#[derive(Default)]
struct ProcessControl {
    /// The token that begins an orderly shutdown of the server's current process.
    stop: RefCell<CancellationToken>,
    /// Whether the server's process is suspended.
    is_stopped: Cell<bool>,
    /// Wakes the server's process when it continues after a suspension.
    waker: RefCell<Option<Waker>>,
}

/// The server's listener on the simulated network. Each accepted socket takes only a limited number of bytes
/// in one write.
struct SimulatedListener {
    listener: TcpListener,
    write_bytes: usize,
    open_sockets: OpenSockets,
}

#[derive(Debug)]
struct NarrowSocket {
    stream: TcpStream,
    write_bytes: usize,
    open_socket: OpenSocket,
}

/// Runs a scenario until its end or the first fault.
pub fn run(scenario: Scenario) -> Run {
    let scenario = Rc::new(scenario);
    let published_log = Rc::new(RefCell::new(PublishedLog::default()));
    let is_calm = Rc::new(Cell::new(false));
    let mut sim = Builder::new()
        .rng_seed(scenario.seed)
        .tick_duration(TICK)
        .enable_random_order()
        .epoch(SystemTime::UNIX_EPOCH)
        .simulation_duration(Scenario::ends_at())
        // This is also the length of the listener's backlog. The backlog must hold all connects while the
        // server does not accept.
        .tcp_capacity(64)
        .max_message_latency(Duration::from_millis(40))
        .build();

    let (control, open_sockets) = (Rc::<ProcessControl>::default(), OpenSockets::default());
    let buses = Rc::<RefCell<Vec<Arc<Bus>>>>::default();
    let server = ServerHost {
        scenario: Rc::clone(&scenario),
        published_log: Rc::clone(&published_log),
        control: Rc::clone(&control),
        open_sockets: open_sockets.clone(),
        buses: Rc::clone(&buses),
    };
    sim.host(SERVER, move || server.clone().run_process());
    let clients: Vec<Rc<Client>> = scenario
        .clients
        .iter()
        .map(|habits| {
            let history = scenario.config.bus.history.get();
            Rc::new(Client {
                habits: habits.clone(),
                checker: RefCell::new(Checker::new(Rc::clone(&published_log), habits.clone(), history)),
                visits: Cell::default(),
                transcript: RefCell::default(),
                fault: RefCell::default(),
                is_calm: Rc::clone(&is_calm),
                undisturbed_since: Cell::default(),
            })
        })
        .collect();
    for (number, client) in clients.iter().enumerate() {
        let client = Rc::clone(client);
        sim.host(name(number), move || Rc::clone(&client).run());
    }

    let mut simulation = Simulation {
        sim,
        scenario: &scenario,
        clients: &clients,
        control: &control,
        open_sockets: &open_sockets,
        vanished: None,
        was_stopped: false,
    };
    let fault = simulation.drive(&is_calm);
    let Simulation { vanished, was_stopped, .. } = simulation;
    let buses = buses.take();
    let overloaded = || buses.iter().filter(|bus| bus.counters().overloads.get() > 0);
    let mut seen = BTreeMap::from([
        ("vanished", vanished.is_some().into()),
        ("process stopped", was_stopped.into()),
        ("overloaded", overloaded().count() as u64),
        ("overloaded without a gap", overloaded().any(|bus| bus.counters().lags.get() == 0).into()),
    ]);
    seen.retain(|_, count| *count > 0);
    for client in &clients {
        for (what, count) in &client.checker.borrow().seen {
            *seen.entry(*what).or_default() += count;
        }
    }
    Run { transcripts: clients.iter().map(|client| client.transcript.take()).collect(), seen, fault }
}

struct Simulation<'a> {
    sim: Sim<'a>,
    scenario: &'a Scenario,
    clients: &'a [Rc<Client>],
    control: &'a ProcessControl,
    open_sockets: &'a OpenSockets,
    /// The client that vanished while the server had an open socket to it, and the time at which the client
    /// vanished.
    vanished: Option<(usize, Duration)>,
    /// Whether the server's process was suspended while the server had an open socket to a client.
    was_stopped: bool,
}

impl Simulation<'_> {
    /// Runs the simulation until all clients have caught up and the vanished client's connection is closed.
    /// Stops at the first fault, and returns this fault.
    fn drive(&mut self, is_calm: &Cell<bool>) -> Option<(usize, String)> {
        let mut disturbances = self.scenario.disturbances.iter().peekable();
        loop {
            let now = self.sim.elapsed();
            while let Some((_, disturbance)) = disturbances.next_if(|(at, _)| *at <= now) {
                self.apply(*disturbance);
            }
            is_calm.set(now > DISTURBED);
            if (Scenario::calm_at()..Scenario::calm_at() + TICK).contains(&now) {
                for client in self.clients {
                    client.checker.borrow_mut().begin_watching();
                }
            }
            if let Err(error) = self.sim.step() {
                return Some((0, format!("a host failed: {error}")));
            }
            let mut faults = self.clients.iter().enumerate();
            if let Some(fault) = faults.find_map(|(number, client)| Some((number, client.fault.take()?))) {
                return Some(fault);
            }
            if let Some(late) = self.clients.iter().position(|client| is_late(client, now)) {
                return Some((late, "some published events have not arrived in time".to_owned()));
            }
            let closed_by = self.vanished.map_or(Duration::ZERO, |(_, at)| self.scenario.closed_by(at));
            if let Some((client, _)) = self.vanished
                && now > closed_by
                && self.has_socket(client)
            {
                return Some((client, "it vanished, and its connection is still open".to_owned()));
            }
            if now > (Scenario::quiet_at() + MAX_DELAY).max(closed_by) {
                let behind = (0..self.clients.len()).find(|client| !self.is_done(*client))?;
                if now > Scenario::ends_at() {
                    return Some((behind, "it has not caught up long after the last event".to_owned()));
                }
            }
        }
    }

    /// Returns whether a client has caught up, or its host is no longer running.
    fn is_done(&mut self, client: usize) -> bool {
        !self.sim.is_host_running(name(client)) || self.clients[client].checker.borrow().is_caught_up()
    }

    fn has_socket(&self, client: usize) -> bool {
        self.open_sockets.has_socket_to(self.sim.lookup(name(client)))
    }

    fn apply(&mut self, disturbance: Disturbance) {
        if let Some((client, is_over)) = disturbance.client() {
            let since = is_over.then(|| self.sim.elapsed());
            self.clients[client].undisturbed_since.set(since);
        }
        let sim = &mut self.sim;
        match disturbance {
            Disturbance::Hold(client) => sim.hold(name(client), SERVER),
            Disturbance::Release(client) => sim.release(name(client), SERVER),
            Disturbance::Partition(client) => sim.partition(name(client), SERVER),
            Disturbance::DropFromClient(client) => sim.partition_oneway(name(client), SERVER),
            Disturbance::DropToClient(client) => sim.partition_oneway(SERVER, name(client)),
            Disturbance::Repair(client) => sim.repair(name(client), SERVER),
            Disturbance::Slow(client, latency) | Disturbance::UsualLatency(client, latency) => {
                sim.set_link_max_message_latency(name(client), SERVER, latency);
            }
            Disturbance::FixedLatency(client, latency) => sim.set_link_latency(name(client), SERVER, latency),
            Disturbance::Crash(client) => sim.crash(name(client)),
            Disturbance::Restart(client) => sim.bounce(name(client)),
            Disturbance::Vanish(client) => self.vanish(client),
            Disturbance::CrashServer => sim.crash(SERVER),
            Disturbance::StopServer => self.control.stop.borrow().cancel(),
            Disturbance::RestartServer => sim.bounce(SERVER),
            Disturbance::StopProcess => self.control.is_stopped.set(true),
            Disturbance::ContinueProcess => {
                self.was_stopped |= (0..self.clients.len()).any(|client| self.has_socket(client));
                self.control.is_stopped.set(false);
                self.control.waker.take().inspect(Waker::wake_by_ref);
            }
        }
        if matches!(disturbance, Disturbance::CrashServer | Disturbance::StopServer) {
            for client in self.clients {
                // The end of the server's process disturbs every client.
                client.undisturbed_since.set(client.undisturbed_since.get().map(|_| self.sim.elapsed()));
            }
        }
    }

    fn vanish(&mut self, client: usize) {
        let now = self.sim.elapsed();
        if self.has_socket(client) {
            self.vanished = Some((client, now));
        }
        self.open_sockets.mark_vanished(self.sim.lookup(name(client)), now);
        // From now on the machine sends no bytes, not even the end of a connection.
        self.sim.partition(name(client), SERVER);
        self.sim.crash(name(client));
    }
}

/// Returns whether a client on a steady connection lacks events that should have arrived by now.
fn is_late(client: &Client, now: Duration) -> bool {
    let due = Scenario::quiet_at() + client.checker.borrow().max_delay();
    (due..due + TICK).contains(&now) && client.checker.borrow().has_all() == Some(false)
}

fn name(client: usize) -> String {
    format!("client{client}")
}

impl ServerHost {
    /// Runs the server's process with a new epoch and an empty log.
    async fn run_process(self) -> turmoil::Result {
        let epoch = self.published_log.borrow_mut().begin();
        let bus = Bus::new(&self.scenario.config.bus, FeedKind::Simulated, epoch.clone());
        self.buses.borrow_mut().push(Arc::clone(&bus));
        let listener = TcpListener::bind("0.0.0.0:8000").await?;
        let listener = SimulatedListener {
            listener,
            write_bytes: self.scenario.write_bytes,
            open_sockets: self.open_sockets.clone(),
        };
        let stop = CancellationToken::new();
        self.control.stop.replace(stop.clone());
        let config = self.scenario.config.clone();
        let process = async {
            tokio::select! {
                biased;
                () = one_worker::serve(config, Arc::clone(&bus), listener, stop) => {}
                () = self.publish(&self.scenario.market, &bus, &epoch) => {}
            }
        };
        self.control.run(Box::pin(process)).await;
        Ok(())
    }

    async fn publish(&self, market: &Market, bus: &Bus, epoch: &str) {
        let mut rng = market.rng(epoch);
        odd_millisecond().await;
        self.publish_batch(bus, market.listing(&mut rng));
        loop {
            sleep(market.pause(&mut rng)).await;
            // The process may have been stopped during the pause.
            odd_millisecond().await;
            let now = turmoil::sim_elapsed().unwrap_or_default();
            if now > Scenario::quiet_at() {
                break;
            }
            let is_calm = now > DISTURBED;
            for batch in market.step(&mut rng, is_calm) {
                self.publish_batch(bus, batch);
            }
            if let Some(folded) = market.seek(&mut rng, is_calm) {
                self.seek(bus, folded);
            }
            if market.has_feed_state(&mut rng) {
                bus.set_feed_state(self.feed_state());
            }
        }
        std::future::pending::<()>().await;
    }

    fn publish_batch(&self, bus: &Bus, batch: Vec<(Event, PublishedEvent)>) {
        let mut events = Vec::new();
        for (event, published) in batch {
            self.published_log.borrow_mut().publish(published);
            events.push(event);
        }
        bus.publish(events);
    }

    /// Continues the feed at another position, as a replay does after a seek.
    fn seek(&self, bus: &Bus, folded: Vec<(Event, PublishedEvent)>) {
        let mut last_values = LastValueCache::at(bus.head());
        for (event, _) in &folded {
            last_values.fold_unpublished(event);
        }
        let seeks = self
            .published_log
            .borrow_mut()
            .seek(folded.into_iter().map(|(_, published)| published).collect());
        bus.seek(last_values, position(seeks), self.feed_state());
    }

    /// Returns a feed state whose text contains its position in the log: the newest event, and the number of
    /// seeks.
    fn feed_state(&self) -> FeedState {
        let published_log = self.published_log.borrow();
        let epoch = published_log.newest();
        FeedState::Failed { detail: format!("{} {}", epoch.head(), epoch.seeks()) }
    }
}

impl ProcessControl {
    /// Runs the server's process, but not while the process is suspended.
    async fn run(&self, mut process: Pin<Box<impl Future<Output = ()>>>) {
        poll_fn(|cx| {
            if self.is_stopped.get() {
                self.waker.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            process.as_mut().poll(cx)
        })
        .await;
    }
}

/// Waits until the simulated time is an odd number of milliseconds. The server checks its clients at even
/// milliseconds, so the market never acts at the time of such a check.
async fn odd_millisecond() {
    if turmoil::sim_elapsed().is_some_and(|now| now.as_millis().is_multiple_of(2)) {
        sleep(Duration::from_millis(1)).await;
    }
}

impl Listener for SimulatedListener {
    type Socket = NarrowSocket;

    async fn accept(&mut self) -> io::Result<(NarrowSocket, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        let open_socket = self.open_sockets.open(peer.ip());
        Ok((NarrowSocket { stream, write_bytes: self.write_bytes, open_socket }, peer))
    }
}

impl AcceptedSocket for NarrowSocket {
    fn register(self) -> io::Result<Socket> {
        Ok(Socket::Other(Box::new(self)))
    }
}

impl Duplex for NarrowSocket {
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        self.open_socket.acknowledgements()
    }
}

impl AsyncRead for NarrowSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for NarrowSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = bytes.len().min(self.write_bytes);
        Pin::new(&mut self.stream).poll_write(cx, &bytes[..count])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
