//! A node: reads the shared log into its own bus, and appends to the log while it leads.
//!
//! The node's loop has one step: it appends what it may append, and then waits for whatever comes first. A
//! failure of the stream ends the inner loop, and the node opens the stream again.

mod appending;
mod applying;
mod errands;
mod opening;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::select;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::errands::Errand;
use super::appender::Appender;
use super::checkpoint::Marks;
use super::entry::Origin;
use super::lease::Lease;
use super::log::{AppendError, Ends, Mailbox, Messages, SharedLog, Unavailable};
use super::own_feed::OwnFeed;
use super::queue::Queue;
use super::reader::{Position, Reader};
use super::view::View;
use crate::bus::{Bus, SymbolValues};
use crate::exact_timer::ExactTimer;
use crate::feed::{Control, ControlError, RemoteFeed, Status};
use crate::market::{Symbol, Time};

/// The time between two beats of a leader.
const BEAT: Duration = Duration::from_millis(500);

/// After this time without the stream, the node tells its clients that it is cut off.
const CUT_OFF: Duration = Duration::from_secs(2);

/// The longest wait before the stream is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How long an answer of the stream may take.
const ANSWER: Duration = Duration::from_secs(1);

/// How long saving or loading a checkpoint may take.
const LOAD: Duration = Duration::from_secs(10);

/// The time between two signs of presence.
const PRESENCE: Duration = Duration::from_secs(1);

/// The time between two signs of presence at full speed, when the feed waits for the clients of all nodes.
const FULL_SPEED_PRESENCE: Duration = Duration::from_millis(20);

/// A stream that is alive but gives no message for this long has no more.
const NOTHING_LEFT: Duration = Duration::from_secs(2);

/// How many epochs a node remembers. A node reads an old epoch again only after a loss.
const EPOCHS: usize = 64;

/// How long a node tries to resign before it ends.
const RESIGN: Duration = Duration::from_secs(1);

/// The settings of a node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The id of the node.
    pub id: String,
    /// How long the others wait for a silent leader.
    pub lease: Duration,
    /// The least time between two appends.
    pub batch_window: Duration,
    /// The largest size of an entry, in bytes.
    pub batch_bytes: usize,
    /// How long one slow client may keep a feed at full speed waiting.
    pub stall_timeout: Duration,
    /// After this time without an entry of a leader, the feed is stalled.
    pub stalled_after: Duration,
    /// The time between two checkpoints.
    pub checkpoint: Duration,
    /// Whether the node begins a new epoch at once, with its feed anew.
    pub restarts: bool,
    /// Whether tokio's clock follows the system's clock; false in tests, which may pause tokio's clock.
    pub has_system_clock: bool,
}

/// A node of the cluster.
#[derive(Debug)]
pub struct Node<L> {
    log: L,
    settings: Settings,
    bus: Arc<Bus>,
    own_feed: Option<OwnFeed>,
    /// The other end of the control that clients use.
    remote: RemoteFeed,
    reader: Reader,
    /// The number of the newest message that the node has read, or has left out.
    read: u64,
    /// The node has caught up when it has read the message with this number.
    end: u64,
    appender: Appender,
    /// Whether the newest append had no answer, and was not stored.
    is_unanswered: bool,
    /// The logged reason why the stream takes no entry; `None` if it takes entries.
    untaken: Option<String>,
    lease: Lease,
    role: Role,
    /// The place that the stream has lost, although this node has read it. A new epoch has to begin.
    lost: Option<Position>,
    /// The newest epochs that this node has read.
    epochs: VecDeque<String>,
    /// The last values of a seek that is still to come.
    values: Vec<(Symbol, SymbolValues)>,
    /// The places of some positions of the bus, for checkpoints.
    marks: Marks,
    /// What the node does beside the log.
    errands: FuturesUnordered<Errand>,
    /// The commands that the leader has executed, and whose effect this node has yet to read.
    unread: Vec<(u64, Status, Answers)>,
    /// The number of the newest message before the newest checkpoint that this node has saved.
    saved: u64,
    /// The index of the name of the next checkpoint.
    next_name: usize,
    /// The number of the newest message when the stream was last opened.
    opened_at: u64,
    /// The newest origin that this node has read.
    origin: Option<Arc<Origin>>,
    /// When the stream last gave a sign of life.
    contact: Instant,
    is_degraded: bool,
    /// Whether this node has told its clients that no node leads.
    is_stalled: bool,
    view: watch::Sender<View>,
}

/// The role of a node in the present term.
#[derive(Debug)]
enum Role {
    /// Another node leads, or no node.
    Following,
    /// This node leads.
    Leading(Box<Term>),
}

/// This node's own term.
#[derive(Debug)]
struct Term {
    queue: Queue,
    /// Ends the feed.
    stop: CancellationToken,
    /// The control of the feed; `None` until the feed runs.
    control: Option<Control>,
    starting: Option<oneshot::Receiver<Control>>,
    next_beat: Instant,
    next_checkpoint: Instant,
    is_resigning: bool,
    /// The commands that the feed executes.
    executing: FuturesUnordered<Executing>,
}

