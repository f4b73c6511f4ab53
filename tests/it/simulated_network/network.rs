//! The world of a run: the server's host, the clients' hosts, and the network between them.

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
use super::places::{Place, Places};
use super::plan::{Market, PROMPTNESS, Plan, TROUBLE, Trouble};
use super::truth::{Published, Truth};
use crate::support::one_worker;
use crate::support::reference_history::position;

const SERVER: &str = "server";

/// Hosts take turns of this length.
const TICK: Duration = Duration::from_millis(2);

/// What a run leaves behind.
pub struct Run {
    /// What each client was told.
    pub transcripts: Vec<Vec<String>>,
    /// What the clients have been through.
    pub seen: BTreeMap<&'static str, u64>,
    /// With whom something was wrong first, and what.
    pub fault: Option<(usize, String)>,
}

/// The server's host.
#[derive(Clone)]
struct Server {
    plan: Rc<Plan>,
    truth: Rc<RefCell<Truth>>,
    control: Rc<Control>,
    places: Places,
    /// The bus of each life.
    buses: Rc<RefCell<Vec<Arc<Bus>>>>,
}

/// What is done to the server's process from outside.
#[derive(Default)]
struct Control {
    /// Ends the present life in order.
    stop: RefCell<CancellationToken>,
    /// Whether the process is stopped.
    is_stopped: Cell<bool>,
    /// Has it go on.
    waker: RefCell<Option<Waker>>,
}

/// The simulated network's listener, with sockets that take only so many bytes at a time.
struct Port {
    listener: TcpListener,
    write_bytes: usize,
    places: Places,
}

#[derive(Debug)]
struct Narrow {
    stream: TcpStream,
    write_bytes: usize,
    place: Place,
}

