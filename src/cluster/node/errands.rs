//! What a node does beside the log: checkpoints, signs of presence, commands.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::{Answers, LOAD, Node, Role, Term};
use crate::cluster::checkpoint;
use crate::cluster::log::{Mail, SharedLog};
use crate::cluster::mail::{self, Presence};
use crate::feed::{ControlError, FeedCommand, QueuedCommand, Status};

/// What a node does beside the log.
pub(super) type Errand = Pin<Box<dyn Future<Output = Done> + Send>>;

/// The end of an errand.
pub(super) enum Done {
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

impl<L: SharedLog> Node<L> {
    /// Begins to save a checkpoint, if this node leads, a checkpoint is due and something came since.
    pub(super) fn save(&mut self, now: Instant) {
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
    pub(super) fn announce(&self) {
        let view = self.view.borrow();
        let presence = Presence {
            node: self.settings.id.clone(),
            may_lead: self.own_feed.is_some(),
            seq: view.seq,
            lag_ms: view.lag_ms(),
            caught_up: view.is_caught_up,
            served: self.bus.is_flow_controlled().then(|| self.bus.served()),
            lost: self.lost.as_ref().map(|lost| lost.epoch.clone()),
            has_subscriber: self.bus.has_subscriber(),
        };
        drop(view);
        let (log, bytes) = (self.log.clone(), serde_json::to_vec(&presence).expect("it can be written"));
        self.errands.push(Box::pin(async move {
            log.announce(bytes).await;
            Done::Nothing
        }));
    }

    /// Tells the leader that the clients of this node have got all events, so that a feed at full speed continues.
    pub(super) fn on_served(&self) {
        match self.role {
            Role::Leading(_) => self.report(),
            Role::Following => self.announce(),
        }
    }

    /// Handles what comes from another node.
    pub(super) fn on_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Presence(bytes) => {
                if let Ok(presence) = serde_json::from_slice::<Presence>(&bytes) {
                    if let (true, Some(term)) = (presence.has_subscriber, self.role.term()) {
                        term.queue.note_subscriber();
                    }
                    if let Some(epoch) = &presence.lost {
                        self.renew_epoch(epoch);
                    }
                    self.view.send_modify(|view| view.nodes.record(presence, Instant::now()));
                    self.report();
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

    /// Begins a new epoch, if this node leads in the epoch in which another node has read what the stream has
    /// lost.
    fn renew_epoch(&mut self, epoch: &str) {
        let place = self.reader.position().filter(|position| position.epoch == epoch).cloned();
        if let (Role::Leading(_), Some(place)) = (&self.role, place) {
            warn!("another node has read what the stream has lost, so a new epoch begins");
            self.stop_leading();
            self.lost = Some(place);
        }
    }

    /// Ends an errand.
    pub(super) fn on_done(&mut self, done: Done) {
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
    pub(super) fn answer_read(&mut self) {
        let read = self.read;
        for (_, status, answer) in self.unread.extract_if(.., |(number, ..)| *number <= read) {
            // The caller may have gone.
            let _ = answer.send(Ok(status));
        }
    }

    /// Lets the feed of the leader execute a command.
    pub(super) fn execute(&mut self, QueuedCommand { command, answer }: QueuedCommand) {
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
}
