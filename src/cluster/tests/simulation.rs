//! A simulated cluster: nodes, a stream, random faults, and a check of all that the nodes have read.

use std::collections::HashMap;
use std::panic;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::fake_log::{FakeLog, Faults, Stream};
use super::mutant::Mutant;
use crate::bus::{self, Bus, Read, Segment};
use crate::cluster::node::{Node, Settings};
use crate::cluster::own_feed::OwnFeed;
use crate::cluster::view::View;
use crate::feed::{self, Control, FeedCommand, Standby, simulated};
use crate::market::{Event, FeedKind, FeedState};

/// The lease of the simulated nodes.
const LEASE: Duration = Duration::from_secs(1);

/// A node, and what it has read.
struct Simulated {
    log: FakeLog,
    bus: Arc<Bus>,
    control: Control,
    reader: bus::Reader,
    view: watch::Receiver<View>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    /// The epoch and the sequence number of the newest event that the reader has got.
    at: Option<(Arc<str>, u64)>,
}

/// The kind of all nodes of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Real,
    /// A [`Mutant`], which may be reckless.
    Mutant {
        is_reckless: bool,
    },
}

/// A cluster, and all events that any node has read.
struct Cluster {
    kind: Kind,
    stream: Arc<Stream>,
    nodes: Vec<Simulated>,
    random: SmallRng,
    events: HashMap<(Arc<str>, u64), Event>,
    /// The epochs in the order in which they were seen.
    epochs: Vec<Arc<str>>,
    losses: usize,
    started: u64,
}

fn feed_config() -> feed::Config {
    let simulated = simulated::Config {
        rate: 50.try_into().unwrap(),
        seed: Some(42),
        start: Some("2024-01-03T14:30:00Z".parse().unwrap()),
        ..simulated::Config::default()
    };
    feed::Config { simulated, ..feed::Config::default() }
}

impl Simulated {
    fn start(stream: &Arc<Stream>, number: u64, seed: u64, kind: Kind) -> Self {
        // The stream keeps far more than the history, as the configuration demands.
        let history = bus::Config { history: 100.try_into().unwrap(), ..bus::Config::default() };
        let bus = Bus::new(&history, FeedKind::Simulated, String::new());
        let feed = feed::open(&feed_config()).unwrap();
        let control = feed.control().clone();
        let (standby, remote) = Standby::new(feed);
        let (own_feed, feed_task) = OwnFeed::new(standby);
        let settings = Settings {
            id: format!("n{number}"),
            lease: LEASE,
            // A mutant has several events in most batches, so that there is something to cut.
            batch_window: Duration::from_millis(if kind == Kind::Real { 1 } else { 100 }),
            batch_bytes: 256 * 1024,
            checkpoint: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(10),
            stalled_after: Duration::from_secs(30),
            restarts: false,
            has_system_clock: false,
        };
        let log = stream.link(seed);
        let (sender, view) = watch::channel(View::new(&settings.id));
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(feed_task);
        let (own_feed, own_bus) = (Some(own_feed), Arc::clone(&bus));
        match kind {
            Kind::Real => {
                let node = Node::new(log.clone(), settings, own_bus, own_feed, remote, sender);
                tasks.spawn(node.run(stop.clone()))
            }
            Kind::Mutant { is_reckless } => {
                let log = Mutant::new(log.clone(), is_reckless);
                let node = Node::new(log, settings, own_bus, own_feed, remote, sender);
                tasks.spawn(node.run(stop.clone()))
            }
        };
        let (reader, _) = bus.reader("the check");
        Self { log, bus, control, reader, view, tasks, stop, at: None }
    }
}