/// Runs a plan to its end, or to the first fault.
pub fn run(plan: Plan) -> Run {
    let plan = Rc::new(plan);
    let truth = Rc::new(RefCell::new(Truth::default()));
    let is_calm = Rc::new(Cell::new(false));
    let mut sim = Builder::new()
        .rng_seed(plan.seed)
        .tick_duration(TICK)
        .enable_random_order()
        .epoch(SystemTime::UNIX_EPOCH)
        .simulation_duration(Plan::end())
        // A listener's backlog is as long: it has to do for all who knock while nobody answers.
        .tcp_capacity(64)
        .max_message_latency(Duration::from_millis(40))
        .build();

    let (control, places) = (Rc::<Control>::default(), Places::default());
    let buses = Rc::<RefCell<Vec<Arc<Bus>>>>::default();
    let server = Server {
        plan: Rc::clone(&plan),
        truth: Rc::clone(&truth),
        control: Rc::clone(&control),
        places: places.clone(),
        buses: Rc::clone(&buses),
    };
    sim.host(SERVER, move || server.clone().live());
    let clients: Vec<Rc<Client>> = plan
        .clients
        .iter()
        .map(|habits| {
            let history = plan.config.bus.history.get();
            Rc::new(Client {
                habits: habits.clone(),
                checker: RefCell::new(Checker::new(Rc::clone(&truth), habits.clone(), history)),
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

    let mut world = World {
        sim,
        plan: &plan,
        clients: &clients,
        control: &control,
        places: &places,
        vanished: None,
        stood_still: false,
    };
    let fault = world.drive(&is_calm);
    let World { vanished, stood_still, .. } = world;
    let buses = buses.take();
    let overloaded = || buses.iter().filter(|bus| bus.counters().overloads.get() > 0);
    let mut seen = BTreeMap::from([
        ("vanished", vanished.is_some().into()),
        ("stood still", stood_still.into()),
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

/// All that moves.
struct World<'a> {
    sim: Sim<'a>,
    plan: &'a Plan,
    clients: &'a [Rc<Client>],
    control: &'a Control,
    places: &'a Places,
    /// Which client had a place when it vanished, and when that was.
    vanished: Option<(usize, Duration)>,
    /// Whether somebody had a place while the server stood still.
    stood_still: bool,
}

impl World<'_> {
    /// Moves on until everybody is level, and whoever is gone has no place; returns what is wrong.
    fn drive(&mut self, is_calm: &Cell<bool>) -> Option<(usize, String)> {
        let mut troubles = self.plan.troubles.iter().peekable();
        loop {
            let now = self.sim.elapsed();
            while let Some((_, trouble)) = troubles.next_if(|(at, _)| *at <= now) {
                self.make(*trouble);
            }
            is_calm.set(now > TROUBLE);
            if (Plan::calm()..Plan::calm() + TICK).contains(&now) {
                for client in self.clients {
                    client.checker.borrow_mut().begin_to_watch();
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
                return Some((late, "what was published should have come".to_owned()));
            }
            let gone_by = self.vanished.map_or(Duration::ZERO, |(_, at)| self.plan.gone(at));
            if let Some((client, _)) = self.vanished
                && now > gone_by
                && self.has_place(client)
            {
                return Some((client, "it vanished, and has its place".to_owned()));
            }
            if now > (Plan::quiet() + PROMPTNESS).max(gone_by) {
                let behind = (0..self.clients.len()).find(|client| !self.is_done(*client))?;
                if now > Plan::end() {
                    return Some((behind, "it is not level long after the last event".to_owned()));
                }
            }
        }
    }

    /// Whether a client has all that there is, or is not there any more.
    fn is_done(&mut self, client: usize) -> bool {
        !self.sim.is_host_running(name(client)) || self.clients[client].checker.borrow().is_level()
    }

    fn has_place(&self, client: usize) -> bool {
        self.places.has_one(self.sim.lookup(name(client)))
    }

    fn make(&mut self, trouble: Trouble) {
        if let Some((client, is_over)) = trouble.client() {
            let since = is_over.then(|| self.sim.elapsed());
            self.clients[client].undisturbed_since.set(since);
        }
        let sim = &mut self.sim;
        match trouble {
            Trouble::Hold(client) => sim.hold(name(client), SERVER),
            Trouble::Release(client) => sim.release(name(client), SERVER),
            Trouble::Part(client) => sim.partition(name(client), SERVER),
            Trouble::Mute(client) => sim.partition_oneway(name(client), SERVER),
            Trouble::Deafen(client) => sim.partition_oneway(SERVER, name(client)),
            Trouble::Repair(client) => sim.repair(name(client), SERVER),
            Trouble::Slow(client, latency) | Trouble::Latency(client, latency) => {
                sim.set_link_max_message_latency(name(client), SERVER, latency);
            }
            Trouble::Far(client, latency) => sim.set_link_latency(name(client), SERVER, latency),
            Trouble::Crash(client) => sim.crash(name(client)),
            Trouble::Bounce(client) => sim.bounce(name(client)),
            Trouble::Vanish(client) => self.vanish(client),
            Trouble::CrashServer => sim.crash(SERVER),
            Trouble::StopServer => self.control.stop.borrow().cancel(),
            Trouble::BounceServer => sim.bounce(SERVER),
            Trouble::StopProcess => self.control.is_stopped.set(true),
            Trouble::ContinueProcess => {
                self.stood_still |= (0..self.clients.len()).any(|client| self.has_place(client));
                self.control.is_stopped.set(false);
                self.control.waker.take().inspect(Waker::wake_by_ref);
            }
        }
        if matches!(trouble, Trouble::CrashServer | Trouble::StopServer) {
            for client in self.clients {
                // Who comes back finds another life of the server.
                client.undisturbed_since.set(client.undisturbed_since.get().map(|_| self.sim.elapsed()));
            }
        }
    }

    fn vanish(&mut self, client: usize) {
        let now = self.sim.elapsed();
        if self.has_place(client) {
            self.vanished = Some((client, now));
        }
        self.places.cut(self.sim.lookup(name(client)), now);
        // Its machine says nothing any more, not even that it closes its sockets.
        self.sim.partition(name(client), SERVER);
        self.sim.crash(name(client));
    }
}

/// Whether a client on a steady connection has to have all by now, and has not.
fn is_late(client: &Client, now: Duration) -> bool {
    let due = Plan::quiet() + client.checker.borrow().promptness();
    (due..due + TICK).contains(&now) && client.checker.borrow().has_all() == Some(false)
}

fn name(client: usize) -> String {
    format!("client{client}")
}

impl Server {
    /// One life: it begins with a new epoch and an empty log.
    async fn live(self) -> turmoil::Result {
        let epoch = self.truth.borrow_mut().begin();
        let bus = Bus::new(&self.plan.config.bus, FeedKind::Simulated, epoch.clone());
        self.buses.borrow_mut().push(Arc::clone(&bus));
        let listener = TcpListener::bind("0.0.0.0:8000").await?;
        let port = Port { listener, write_bytes: self.plan.write_bytes, places: self.places.clone() };
        let stop = CancellationToken::new();
        self.control.stop.replace(stop.clone());
        let config = self.plan.config.clone();
        let life = async {
            tokio::select! {
                biased;
                () = one_worker::serve(config, Arc::clone(&bus), port, stop) => {}
                () = self.publish(&self.plan.market, &bus, &epoch) => {}
            }
        };
        self.control.run(Box::pin(life)).await;
        Ok(())
    }

    async fn publish(&self, market: &Market, bus: &Bus, epoch: &str) {
        let mut dice = market.dice(epoch);
        odd_millisecond().await;
        self.publish_batch(bus, market.listing(&mut dice));
        loop {
            sleep(market.pause(&mut dice)).await;
            // The process may have been stopped.
            odd_millisecond().await;
            let now = turmoil::sim_elapsed().unwrap_or_default();
            if now > Plan::quiet() {
                break;
            }
            let is_calm = now > TROUBLE;
            for batch in market.step(&mut dice, is_calm) {
                self.publish_batch(bus, batch);
            }
            if let Some(folded) = market.seek(&mut dice, is_calm) {
                self.seek(bus, folded);
            }
            if market.has_news(&mut dice) {
                bus.set_feed_state(self.feed_state());
            }
        }
        std::future::pending::<()>().await;
    }

    fn publish_batch(&self, bus: &Bus, batch: Vec<(Event, Published)>) {
        let mut events = Vec::new();
        for (event, published) in batch {
            self.truth.borrow_mut().publish(published);
            events.push(event);
        }
        bus.publish(events);
    }

    /// Has the feed go on from elsewhere, as a replay does.
    fn seek(&self, bus: &Bus, folded: Vec<(Event, Published)>) {
        let mut last_values = LastValueCache::at(bus.head());
        for (event, _) in &folded {
            last_values.fold_unpublished(event);
        }
        let seeks =
            self.truth.borrow_mut().seek(folded.into_iter().map(|(_, published)| published).collect());
        bus.seek(last_values, position(seeks), self.feed_state());
    }

    /// A state that says where it is in the log: behind which event, and how many seeks.
    fn feed_state(&self) -> FeedState {
        let truth = self.truth.borrow();
        let epoch = truth.newest();
        FeedState::Failed { detail: format!("{} {}", epoch.head(), epoch.seeks()) }
    }
}

impl Control {
    /// Runs the server's process, but while it is stopped.
    async fn run(&self, mut life: Pin<Box<impl Future<Output = ()>>>) {
        poll_fn(|cx| {
            if self.is_stopped.get() {
                self.waker.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            life.as_mut().poll(cx)
        })
        .await;
    }
}

/// Waits for an odd millisecond: the server looks after its clients at even ones.
async fn odd_millisecond() {
    if turmoil::sim_elapsed().is_some_and(|now| now.as_millis().is_multiple_of(2)) {
        sleep(Duration::from_millis(1)).await;
    }
}

impl Listener for Port {
    type Socket = Narrow;

    async fn accept(&mut self) -> io::Result<(Narrow, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        let place = self.places.take(peer.ip());
        Ok((Narrow { stream, write_bytes: self.write_bytes, place }, peer))
    }
}

impl AcceptedSocket for Narrow {
    fn register(self) -> io::Result<Socket> {
        Ok(Socket::Other(Box::new(self)))
    }
}

impl Duplex for Narrow {
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        self.place.acknowledgements()
    }
}

impl AsyncRead for Narrow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Narrow {
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