/// The execution of a command, and who waits for it.
type Executing = Pin<Box<dyn Future<Output = (Result<Status, ControlError>, Option<Time>, Answers)> + Send>>;

/// Gets the answer to a command.
type Answers = oneshot::Sender<Result<Status, ControlError>>;

/// Why the inner loop has ended.
enum End {
    /// The node has to end.
    Stopped,
    /// The stream has to be opened again.
    Reopen(Unavailable),
    /// The log is of a newer version.
    Newer,
}

/// The result of an append, and the end of the stream after a failed append.
enum Answer {
    Appended { after: Duration },
    Failed { error: AppendError, ends: Option<Ends> },
}

impl<L: SharedLog> Node<L> {
    /// Returns a node that has read nothing. The node tells `view` what it knows of the cluster.
    pub fn new(
        log: L,
        settings: Settings,
        bus: Arc<Bus>,
        own_feed: Option<OwnFeed>,
        remote: RemoteFeed,
        view: watch::Sender<View>,
    ) -> Self {
        let now = Instant::now();
        let (appender, lease) = (Appender::new(settings.batch_window), Lease::new(settings.lease, now));
        Self {
            log,
            settings,
            bus,
            own_feed,
            remote,
            reader: Reader::default(),
            read: 0,
            end: u64::MAX,
            appender,
            is_unanswered: false,
            untaken: None,
            lease,
            role: Role::Following,
            lost: None,
            epochs: VecDeque::new(),
            values: Vec::new(),
            marks: Marks::default(),
            errands: FuturesUnordered::new(),
            unread: Vec::new(),
            saved: 0,
            next_name: 0,
            opened_at: 0,
            origin: None,
            contact: now,
            is_degraded: false,
            is_stalled: false,
            view,
        }
    }

    /// Runs the node until `stop` fires, or for ever. A leader resigns before it ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut mailbox = None;
        loop {
            let Some(messages) = stop.run_until_cancelled(self.open()).await else { break };
            let mailbox = match &mut mailbox {
                Some(mailbox) => mailbox,
                None => match self.log.mailbox(&self.settings.id).await {
                    Ok(opened) => mailbox.insert(opened),
                    Err(error) => {
                        warn!(%error, "the node cannot be asked");
                        continue;
                    }
                },
            };
            match self.follow(messages, mailbox, &stop).await {
                End::Stopped => break,
                End::Newer => {
                    self.stop_leading();
                    self.degrade("the cluster's log is of a newer version; update this node".to_owned());
                    stop.cancelled().await;
                    break;
                }
                End::Reopen(error) => {
                    self.bus.set_current(false);
                    info!(%error, "opens the stream again");
                    self.appender.forget();
                    self.end = u64::MAX;
                }
            }
        }
        self.stop_leading();
    }

    async fn follow(
        &mut self,
        mut messages: L::Messages,
        mailbox: &mut L::Mailbox,
        stop: &CancellationToken,
    ) -> End {
        let mut append = never();
        let mut timer = ExactTimer::new(self.settings.has_system_clock);
        let mut next_presence = Instant::now();
        let mut resign_by: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if self.read < self.end && now.duration_since(self.contact) > NOTHING_LEFT {
                // The newest messages were deleted, so their numbers never come.
                self.read = self.end;
                self.on_caught_up();
            }
            if let Some(sending) = self.append(now) {
                append = sending;
            }
            self.save(now);
            let (may_fill, window_end) = (self.may_fill(now), self.window_end(now));
            // The program ends with the feed, and the clients have everything.
            let is_done = self.bus.is_ending() && !self.must_wait();
            let next = self.next_step(now).min(resign_by.unwrap_or(now + BEAT));
            select! {
                biased;
                () = ended(stop, is_done), if resign_by.is_none() => {
                    let Role::Leading(term) = &mut self.role else { return End::Stopped };
                    term.resign();
                    resign_by = Some(Instant::now() + RESIGN);
                }
                message = messages.next() => match message {
                    Ok(message) => {
                        if self.on_message(&message) {
                            return End::Newer;
                        }
                        if resign_by.is_some() && matches!(self.role, Role::Following) {
                            return End::Stopped;
                        }
                    }
                    Err(error) => return End::Reopen(error),
                },
                answer = &mut append => {
                    append = never();
                    if let Some(error) = self.on_answer(&answer) {
                        return End::Reopen(error);
                    }
                }
                Some(done) = self.errands.next() => self.on_done(done),
                mail = mailbox.next() => self.on_mail(mail),
                () = sleep_until(next_presence) => {
                    self.announce();
                    let period = if self.bus.is_flow_controlled() { FULL_SPEED_PRESENCE } else { PRESENCE };
                    next_presence = Instant::now() + period;
                    self.report();
                    if self.reader.position().is_some() && self.lease.silence() > self.settings.stalled_after {
                        self.stall();
                    }
                }
                () = served(&self.bus, self.settings.stall_timeout), if self.must_wait() => self.on_served(),
                command = self.remote.next_command() => self.execute(command),
                change = changed(&mut self.role, &mut self.own_feed, may_fill) => {
                    if let (Change::Executed(status, answer), Some(term)) = (change, self.role.term()) {
                        term.queue.executed(*status, answer);
                    }
                }
                () = timer.sleep_until(window_end.unwrap_or(now)), if window_end.is_some() => {}
                () = sleep_until(next) => {
                    if resign_by.is_some_and(|by| by <= Instant::now()) {
                        return End::Stopped;
                    }
                }
            }
        }
    }

    /// Returns whether the feed waits for clients of this node.
    fn must_wait(&self) -> bool {
        self.bus.is_flow_controlled() && self.bus.served() < self.bus.head()
    }

    /// Returns whether what the feed publishes goes into the queue now. It waits outside, so that it does not wake
    /// the node, while a message is in flight or the next one waits for the window's end.
    fn may_fill(&self, now: Instant) -> bool {
        let is_idle = self.appender.free_at(now).is_some() && self.read >= self.end;
        is_idle && matches!(&self.role, Role::Leading(term) if term.queue.is_empty())
    }

    /// Returns when the next append begins, if this node has something to append, but the window is not over.
    fn window_end(&self, now: Instant) -> Option<Instant> {
        let is_due = |term: &Term| !term.queue.is_empty() || term.next_beat <= now;
        let is_waiting = matches!(&self.role, Role::Leading(term) if is_due(term));
        self.appender.free_at(now).filter(|free| is_waiting && *free > now)
    }

    /// Returns when the node has something to do, even if nothing comes.
    fn next_step(&self, now: Instant) -> Instant {
        let Some(free) = self.appender.free_at(now) else { return now + BEAT };
        let next = match &self.role {
            Role::Leading(term) => term.next_beat,
            Role::Following => self.lease.ends_at(now),
        };
        // A candidate that may lead, but cannot, is woken when its standby has come further.
        if next <= now { now + BEAT } else { next }.max(free)
    }
}