impl Cluster {
    fn new(seed: u64, capacity: usize, kind: Kind) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut cluster = Self {
            kind,
            stream: Stream::new(capacity),
            nodes: Vec::new(),
            events: HashMap::new(),
            epochs: Vec::new(),
            losses: 0,
            started: 0,
            random: SmallRng::seed_from_u64(random.random()),
        };
        for _ in 0..random.random_range(3..=5) {
            cluster.start_node();
        }
        cluster
    }

    fn start_node(&mut self) {
        self.started += 1;
        let seed = self.random.random();
        self.nodes.push(Simulated::start(&self.stream, self.started, seed, self.kind));
    }

    /// Lets time pass, and checks what the nodes read meanwhile.
    async fn run(&mut self, time: Duration) {
        const STEP: Duration = Duration::from_millis(50);
        for _ in 0..time.as_millis() / STEP.as_millis() {
            sleep(STEP).await;
            self.check();
        }
    }

    /// Checks that what the nodes have read is one sequence without holes for each epoch.
    fn check(&mut self) {
        for node in &mut self.nodes {
            while let Some(read) = node.reader.try_next() {
                match read {
                    Read::Lagged(checkpoint) => {
                        if checkpoint.epoch.is_empty() {
                            continue;
                        }
                        node.at = Some((Arc::clone(&checkpoint.epoch), checkpoint.last_values.seq()));
                        if !self.epochs.contains(&checkpoint.epoch) {
                            self.epochs.push(checkpoint.epoch);
                        }
                    }
                    Read::Segment(segment) => {
                        let Segment::Events { first, events } = &*segment else { continue };
                        let (epoch, at) = node.at.as_mut().expect("events come after their epoch");
                        for (seq, event) in (*first..).zip(events) {
                            assert_eq!(seq, *at + 1, "a hole in {epoch}");
                            *at = seq;
                            let known =
                                self.events.entry((Arc::clone(epoch), seq)).or_insert_with(|| event.clone());
                            assert_eq!(known, event, "two nodes differ at {epoch}-{seq}");
                        }
                    }
                }
            }
        }
    }

    /// Ends the leader's node at once. Returns the index of a node that is left.
    async fn kill_leader(&mut self) -> usize {
        let leader = self.leaders()[0].clone().unwrap();
        let index = self.nodes.iter().position(|node| node.view.borrow().node == leader).unwrap();
        self.nodes.swap_remove(index).tasks.shutdown().await;
        0
    }

    /// Tells the leader's node to end, and waits until it has ended. Returns the index of a node that is left.
    async fn end_leader(&mut self) -> usize {
        let leader = self.leaders()[0].clone().unwrap();
        let index = self.nodes.iter().position(|node| node.view.borrow().node == leader).unwrap();
        let mut node = self.nodes.swap_remove(index);
        node.stop.cancel();
        // The node's own task ends first, and its feed with it.
        let _ = node.tasks.join_next().await;
        node.tasks.shutdown().await;
        0
    }

    fn leaders(&self) -> Vec<Option<String>> {
        self.nodes.iter().map(|node| node.view.borrow().leader.clone()).collect()
    }

    /// Does something to the cluster at random.
    async fn disturb(&mut self, with_losses: bool) {
        let index = self.random.random_range(0..self.nodes.len());
        let kind = self.random.random_range(0..if with_losses { 9 } else { 7 });
        tracing::info!(kind, node = self.nodes[index].view.borrow().node, "disturbs the cluster");
        match kind {
            0 | 1 => {
                let mut node = self.nodes.swap_remove(index);
                node.tasks.shutdown().await;
                self.run(Duration::from_millis(500)).await;
                self.start_node();
            }
            2 => {
                let mut node = self.nodes.swap_remove(index);
                node.stop.cancel();
                while self.random.random_range(0..50) > 0 && !node.tasks.is_empty() {
                    sleep(Duration::from_millis(20)).await;
                }
                node.tasks.shutdown().await;
                self.start_node();
            }
            3 => {
                self.nodes[index].log.set_faults(Faults { is_cut: true, ..Faults::default() });
                let time = self.random.random_range(100..4000);
                self.run(Duration::from_millis(time)).await;
                self.nodes[index].log.set_faults(Faults::default());
            }
            4 => {
                for node in &self.nodes {
                    node.log.set_faults(Faults { lost_answers: 20, late_appends: 20, is_cut: false });
                }
                self.run(Duration::from_secs(4)).await;
                self.nodes.iter().for_each(|node| node.log.set_faults(Faults::default()));
            }
            5 => {
                self.stream.set_down(true);
                let time = self.random.random_range(100..6000);
                self.run(Duration::from_millis(time)).await;
                self.stream.set_down(false);
            }
            6 => {
                self.nodes[index].log.set_faults(Faults { late_appends: 60, ..Faults::default() });
                self.run(Duration::from_secs(3)).await;
                self.nodes[index].log.set_faults(Faults::default());
            }
            7 => {
                self.losses += 1;
                self.stream.lose();
            }
            _ => {
                self.losses += 1;
                let count = self.random.random_range(1..30);
                self.stream.roll_back(count);
            }
        }
        let time = self.random.random_range(0..3000);
        self.run(Duration::from_millis(time)).await;
    }

    /// Waits until all nodes have the same leader and nearly the same place, and checks that events come.
    async fn settle(&mut self) {
        for _ in 0..100 {
            self.run(Duration::from_millis(200)).await;
            let leaders = self.leaders();
            let epochs: Vec<_> = self.nodes.iter().map(|node| node.bus.epoch()).collect();
            let is_same = |all: &[Arc<str>]| all.windows(2).all(|pair| pair[0] == pair[1]);
            let is_up = leaders[0]
                .as_ref()
                .is_some_and(|leader| self.nodes.iter().any(|node| node.view.borrow().node == *leader));
            if is_up && leaders.windows(2).all(|pair| pair[0] == pair[1]) && is_same(&epochs) {
                let before = self.nodes.iter().map(|node| node.bus.head()).max().unwrap();
                self.run(Duration::from_secs(2)).await;
                let least = self.nodes.iter().map(|node| node.bus.head()).min().unwrap();
                if least > before + 60 && self.leaders() == leaders {
                    return;
                }
            }
        }
        let views: Vec<View> = self.nodes.iter().map(|node| node.view.borrow().clone()).collect();
        panic!("the cluster does not settle: {views:#?}");
    }
}

