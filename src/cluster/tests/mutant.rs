//! A mutant of a node, which shows that the check of the simulation finds what a node must not do.
//!
//! The mutant has two messages in flight: it cuts a batch of events into two messages, and does not wait for the
//! first before it sends the second. A reckless mutant also reads every entry as if the entry followed from the
//! one before, i.e. without the check of term, sequence number and chain value.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::join;

use super::fake_log::{FakeLog, FakeMailbox, FakeMessages};
use crate::cluster::entry::{Body, Chain, Entry, Header};
use crate::cluster::log::{AppendError, Ask, Ends, Message, Messages, SharedLog, Subject, Unavailable};

/// The access of a mutant to the stream.
#[derive(Clone, Debug)]
pub struct Mutant {
    log: FakeLog,
    /// What a reckless mutant has read; `None` if the mutant is not reckless.
    read: Option<Arc<Mutex<Forged>>>,
}

/// The entries as a reckless mutant reads them.
#[derive(Debug, Default)]
struct Forged {
    /// The header that the next entry gets, and the chain value before it.
    next: Option<(Header, Chain)>,
    messages: BTreeMap<u64, Vec<u8>>,
}

/// The messages that a mutant reads.
#[derive(Debug)]
pub struct MutantMessages {
    messages: FakeMessages,
    read: Option<Arc<Mutex<Forged>>>,
}

impl Mutant {
    pub fn new(log: FakeLog, is_reckless: bool) -> Self {
        Self { log, read: is_reckless.then(Arc::default) }
    }

    /// Cuts a batch of events into two entries that follow the message `expected`. Returns `None` if there is
    /// nothing to cut.
    fn cut(&self, bytes: &[u8], expected: u64) -> Option<[Vec<u8>; 2]> {
        let (Entry { header, body: Body::Events(mut events) }, _) = Entry::decode(bytes).ok()? else {
            return None;
        };
        if events.len() < 2 {
            return None;
        }
        let (_, chain) = Entry::decode(&self.stored(expected)?).ok()?;
        let rest = events.split_off(events.len() / 2);
        let count = events.len() as u64;
        let after = Header { seq: header.seq + count, taken: header.taken + count, ..header.clone() };
        let (first, chain) = Entry { header, body: Body::Events(events) }.encode(chain);
        let (second, _) = Entry { header: after, body: Body::Events(rest) }.encode(chain);
        Some([first, second])
    }

    /// Returns a message of the stream, as the mutant has read it.
    fn stored(&self, number: u64) -> Option<Vec<u8>> {
        let forged = self.read.as_ref().and_then(|read| read.lock().unwrap().messages.get(&number).cloned());
        forged.or_else(|| self.log.stored(number))
    }
}

impl Forged {
    /// Returns the message as if it followed from the one before.
    fn read(&mut self, Message { number, bytes }: Message) -> Message {
        let bytes = match self.messages.get(&number) {
            Some(known) => known.clone(),
            None => self.forge(bytes),
        };
        self.messages.insert(number, bytes.clone());
        Message { number, bytes }
    }

    fn forge(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Ok((Entry { header, body }, chain)) = Entry::decode(&bytes) else { return bytes };
        let begins_epoch = matches!(&body, Body::Lead(lead) if lead.begins_epoch);
        let (mut header, chain, bytes) = if begins_epoch {
            (header, chain, bytes)
        } else {
            let Some((next, chain)) = &self.next else { return bytes };
            let term = next.term + u64::from(matches!(body, Body::Lead(_)));
            let header = Header { term, ..next.clone() };
            let (bytes, chain) = Entry { header: header.clone(), body: body.clone() }.encode(*chain);
            (header, chain, bytes)
        };
        header.seq += body.events();
        header.taken += body.events();
        self.next = Some((header, chain));
        bytes
    }
}

impl Ask for Mutant {
    async fn ask(&self, node: &str, request: Vec<u8>) -> Result<Vec<u8>, Unavailable> {
        self.log.ask(node, request).await
    }
}

impl SharedLog for Mutant {
    type Mailbox = FakeMailbox;
    type Messages = MutantMessages;

    async fn append(&self, subject: Subject, message: Vec<u8>, expected: u64) -> Result<u64, AppendError> {
        match self.cut(&message, expected) {
            Some([first, second]) => {
                let (first, second) = (
                    self.log.append(subject, first, expected),
                    self.log.append(subject, second, expected + 1),
                );
                join!(first, second).0
            }
            None => self.log.append(subject, message, expected).await,
        }
    }

    async fn ends(&self) -> Result<Ends, Unavailable> {
        self.log.ends().await
    }

    async fn message(&self, number: u64) -> Result<Option<Vec<u8>>, Unavailable> {
        let stored = self.log.message(number).await?;
        Ok(stored.and_then(|_| self.stored(number)))
    }

    async fn mailbox(&self, node: &str) -> Result<FakeMailbox, Unavailable> {
        self.log.mailbox(node).await
    }

    async fn announce(&self, presence: Vec<u8>) {
        self.log.announce(presence).await;
    }

    async fn reply(&self, reply_to: String, answer: Vec<u8>) {
        self.log.reply(reply_to, answer).await;
    }

    async fn save(&self, name: &'static str, bytes: Vec<u8>) -> Result<(), Unavailable> {
        self.log.save(name, bytes).await
    }

    async fn load(&self, name: &'static str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.log.load(name).await
    }

    async fn messages(&self, next: u64) -> Result<MutantMessages, Unavailable> {
        Ok(MutantMessages { messages: self.log.messages(next).await?, read: self.read.clone() })
    }
}

impl Messages for MutantMessages {
    async fn next(&mut self) -> Result<Message, Unavailable> {
        let message = self.messages.next().await?;
        Ok(match &self.read {
            Some(read) => read.lock().unwrap().read(message),
            None => message,
        })
    }
}
