//! A shared log in memory, with faults: cut links, lost answers, late appends, evictions, a stream that is lost
//! or loses its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::log::{
    AppendError, Ask, Ends, Mail, Mailbox, Message, Messages, SharedLog, Subject, Unavailable,
};

/// After this time without a sign of life, a reader of the stream gives up.
const SILENCE: Duration = Duration::from_secs(1);

/// The stream that all nodes share.
#[derive(Debug)]
pub struct Stream {
    state: Mutex<State>,
    /// Changes with every change of the stream.
    changed: watch::Sender<u64>,
    /// The newest request of a node, and the node that is asked.
    mail: watch::Sender<Option<(String, Mail)>>,
}

/// The requests to one node.
#[derive(Debug)]
pub struct FakeMailbox {
    node: String,
    mail: watch::Receiver<Option<(String, Mail)>>,
}

#[derive(Debug, Default)]
struct State {
    messages: BTreeMap<u64, (Subject, Vec<u8>)>,
    saved: BTreeMap<&'static str, Vec<u8>>,
    requests: u64,
    answers: BTreeMap<u64, oneshot::Sender<Vec<u8>>>,
    last: u64,
    is_down: bool,
    /// Changes when consumers are lost.
    generation: u64,
    /// The messages that the stream may keep; 0 means without limit.
    capacity: usize,
}

/// One node's access to the stream.
#[derive(Clone, Debug)]
pub struct FakeLog {
    stream: Arc<Stream>,
    link: Arc<Link>,
}

#[derive(Debug)]
struct Link {
    random: Mutex<SmallRng>,
    faults: Mutex<Faults>,
}

/// The faults of one node's link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Nothing goes through.
    pub is_cut: bool,
    /// How many of a hundred answers to appends are lost.
    pub lost_answers: u32,
    /// How many of a hundred appends arrive seconds later.
    pub late_appends: u32,
}

/// The messages that a node reads.
#[derive(Debug)]
pub struct FakeMessages {
    log: FakeLog,
    next: u64,
    generation: u64,
    /// The message that is on its way, and when it arrives.
    on_its_way: Option<(Message, Instant)>,
    heard: Instant,
}