/// Runs a test on a new cluster. The stream keeps at most `capacity` messages; 0 means all.
fn simulate(seed: u64, capacity: usize, test: impl AsyncFnOnce(&mut Cluster)) {
    simulate_kind(Kind::Real, seed, capacity, test);
}

/// Runs a test on a new cluster of nodes of one kind.
fn simulate_kind(kind: Kind, seed: u64, capacity: usize, test: impl AsyncFnOnce(&mut Cluster)) {
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut cluster = Cluster::new(seed, capacity, kind);
        test(&mut cluster).await;
    });
}

/// Checks that the events of the only epoch are those of a lone run.
fn check_events(cluster: &Cluster) {
    assert_eq!(cluster.epochs.len(), 1, "no epoch may begin without a loss: {:?}", cluster.epochs);
    let newest = cluster.events.keys().map(|(_, seq)| *seq).max().unwrap_or(0);
    let lone = simulated::Simulation::new(&feed_config().simulated).unwrap();
    let epoch = &cluster.epochs[0];
    for (seq, expected) in (1..=newest).zip(lone) {
        // The check itself may miss events of a node that catches up.
        let event = cluster.events.get(&(Arc::clone(epoch), seq));
        assert!(event.is_none_or(|event| *event == expected), "event {seq}: {event:?}, not {expected:?}");
    }
}

/// Returns the seeds of a test. The variable `CLUSTER_SEED` chooses one seed, and shows the nodes' log.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let Some(seed) = std::env::var("CLUSTER_SEED").ok().and_then(|seed| seed.parse().ok()) else {
        return 0..count;
    };
    // An error means that another test shows the log already.
    let _ = tracing_subscriber::fmt().without_time().with_test_writer().try_init();
    seed..seed + 1
}

#[test]
fn three_nodes_publish_what_one_node_would_and_the_next_leader_goes_on() {
    simulate(1, 0, async |cluster| {
        cluster.settle().await;
        let leader = cluster.leaders()[0].clone().unwrap();
        cluster.kill_leader().await;

        cluster.settle().await;

        assert_ne!(cluster.leaders()[0].as_ref(), Some(&leader));
        check_events(cluster);
    });
}

