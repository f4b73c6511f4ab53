//! A node: reads the shared log into its own bus, and appends to the log while it leads.
//!
//! The node's loop has one step: it appends what it may append, and then waits for whatever comes first. A
//! failure of the stream ends the inner loop, and the node opens the stream again.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use tokio::select;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::appender::Appender;
use super::checkpoint::{self, Marks, Saved};
use super::entry::{Body, Chain, Entry, Header, Lead, Origin};
use super::lease::Lease;
use super::log::{AppendError, Ends, Mail, Mailbox, Message, Messages, SharedLog, Subject, Unavailable};
use super::mail::{self, Presence};
use super::own_feed::{Leading, OwnFeed, Step};
use super::queue::Queue;
use super::reader::{Position, Reader, Verdict};
use super::view::View;
use crate::bus::{self, Bus, Checkpoint, LastValueCache, SymbolValues};
use crate::feed::{Control, ControlError, FeedCommand, Place, QueuedCommand, RemoteFeed, Status};
use crate::market::{FeedState, Symbol, Time};

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
    /// The time between two checkpoints.
    pub checkpoint: Duration,
    /// Whether the node begins a new epoch at once, with its feed anew.
    pub restarts: bool,
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
    Appended,
    Failed(Option<Ends>),
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
                    info!(%error, "opens the stream again");
                    self.appender.forget();
                    self.end = u64::MAX;
                }
            }
        }
        self.stop_leading();
    }

    /// Opens the stream at the place up to which the node has read. Tries for ever.
    async fn open(&mut self) -> L::Messages {
        let mut is_first = true;
        loop {
            let error = match self.try_open().await {
                Ok(messages) => return messages,
                Err(error) => error,
            };
            if std::mem::take(&mut is_first) {
                warn!(%error, "the stream cannot be opened, and is tried again");
            }
            if self.contact.elapsed() > CUT_OFF {
                self.degrade(format!("cut off from the cluster: {error}"));
            }
            while let Some(command) = self.remote.next_command().now_or_never() {
                // The caller may have gone.
                let _ = command.answer.send(Err(ControlError::NoLeader));
            }
            sleep(RETRY).await;
        }
    }

    async fn try_open(&mut self) -> Result<L::Messages, Unavailable> {
        let late = |_| Unavailable("no answer within a second".to_owned());
        let ends = timeout(ANSWER, self.log.ends()).await.map_err(late)??;
        if let Some(position) = self.reader.position() {
            let (number, chain) = (position.entry, position.chain);
            let is_there = timeout(ANSWER, has(&self.log, number, chain)).await.map_err(late)??;
            if !is_there {
                self.lose(number < ends.first && ends.last >= number);
            }
        }
        if self.reader.position().is_none() {
            self.read = ends.first.saturating_sub(1);
            if let Some(saved) = timeout(LOAD, newest_checkpoint(&self.log, ends)).await.map_err(late)?? {
                self.join(saved);
            }
        }
        // Beats after the newest entry may be gone, and their numbers may come again.
        self.read = self.read.min(ends.last);
        (self.end, self.opened_at) = (ends.last, ends.last);
        let messages = timeout(ANSWER, self.log.messages(self.read + 1)).await.map_err(late)??;
        let now = Instant::now();
        self.contact = now;
        self.lease.renew(now);
        if self.read >= self.end {
            self.on_caught_up();
        }
        Ok(messages)
    }

    /// Continues at a checkpoint.
    fn join(&mut self, saved: Saved) {
        info!(seq = saved.position.seq, epoch = saved.position.epoch, "continues at a checkpoint");
        self.read = saved.number;
        self.origin = Some(Arc::new(saved.position.origin.clone()));
        self.reader.go_to(saved.position.clone());
        if self.remember(&saved.position.epoch) {
            // The others have begun this epoch after the loss.
            self.lost = None;
        }
        self.step(&saved.position, saved.position.place, &[]);
        if self.lost.is_none() {
            self.marks.clear();
            self.bus.start_over(saved.into_checkpoint());
        }
    }

    /// Records that this node has read an epoch. Returns false if the node had read the epoch before.
    fn remember(&mut self, epoch: &str) -> bool {
        let is_new = !self.epochs.iter().any(|known| known == epoch);
        if is_new {
            self.epochs.push_back(epoch.to_owned());
            if self.epochs.len() > EPOCHS {
                self.epochs.pop_front();
            }
        }
        is_new
    }

    /// Forgets the place that the stream no longer has. If the place was evicted, the node has only been away
    /// for too long. Otherwise the stream has lost what this node has read.
    fn lose(&mut self, is_evicted: bool) {
        self.stop_leading();
        let position = self.reader.position().cloned();
        self.reader.forget();
        if is_evicted {
            warn!("the stream no longer has what comes next, because this node was away for too long");
        } else {
            warn!("the stream has lost entries that this node has read, so a new epoch begins");
            self.lost = self.lost.take().or(position);
        }
    }

    async fn follow(
        &mut self,
        mut messages: L::Messages,
        mailbox: &mut L::Mailbox,
        stop: &CancellationToken,
    ) -> End {
        let mut append = never();
        let mut presence = interval(PRESENCE);
        let mut resign_by: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if let Some(sending) = self.append(now) {
                append = sending;
            }
            self.save(now);
            let may_append = self.may_append(now);
            let next = self.next_step(now).min(resign_by.unwrap_or(now + BEAT));
            select! {
                biased;
                () = stop.cancelled(), if resign_by.is_none() => {
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
                _ = presence.tick() => self.announce(),
                command = self.remote.next_command() => self.execute(command),
                change = changed(&mut self.role, &mut self.own_feed, may_append) => {
                    if let (Change::Executed(status, answer), Some(term)) = (change, self.role.term()) {
                        term.queue.executed(*status, answer);
                    }
                }
                () = sleep_until(next) => {
                    if resign_by.is_some_and(|by| by <= Instant::now()) {
                        return End::Stopped;
                    }
                }
            }
        }
    }

    /// Returns when the node has something to do, even if nothing comes.
    fn next_step(&self, now: Instant) -> Instant {
        let Some(free) = self.appender.free_at(now) else { return now + BEAT };
        let next = match &self.role {
            // At the end of the window, the node looks for what the feed has published within it.
            Role::Leading(_) if free > now => free,
            Role::Leading(term) => term.next_beat,
            Role::Following => self.lease.ends_at(now),
        };
        // A candidate that may lead, but cannot, is woken when its standby has come further.
        if next <= now { now + BEAT } else { next }.max(free)
    }

    /// Begins the next append, if the node has anything to append and may do so.
    fn append(&mut self, now: Instant) -> Option<AppendFuture> {
        if !self.may_append(now) {
            return None;
        }
        let (entry, previous) = self.next_entry(now)?;
        let is_beat = entry.body.is_beat();
        let (bytes, _) = entry.encode(previous);
        let (log, expected) = (self.log.clone(), self.read);
        let subject = if is_beat { Subject::Beat } else { Subject::Log };
        self.appender.sent(expected, now);
        Some(Box::pin(async move {
            match timeout(ANSWER, log.append(subject, bytes, expected)).await {
                Ok(Ok(_)) => Answer::Appended,
                Ok(Err(AppendError::Refused | AppendError::NoAnswer)) | Err(_) => {
                    Answer::Failed(timeout(ANSWER, log.ends()).await.ok().and_then(Result::ok))
                }
            }
        }))
    }

    /// Begins to save a checkpoint, if this node leads, a checkpoint is due and something came since.
    fn save(&mut self, now: Instant) {
        let Some(term) = self.role.term().filter(|term| now >= term.next_checkpoint) else { return };
        term.next_checkpoint = now + self.settings.checkpoint;
        let Some(mark) = self.marks.oldest(&self.bus).filter(|mark| mark.number() > self.saved) else {
            return;
        };
        let (log, bus, name) = (self.log.clone(), Arc::clone(&self.bus), checkpoint::NAMES[self.next_name]);
        self.next_name = 1 - self.next_name;
        self.errands.push(Box::pin(async move {
            let number = mark.number();
            // The last values of many symbols take a while.
            let saved = spawn_blocking(move || Some(mark.save(&bus)?.encode())).await.ok().flatten();
            let Some(bytes) = saved else { return Done::Nothing };
            match timeout(LOAD, log.save(name, bytes)).await {
                Ok(Ok(())) => return Done::Saved { number },
                Ok(Err(error)) => warn!(%error, "a checkpoint cannot be saved"),
                Err(_) => warn!("a checkpoint cannot be saved in time"),
            }
            Done::Nothing
        }));
    }

    /// Announces this node to all nodes.
    fn announce(&self) {
        let view = self.view.borrow();
        let presence = Presence {
            node: self.settings.id.clone(),
            may_lead: self.own_feed.is_some(),
            seq: view.seq,
            caught_up: view.is_caught_up,
        };
        drop(view);
        let (log, bytes) = (self.log.clone(), serde_json::to_vec(&presence).expect("it can be written"));
        self.errands.push(Box::pin(async move {
            log.announce(bytes).await;
            Done::Nothing
        }));
    }

    /// Handles what comes from another node.
    fn on_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Presence(bytes) => {
                if let Ok(presence) = serde_json::from_slice(&bytes) {
                    self.view.send_modify(|view| view.nodes.record(presence, Instant::now()));
                }
            }
            Mail::Request { request, reply_to } => {
                let Ok(command) = serde_json::from_slice(&request) else { return };
                let (answer, answered) = oneshot::channel();
                match self.role {
                    Role::Leading(_) => self.execute(QueuedCommand { command, answer }),
                    // Only the leader executes commands, and does not send them on.
                    Role::Following => drop(answer.send(Err(ControlError::NoLeader))),
                }
                self.errands.push(Box::pin(async move {
                    let outcome = answered.await.unwrap_or(Err(ControlError::NoLeader));
                    Done::Executed { outcome: Box::new(outcome), reply_to }
                }));
            }
        }
    }

    /// Ends an errand.
    fn on_done(&mut self, done: Done) {
        match done {
            Done::Nothing => {}
            Done::Saved { number } => self.saved = number,
            Done::Executed { outcome, reply_to } => {
                let reply = match *outcome {
                    Ok(status) => mail::Reply::Executed { status: Box::new(status), number: self.read },
                    Err(error) => mail::Reply::Refused(error),
                };
                let (log, bytes) = (self.log.clone(), serde_json::to_vec(&reply).expect("it can be written"));
                self.errands.push(Box::pin(async move {
                    log.reply(reply_to, bytes).await;
                    Done::Nothing
                }));
            }
            Done::Answered { reply: mail::Reply::Executed { status, number }, answer } => {
                self.unread.push((number, *status, answer));
                self.answer_read();
            }
            // The caller may have gone.
            Done::Answered { reply: mail::Reply::Refused(error), answer } => drop(answer.send(Err(error))),
        }
    }

    /// Answers the commands whose effect this node has read.
    fn answer_read(&mut self) {
        let read = self.read;
        for (_, status, answer) in self.unread.extract_if(.., |(number, ..)| *number <= read) {
            // The caller may have gone.
            let _ = answer.send(Ok(status));
        }
    }

    /// Returns whether the node has read everything, and has nothing in flight.
    fn may_append(&self, now: Instant) -> bool {
        self.appender.is_free(now) && self.read >= self.end
    }

    /// Returns the next entry that this node may append, and the chain value before it.
    fn next_entry(&mut self, now: Instant) -> Option<(Entry, u64)> {
        if let Role::Following = self.role {
            return self.lead_entry(now);
        }
        let position = self.reader.position()?;
        let Role::Leading(term) = &mut self.role else { return None };
        let header = Header {
            epoch: position.epoch.clone(),
            term: position.term,
            seq: position.seq,
            taken: position.place.taken,
        };
        let status = term.status();
        if now >= term.next_beat {
            term.next_beat = now + BEAT;
            let status = serde_json::to_string(&status).unwrap_or_default();
            return Some((Entry { header, body: Body::Beat { status } }, position.chain));
        }
        term.queue.fill();
        let mut most = usize::MAX;
        loop {
            let body = term.queue.front(most, &status)?;
            let entry = Entry { header: header.clone(), body };
            let (bytes, _) = entry.encode(position.chain);
            let events = usize::try_from(entry.body.events()).unwrap_or(usize::MAX);
            if bytes.len() <= self.settings.batch_bytes || events <= 1 {
                return Some((entry, position.chain));
            }
            most = events / 2;
        }
    }

    /// Returns the entry with which this node would begin a term; `None` if the node may not lead now.
    fn lead_entry(&mut self, now: Instant) -> Option<(Entry, u64)> {
        let own_feed = self.own_feed.as_ref()?;
        let begins_epoch = self.settings.restarts || self.lost.is_some() || self.reader.position().is_none();
        // An empty stream has no leader to wait for.
        let is_empty = self.reader.position().is_none() && self.end == 0;
        // A node that knows nothing of the log leaves more time to those that do.
        let patience = if self.reader.position().is_none() { self.settings.lease } else { Duration::ZERO };
        let has_ended = self.lease.ends_at(now) + patience <= now;
        if !(self.settings.restarts || self.lost.is_some() || is_empty || has_ended) {
            return None;
        }
        let node = self.settings.id.clone();
        let before = self.reader.position();
        if !begins_epoch {
            let Position { epoch, term, origin, seq, place, pace, chain, .. } = before?;
            if !own_feed.is_at(origin, *place) {
                return None;
            }
            let (epoch, term, origin) = (epoch.clone(), term + 1, origin.clone());
            let header = Header { epoch, term, seq: *seq, taken: place.taken };
            let lead = Lead { node, begins_epoch, origin, target: place.target, pace: *pace };
            return Some((Entry { header, body: Body::Lead(lead) }, *chain));
        }
        let (origin, at, pace) = match &self.lost {
            Some(lost) if !self.settings.restarts => (lost.origin.clone(), lost.place, lost.pace),
            _ => {
                let start = own_feed.origin().start.or_else(|| Some(Time::now()));
                let origin = self.origin.as_deref().filter(|_| !self.settings.restarts).cloned();
                let origin = origin.unwrap_or_else(|| Origin { start, ..own_feed.origin().clone() });
                (origin, Place::default(), own_feed.pace())
            }
        };
        if !own_feed.is_at(&origin, at) {
            let origin = Arc::new(origin);
            self.origin = Some(Arc::clone(&origin));
            own_feed.follow(Step { origin, place: at, pace, events: Vec::new() });
            return None;
        }
        let term = self.reader.next_term();
        let header = Header { epoch: bus::random_name(), term, seq: 0, taken: at.taken };
        let lead = Lead { node, begins_epoch, origin, target: at.target, pace };
        // The chain of an epoch begins with 0.
        Some((Entry { header, body: Body::Lead(lead) }, 0))
    }

    /// Lets the feed of the leader execute a command.
    fn execute(&mut self, QueuedCommand { command, answer }: QueuedCommand) {
        let leader = self.reader.position().and_then(|position| position.leader.clone());
        if let (Role::Following, Some(leader)) = (&self.role, leader) {
            let log = self.log.clone();
            self.errands.push(Box::pin(async move {
                let reply = mail::send(&log, &leader, command).await;
                Done::Answered { reply, answer }
            }));
            return;
        }
        let Some(Term { control: Some(control), executing, queue, .. }) = self.role.term() else {
            // The caller may have gone.
            let _ = answer.send(Err(ControlError::NoLeader));
            return;
        };
        let target = if let FeedCommand::Seek(target) = command { Some(target) } else { None };
        target.inspect(|target| queue.seek_asked(*target));
        let control = control.clone();
        executing.push(Box::pin(async move { (control.send(command).await, target, answer) }));
    }

    /// Records the answer to an append. Returns an error if the stream has to be opened again.
    fn on_answer(&mut self, answer: &Answer) -> Option<Unavailable> {
        match answer {
            Answer::Appended => {
                self.contact = Instant::now();
                None
            }
            Answer::Failed(Some(ends)) if ends.last >= self.read => {
                self.appender.failed(ends.last);
                self.end = self.end.max(ends.last);
                None
            }
            Answer::Failed(Some(_)) => Some(Unavailable("the stream has lost its end".to_owned())),
            Answer::Failed(None) => Some(Unavailable("an append has no answer".to_owned())),
        }
    }

    /// Reads a message. Returns whether the log is of a newer version.
    fn on_message(&mut self, message: &Message) -> bool {
        let now = Instant::now();
        self.contact = now;
        self.read = message.number;
        self.appender.read(message.number);
        self.answer_read();
        match self.reader.read(message.number, &message.bytes) {
            Verdict::Newer(error) => {
                error!(%error, "the node stops reading the log");
                return true;
            }
            // Somebody leads, although this node cannot follow.
            Verdict::Unknown => self.lease.renew(now),
            Verdict::Skipped(fault) => {
                warn!(number = message.number, %fault, skipped = self.reader.skipped(), "an entry is skipped");
            }
            Verdict::Valid(body) => self.apply(body, now),
        }
        if self.read >= self.end {
            self.on_caught_up();
        }
        false
    }

    /// Applies a valid entry.
    fn apply(&mut self, body: Body, now: Instant) {
        self.lease.renew(now);
        let position = self.reader.position().expect("a valid entry has a place").clone();
        if self.origin.as_deref() != Some(&position.origin) {
            self.origin = Some(Arc::new(position.origin.clone()));
        }
        if let Role::Leading(term) = &mut self.role {
            term.queue.stored(&body);
        }
        match body {
            Body::Events(events) => {
                let taken = position.place.taken - events.len() as u64;
                self.step(&position, Place { taken, ..position.place }, &events);
                if self.lost.is_none() {
                    self.bus.publish(events);
                }
            }
            Body::Mark { state, .. } => {
                self.step(&position, position.place, &[]);
                self.set_state(state);
            }
            Body::Values(values) => self.values.extend(values),
            Body::Seek { position: to, state, .. } => {
                self.step(&position, position.place, &[]);
                if self.lost.is_none() {
                    let values = std::mem::take(&mut self.values);
                    self.bus.seek(LastValueCache::of(position.seq, values), to, state);
                }
            }
            Body::Lead(lead) => self.on_lead(&lead, &position),
            Body::Resign => {
                self.stop_leading();
                self.lease.vacate();
                self.step(&position, position.place, &[]);
            }
            Body::Beat { status } => {
                if let Ok(status) = serde_json::from_str(&status) {
                    self.remote.set_status(status);
                }
            }
        }
        if let Role::Leading(term) = &self.role {
            term.queue.report();
        }
        if self.lost.is_none() && self.values.is_empty() {
            self.marks.record(&self.bus, &position, self.read);
        }
        let skipped = self.reader.skipped();
        self.view.send_modify(|view| view.advance(&position, skipped));
    }

    fn on_lead(&mut self, lead: &Lead, position: &Position) {
        self.stop_leading();
        self.values.clear();
        info!(node = lead.node, term = position.term, epoch = position.epoch, "a term begins");
        // A node that has lost its place reads the old epochs once more.
        if lead.begins_epoch && self.remember(&position.epoch) {
            (self.lost, self.saved) = (None, 0);
            self.marks.clear();
            self.bus.start_over(Checkpoint {
                epoch: position.epoch.as_str().into(),
                position: 0,
                last_values: LastValueCache::at(0),
                feed_state: position.state.clone(),
                seek: None,
            });
        }
        if lead.node != self.settings.id {
            self.step(position, position.place, &[]);
            return;
        }
        if position.entry <= self.opened_at {
            // The term was this node's own, but the node no longer has what its feed had published.
            self.lease.vacate();
            self.step(position, position.place, &[]);
            return;
        }
        self.settings.restarts = false;
        let Some(own_feed) = self.own_feed.as_ref() else { return };
        let (bus, queue) = Queue::new(self.bus.kind(), &position.epoch, position.seq, position.state.clone());
        let (stop, (control, starting)) = (CancellationToken::new(), oneshot::channel());
        let leading = Leading {
            place: position.place,
            bus,
            pace: position.pace,
            state: position.state.clone(),
            stop: stop.clone(),
            control,
        };
        let is_ready = own_feed.is_at(&position.origin, position.place) && own_feed.lead(leading);
        let mut term = Term {
            queue,
            stop,
            control: None,
            starting: Some(starting),
            next_beat: Instant::now() + BEAT,
            next_checkpoint: Instant::now() + self.settings.checkpoint,
            is_resigning: false,
            executing: FuturesUnordered::new(),
        };
        if !is_ready {
            warn!("this node leads, but its own feed is not ready, so the node resigns");
            term.resign();
        }
        self.role = Role::Leading(Box::new(term));
    }

    fn stop_leading(&mut self) {
        if let Role::Leading(term) = std::mem::replace(&mut self.role, Role::Following) {
            term.stop.cancel();
        }
    }

    /// Lets the own standby follow, unless this node leads.
    fn step(&self, position: &Position, place: Place, events: &[crate::market::Event]) {
        if let (Role::Following, Some(own_feed), Some(origin)) = (&self.role, &self.own_feed, &self.origin) {
            let origin = Arc::clone(origin);
            own_feed.follow(Step { origin, place, pace: position.pace, events: events.to_vec() });
        }
    }

    fn on_caught_up(&mut self) {
        if self.is_degraded {
            self.is_degraded = false;
            if let Some(position) = self.reader.position() {
                self.bus.set_feed_state(position.state.clone());
            }
        }
        let is_caught_up = self.reader.position().is_some() && self.lost.is_none();
        self.view.send_if_modified(|view| view.set_caught_up(is_caught_up));
    }

    fn degrade(&mut self, detail: String) {
        if !std::mem::replace(&mut self.is_degraded, true) {
            warn!(detail, "this node is cut off");
            self.bus.set_feed_state(FeedState::Degraded { detail });
        }
    }

    fn set_state(&mut self, state: FeedState) {
        if self.lost.is_none() && !self.is_degraded && self.bus.feed_state() != state {
            self.bus.set_feed_state(state);
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

/// What a node does beside the log.
type Errand = Pin<Box<dyn Future<Output = Done> + Send>>;

/// The end of an errand.
enum Done {
    Nothing,
    /// A checkpoint was saved.
    Saved {
        number: u64,
    },
    /// This node's feed has executed, or refused, the command of another node.
    Executed {
        outcome: Box<Result<Status, ControlError>>,
        reply_to: String,
    },
    /// The leader has answered a command of this node.
    Answered {
        reply: mail::Reply,
        answer: Answers,
    },
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

/// Waits for a change of this node's own feed. If the node may not append, what the feed publishes is no
/// change.
///
/// Cancel safe: a cancelled wait loses no change.
async fn changed(role: &mut Role, own_feed: &mut Option<OwnFeed>, may_append: bool) -> Change {
    match (role, own_feed) {
        (Role::Leading(term), _) => {
            let Term { queue, executing, is_resigning, .. } = &mut **term;
            select! {
                (executed, target, answer) = next_executed(executing) => match executed {
                    Ok(status) => return Change::Executed(Box::new(status), answer),
                    Err(error) => {
                        target.inspect(|_| queue.seek_refused());
                        // The caller may have gone.
                        let _ = answer.send(Err(error));
                    }
                },
                () = queue.ready(), if may_append && !*is_resigning => {}
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

/// Returns the newest checkpoint from which the stream still has all entries.
async fn newest_checkpoint(log: &impl SharedLog, ends: Ends) -> Result<Option<Saved>, Unavailable> {
    let mut newest: Option<Saved> = None;
    for name in checkpoint::NAMES {
        let Some(saved) = log.load(name).await?.and_then(|bytes| Saved::decode(&bytes)) else {
            continue;
        };
        let is_reached = saved.number + 1 >= ends.first && saved.number <= ends.last;
        if !is_reached || newest.as_ref().is_some_and(|newest| newest.number >= saved.number) {
            continue;
        }
        // A checkpoint of a stream that was lost does not fit to the stream.
        let entry = saved.position.entry;
        if entry < ends.first || has(log, entry, saved.position.chain).await? {
            newest = Some(saved);
        }
    }
    Ok(newest)
}

/// Returns whether the stream has an entry with this chain value.
async fn has(log: &impl SharedLog, entry: u64, chain: Chain) -> Result<bool, Unavailable> {
    let stored = log.message(entry).await?;
    Ok(stored.is_some_and(|bytes| Entry::decode(&bytes).is_ok_and(|(_, stated)| stated == chain)))
}