/// Waits until the node has to end.
///
/// Cancel safe: the wait takes nothing.
async fn ended(stop: &CancellationToken, is_done: bool) {
    if !is_done {
        stop.cancelled().await;
    }
}

/// Waits until the clients of this node have got all events. Gives up the readers that make no progress for
/// `patience`, except for shards, which close the clients that stall the feed.
///
/// Cancel safe: a cancelled wait begins its patience anew.
async fn served(bus: &Bus, patience: Duration) {
    if timeout(patience, bus.caught_up()).await.is_err() {
        for reader in bus.give_up_silent_readers() {
            warn!(reader, "the feed no longer waits for a reader that makes no progress");
        }
    }
}

impl Role {
    fn term(&mut self) -> Option<&mut Term> {
        match self {
            Self::Leading(term) => Some(term),
            Self::Following => None,
        }
    }
}

impl Term {
    /// Ends the feed, and puts the end of the term into the queue.
    fn resign(&mut self) {
        self.stop.cancel();
        self.queue.resign();
        self.is_resigning = true;
    }

    fn status(&mut self) -> Status {
        match self.starting.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(control)) => (self.control, self.starting) = (Some(control), None),
            Some(Err(oneshot::error::TryRecvError::Closed)) => {
                self.starting = None;
                self.resign();
            }
            Some(Err(oneshot::error::TryRecvError::Empty)) | None => {}
        }
        let none = || Status::new(self.queue.kind());
        self.control.as_ref().map_or_else(none, Control::status)
    }
}

type AppendFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

fn never() -> AppendFuture {
    Box::pin(std::future::pending())
}

/// A change of this node's own feed.
enum Change {
    /// The feed has published something, or the standby has come further.
    Further,
    /// The feed has executed a command.
    Executed(Box<Status>, Answers),
}

/// Waits for a change of this node's own feed. If the node leads and `may_fill`, takes what the feed publishes
/// into the queue.
///
/// Cancel safe: a cancelled wait loses no change.
async fn changed(role: &mut Role, own_feed: &mut Option<OwnFeed>, may_fill: bool) -> Change {
    match (role, own_feed) {
        (Role::Leading(term), _) => {
            let Term { queue, executing, .. } = &mut **term;
            select! {
                (executed, target, answer) = next_executed(executing) => match executed {
                    Ok(status) => return Change::Executed(Box::new(status), answer),
                    Err(error) => {
                        target.inspect(|_| queue.seek_refused());
                        // The caller may have gone.
                        let _ = answer.send(Err(error));
                    }
                },
                () = queue.ready(), if may_fill => {
                    queue.fill();
                }
            }
        }
        (Role::Following, Some(own_feed)) => own_feed.changed().await,
        (Role::Following, None) => std::future::pending().await,
    }
    Change::Further
}

async fn next_executed(
    executing: &mut FuturesUnordered<Executing>,
) -> (Result<Status, ControlError>, Option<Time>, Answers) {
    match executing.next().await {
        Some(executed) => executed,
        None => std::future::pending().await,
    }
}
