//! Opens the stream, and decides what the node still knows of it.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::{ANSWER, CUT_OFF, EPOCHS, LOAD, Node, RETRY};
use crate::cluster::checkpoint::{self, Saved};
use crate::cluster::entry::{Chain, Entry};
use crate::cluster::log::{Ends, SharedLog, Unavailable};
use crate::feed::ControlError;

impl<L: SharedLog> Node<L> {
    /// Opens the stream at the place up to which the node has read. Tries for ever.
    pub(super) async fn open(&mut self) -> L::Messages {
        let mut told = String::new();
        loop {
            let error = match self.try_open().await {
                Ok(messages) => return messages,
                Err(error) => error,
            };
            if error.0 != told {
                warn!(%error, "the stream cannot be opened, and is tried again");
                told.clone_from(&error.0);
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

    pub(super) async fn try_open(&mut self) -> Result<L::Messages, Unavailable> {
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
    pub(super) fn join(&mut self, saved: Saved) {
        info!(seq = saved.position.seq, epoch = saved.position.epoch, "continues at a checkpoint");
        self.read = saved.number;
        self.origin = Some(Arc::new(saved.position.origin.clone()));
        self.bus.set_kind(saved.position.origin.kind);
        self.remote.set_kind(saved.position.origin.kind);
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
    pub(super) fn remember(&mut self, epoch: &str) -> bool {
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
    pub(super) fn lose(&mut self, is_evicted: bool) {
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
