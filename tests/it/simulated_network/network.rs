//! The world of a run: the server's host, the clients' hosts, and the network between them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tickerplant::bus::Bus;
use tickerplant::hub::{Duplex, Socket};
use tickerplant::market::{FeedKind, FeedState};
use tickerplant::server::{Arriving, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim};

use super::checker::Checker;
use super::client::Client;
use super::plan::{Market, PROMPTNESS, Plan, TROUBLE, Trouble};
use super::truth::Truth;
use crate::support::one_worker;

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
    /// Stops the present life.
    stop: Rc<RefCell<CancellationToken>>,
}

/// The simulated network's listener, with sockets that take only so many bytes at a time.
struct Port {
    listener: TcpListener,
    write_bytes: usize,
}

#[derive(Debug)]
struct Narrow {
    stream: TcpStream,
    write_bytes: usize,
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

    let server = Server { plan: Rc::clone(&plan), truth: Rc::clone(&truth), stop: Rc::default() };
    let stop = Rc::clone(&server.stop);
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
            })
        })
        .collect();
    for (number, client) in clients.iter().enumerate() {
        let client = Rc::clone(client);
        sim.host(name(number), move || Rc::clone(&client).run());
    }

    let fault = drive(&mut sim, &plan, &clients, &is_calm, &stop);
    drop(sim);
    let mut seen = BTreeMap::new();
    for client in &clients {
        for (what, count) in &client.checker.borrow().seen {
            *seen.entry(*what).or_default() += count;
        }
    }
    Run { transcripts: clients.iter().map(|client| client.transcript.take()).collect(), seen, fault }
}

/// Moves the world on until everybody is level; returns what is wrong.
fn drive(
    sim: &mut Sim<'_>,
    plan: &Plan,
    clients: &[Rc<Client>],
    is_calm: &Cell<bool>,
    stop: &RefCell<CancellationToken>,
) -> Option<(usize, String)> {
    let mut troubles = plan.troubles.iter().peekable();
    loop {
        let now = sim.elapsed();
        while let Some((_, trouble)) = troubles.next_if(|(at, _)| *at <= now) {
            make(sim, *trouble, stop);
        }
        is_calm.set(now > TROUBLE);
        if (Plan::calm()..Plan::calm() + TICK).contains(&now) {
            for client in clients {
                client.checker.borrow_mut().begin_to_watch();
            }
        }
        if let Err(error) = sim.step() {
            return Some((0, format!("a host failed: {error}")));
        }
        let mut faults = clients.iter().enumerate();
        if let Some(fault) = faults.find_map(|(number, client)| Some((number, client.fault.take()?))) {
            return Some(fault);
        }
        if let Some(late) = clients.iter().position(|client| is_late(client, now)) {
            return Some((late, "what was published should have come".to_owned()));
        }
        if now > Plan::quiet() + PROMPTNESS {
            let behind = clients.iter().position(|client| !client.checker.borrow().is_level())?;
            if now > Plan::end() {
                return Some((behind, "it is not level long after the last event".to_owned()));
            }
        }
    }
}

/// Whether a client on a steady connection has to have all by now, and has not.
fn is_late(client: &Client, now: Duration) -> bool {
    let due = Plan::quiet() + client.checker.borrow().promptness();
    (due..due + TICK).contains(&now) && client.checker.borrow().has_all() == Some(false)
}

fn make(sim: &mut Sim<'_>, trouble: Trouble, stop: &RefCell<CancellationToken>) {
    match trouble {
        Trouble::Hold(client) => sim.hold(name(client), SERVER),
        Trouble::Release(client) => sim.release(name(client), SERVER),
        Trouble::Part(client) => sim.partition(name(client), SERVER),
        Trouble::Mute(client) => sim.partition_oneway(name(client), SERVER),
        Trouble::Deafen(client) => sim.partition_oneway(SERVER, name(client)),
        Trouble::Repair(client) => sim.repair(name(client), SERVER),
        Trouble::Latency(client, latency) => sim.set_link_max_message_latency(name(client), SERVER, latency),
        Trouble::Crash(client) => sim.crash(name(client)),
        Trouble::Bounce(client) => sim.bounce(name(client)),
        Trouble::CrashServer => sim.crash(SERVER),
        Trouble::StopServer => stop.borrow().cancel(),
        Trouble::BounceServer => sim.bounce(SERVER),
    }
}

fn name(client: usize) -> String {
    format!("client{client}")
}

impl Server {
    /// One life: it begins with a new epoch and an empty log.
    async fn live(self) -> turmoil::Result {
        let epoch = self.truth.borrow_mut().begin();
        let bus = Bus::new(&self.plan.config.bus, FeedKind::Simulated, epoch.clone());
        let listener = TcpListener::bind("0.0.0.0:8000").await?;
        let port = Port { listener, write_bytes: self.plan.write_bytes };
        let stop = CancellationToken::new();
        self.stop.replace(stop.clone());
        let config = self.plan.config.clone();
        tokio::select! {
            biased;
            () = one_worker::serve(config, Arc::clone(&bus), port, stop) => {}
            () = self.publish(&self.plan.market, &bus, &epoch) => {}
        }
        Ok(())
    }

    async fn publish(&self, market: &Market, bus: &Bus, epoch: &str) {
        let mut dice = market.dice(epoch);
        sleep(Duration::from_millis(1)).await;
        while turmoil::sim_elapsed().is_some_and(|now| now < Plan::quiet()) {
            sleep(market.pause(&mut dice)).await;
            let is_calm = turmoil::sim_elapsed().is_some_and(|now| now > TROUBLE);
            for batch in market.step(&mut dice, is_calm) {
                let mut events = Vec::new();
                for (event, published) in batch {
                    self.truth.borrow_mut().publish(published);
                    events.push(event);
                }
                bus.publish(events);
            }
            if market.has_news(&mut dice) {
                bus.mark(FeedState::Failed { detail: bus.head().to_string() });
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Listener for Port {
    type Socket = Narrow;

    async fn accept(&mut self) -> io::Result<(Narrow, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((Narrow { stream, write_bytes: self.write_bytes }, peer))
    }
}

impl Arriving for Narrow {
    fn arrive(self) -> io::Result<Socket> {
        Ok(Socket::Other(Box::new(self)))
    }
}

impl Duplex for Narrow {}

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