impl Stream {
    pub fn new(capacity: usize) -> Arc<Self> {
        let state = State { capacity, ..State::default() };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            mail: watch::Sender::new(None),
        })
    }

    /// Returns a node's access to the stream.
    pub fn link(self: &Arc<Self>, seed: u64) -> FakeLog {
        let link = Link { random: Mutex::new(SmallRng::seed_from_u64(seed)), faults: Mutex::default() };
        FakeLog { stream: Arc::clone(self), link: Arc::new(link) }
    }

    /// Stops the server, or starts it again with the stream as it was.
    pub fn set_down(&self, is_down: bool) {
        self.change(|state| {
            state.is_down = is_down;
            state.generation += 1;
        });
    }

    /// Loses the whole stream.
    pub fn lose(&self) {
        self.change(|state| {
            let (capacity, generation, is_down) = (state.capacity, state.generation + 1, state.is_down);
            *state = State { is_down, generation, capacity, ..State::default() };
        });
    }

    /// Loses the newest `count` messages.
    pub fn roll_back(&self, count: u64) {
        self.change(|state| {
            state.last = state.last.saturating_sub(count);
            let last = state.last;
            state.messages.retain(|number, _| *number <= last);
            state.generation += 1;
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let outcome = change(&mut self.state());
        self.changed.send_modify(|count| *count += 1);
        outcome
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn append(&self, subject: Subject, bytes: Vec<u8>, expected: u64) -> Result<u64, AppendError> {
        self.change(|state| {
            if state.is_down {
                return Err(AppendError::NoAnswer);
            }
            if state.last != expected {
                return Err(AppendError::Refused);
            }
            state.last += 1;
            if subject == Subject::Beat {
                state.messages.retain(|_, (subject, _)| *subject != Subject::Beat);
            }
            state.messages.insert(state.last, (subject, bytes));
            while state.capacity > 0 && state.messages.len() > state.capacity {
                state.messages.pop_first();
            }
            Ok(state.last)
        })
    }
}

impl FakeLog {
    pub fn set_faults(&self, faults: Faults) {
        *self.link.faults.lock().unwrap() = faults;
        self.stream.changed.send_modify(|count| *count += 1);
    }

    /// Returns a message at once, whatever the faults.
    pub fn stored(&self, number: u64) -> Option<Vec<u8>> {
        self.stream.state().messages.get(&number).map(|(_, bytes)| bytes.clone())
    }

    fn faults(&self) -> Faults {
        *self.link.faults.lock().unwrap()
    }

    fn random(&self, below: u32) -> u32 {
        self.link.random.lock().unwrap().random_range(0..below)
    }

    fn delay(&self) -> Duration {
        Duration::from_micros(100 + u64::from(self.random(3000)))
    }

    /// Waits for the way to the server and back. Fails if nothing goes through.
    async fn travel(&self) -> Result<(), Unavailable> {
        sleep(self.delay()).await;
        if self.faults().is_cut || self.stream.state().is_down {
            sleep(SILENCE / 2).await;
            return Err(Unavailable("the link is cut".to_owned()));
        }
        Ok(())
    }
}

impl Ask for FakeLog {
    async fn ask(&self, node: &str, request: Vec<u8>) -> Result<Vec<u8>, Unavailable> {
        self.travel().await?;
        let (sender, answer) = oneshot::channel();
        let number = self.stream.change(|state| {
            state.requests += 1;
            state.answers.insert(state.requests, sender);
            state.requests
        });
        let reply_to = number.to_string();
        self.stream.mail.send_replace(Some((node.to_owned(), Mail::Request { request, reply_to })));
        answer.await.map_err(|_| Unavailable("no answer".to_owned()))
    }
}

impl Mailbox for FakeMailbox {
    async fn next(&mut self) -> Mail {
        loop {
            if self.mail.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some((node, mail)) = &*self.mail.borrow_and_update()
                && *node == self.node
            {
                return mail.clone();
            }
        }
    }
}

impl SharedLog for FakeLog {
    type Mailbox = FakeMailbox;
    type Messages = FakeMessages;

    async fn append(&self, subject: Subject, message: Vec<u8>, expected: u64) -> Result<u64, AppendError> {
        self.travel().await.map_err(|_| AppendError::NoAnswer)?;
        let faults = self.faults();
        if self.random(100) < faults.late_appends {
            let (stream, late) =
                (Arc::clone(&self.stream), Duration::from_millis(u64::from(self.random(4000))));
            #[expect(clippy::disallowed_methods, reason = "a late append outlives its node")]
            tokio::spawn(async move {
                sleep(late).await;
                let _ = stream.append(subject, message, expected);
            });
            sleep(SILENCE).await;
            return Err(AppendError::NoAnswer);
        }
        let answer = self.stream.append(subject, message, expected);
        if self.random(100) < faults.lost_answers {
            sleep(SILENCE).await;
            return Err(AppendError::NoAnswer);
        }
        sleep(self.delay()).await;
        answer
    }

    async fn ends(&self) -> Result<Ends, Unavailable> {
        self.travel().await?;
        let state = self.stream.state();
        let first = state.messages.first_key_value().map_or(state.last + 1, |(number, _)| *number);
        Ok(Ends { first, last: state.last })
    }

    async fn message(&self, number: u64) -> Result<Option<Vec<u8>>, Unavailable> {
        self.travel().await?;
        Ok(self.stream.state().messages.get(&number).map(|(_, bytes)| bytes.clone()))
    }

    async fn mailbox(&self, node: &str) -> Result<FakeMailbox, Unavailable> {
        Ok(FakeMailbox { node: node.to_owned(), mail: self.stream.mail.subscribe() })
    }

    async fn announce(&self, _: Vec<u8>) {}

    async fn reply(&self, reply_to: String, answer: Vec<u8>) {
        let waiting = self.stream.state().answers.remove(&reply_to.parse().unwrap());
        // The asking node may have gone.
        let _ = waiting.map(|waiting| waiting.send(answer));
    }

    async fn save(&self, name: &'static str, bytes: Vec<u8>) -> Result<(), Unavailable> {
        self.travel().await?;
        self.stream.state().saved.insert(name, bytes);
        Ok(())
    }

    async fn load(&self, name: &'static str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.travel().await?;
        Ok(self.stream.state().saved.get(name).cloned())
    }

    async fn messages(&self, next: u64) -> Result<FakeMessages, Unavailable> {
        self.travel().await?;
        let generation = self.stream.state().generation;
        Ok(FakeMessages { log: self.clone(), next, generation, on_its_way: None, heard: Instant::now() })
    }
}

impl Messages for FakeMessages {
    async fn next(&mut self) -> Result<Message, Unavailable> {
        let mut changed = self.log.stream.changed.subscribe();
        loop {
            let (is_silent, found) = {
                let state = self.log.stream.state();
                let is_silent =
                    self.log.faults().is_cut || state.is_down || state.generation != self.generation;
                let found = state.messages.range(self.next..).next();
                (
                    is_silent,
                    found.map(|(number, (_, bytes))| Message { number: *number, bytes: bytes.clone() }),
                )
            };
            if is_silent {
                self.on_its_way = None;
                let end = self.heard + SILENCE;
                tokio::select! {
                    () = sleep_until(end) => return Err(Unavailable("no sign of life".to_owned())),
                    _ = changed.changed() => continue,
                }
            }
            self.heard = Instant::now();
            if let (None, Some(message)) = (&self.on_its_way, found) {
                self.on_its_way = Some((message, Instant::now() + self.log.delay()));
            }
            let Some((_, arrives)) = &self.on_its_way else {
                // The error is impossible, since the stream holds the sender.
                let _ = changed.changed().await;
                continue;
            };
            sleep_until(*arrives).await;
            let (message, _) = self.on_its_way.take().expect("a message is on its way");
            self.next = message.number + 1;
            return Ok(message);
        }
    }
}