#[test]
fn nobody_waits_for_a_leader_that_was_told_to_end() {
    for seed in seeds(20) {
        simulate(seed, 0, async |cluster| {
            cluster.settle().await;
            // An entry is on its way at some of these times.
            sleep(Duration::from_millis(seed)).await;
            let begin = Instant::now();

            let left = cluster.end_leader().await;

            let term = |cluster: &Cluster| cluster.nodes[left].view.borrow().term;
            while term(cluster) < 2 {
                cluster.run(Duration::from_millis(50)).await;
            }
            assert!(begin.elapsed() < LEASE / 4, "seed {seed}: {:?}", begin.elapsed());
        });
    }
}

#[test]
fn a_command_to_any_node_reaches_the_leader_and_its_effect_outlives_the_leader() {
    simulate(2, 0, async |cluster| {
        cluster.settle().await;
        for index in 0..cluster.nodes.len() {
            let node = &cluster.nodes[index];
            let status = node.control.send(FeedCommand::Pause).await.unwrap();
            assert_eq!(status.state, FeedState::Paused);
            assert_eq!(node.bus.feed_state(), FeedState::Paused, "the node has read the effect");
            node.control.send(FeedCommand::Resume).await.unwrap();
        }
        cluster.nodes[0].control.send(FeedCommand::Pause).await.unwrap();

        let left = cluster.kill_leader().await;
        cluster.run(2 * LEASE).await;

        let head = cluster.nodes[left].bus.head();
        assert_eq!(cluster.nodes[left].view.borrow().term, 2, "another node leads");
        cluster.run(2 * LEASE).await;
        assert_eq!(cluster.nodes[left].bus.head(), head, "the feed is still paused");
        cluster.nodes[left].control.send(FeedCommand::Resume).await.unwrap();
        cluster.settle().await;
        check_events(cluster);
    });
}

#[test]
fn whatever_fails_the_nodes_read_one_sequence_and_the_events_of_a_lone_run() {
    for seed in seeds(200) {
        println!("seed {seed}");
        // Half of the streams soon lose their oldest entries, so that new nodes need a checkpoint.
        simulate(seed, if seed % 2 == 0 { 0 } else { 400 }, async |cluster| {
            for _ in 0..8 {
                cluster.disturb(false).await;
            }
            cluster.settle().await;
            check_events(cluster);
        });
    }
}

#[test]
fn a_stream_that_loses_entries_begins_a_new_epoch() {
    for seed in seeds(200) {
        println!("seed {seed}");
        simulate(seed, if seed % 2 == 0 { 0 } else { 400 }, async |cluster| {
            for _ in 0..6 {
                cluster.disturb(true).await;
            }
            cluster.settle().await;
            assert!(cluster.epochs.len() <= 1 + cluster.losses, "{:?}", cluster.epochs);
        });
    }
}

/// Disturbs a cluster of mutants, and checks what they have read.
fn check_mutants(seed: u64, is_reckless: bool) {
    println!("seed {seed}");
    simulate_kind(Kind::Mutant { is_reckless }, seed, 0, async |cluster| {
        for _ in 0..8 {
            cluster.disturb(false).await;
        }
        cluster.settle().await;
        check_events(cluster);
    });
}

#[test]
fn with_two_messages_in_flight_the_checks_of_the_reader_keep_the_sequence() {
    seeds(50).for_each(|seed| check_mutants(seed, false));
}

#[test]
fn with_two_messages_in_flight_and_a_reader_without_checks_the_simulation_finds_the_fault() {
    let is_found = |seed| {
        let failure = panic::catch_unwind(|| check_mutants(seed, true)).err();
        let message = failure.and_then(|failure| failure.downcast::<String>().ok()).unwrap_or_default();
        ["two nodes differ", "a hole in", "event "].iter().any(|fault| message.contains(fault))
    };

    assert!(seeds(200).any(is_found), "no seed has found the fault");
}
