//! A model of a connection: the events that must arrive, and the events that have arrived.

use std::collections::{BTreeMap, BTreeSet};

use super::checker::Verdict;
use super::published_log::{Epoch, KINDS, PublishedEvent, Subscription};
use super::scenario::Habits;

#[derive(Default)]
pub struct ConnectionModel {
    /// Each event up to this sequence number has arrived, was conflated, or is covered by a snapshot or a
    /// gap.
    base: u64,
    /// The number of events up to `base` that had to arrive or count as merged on this connection.
    due_before_base: u64,
    /// The sequence number of the newest event that arrived, or the position of the newest complete set of
    /// snapshots.
    last: u64,
    /// For each symbol and kind, the sequence number of the newest event that has arrived.
    newest: BTreeMap<(String, usize), u64>,
    /// The number of seeks before the client's position in the log.
    seeks: usize,
    set: SnapshotSet,
    /// The sequence number of the last missed event of a resume. Missed events are not conflated, even with
    /// `delivery=latest`.
    complete_until: u64,
    /// Whether the client has resumed, and events that it had missed may still be on their way to it.
    is_catching_up: bool,
    received: u64,
    merged: u64,
    heartbeat_seq: u64,
    /// The sequence number in the last heartbeat, if this heartbeat showed that the client has caught up. A
    /// later event or snapshot resets this value to `None`.
    caught_up_at: Option<u64>,
}

/// The newest set of snapshots on a connection.
#[derive(Default)]
struct SnapshotSet {
    /// The symbols whose snapshots have not arrived.
    owed: BTreeSet<String>,
    /// The position of each snapshot that has arrived, by symbol.
    covered: BTreeMap<String, u64>,
    /// The subscription that the client had before it requested this set of snapshots. The events of this
    /// earlier subscription still arrive.
    had: Option<Subscription>,
    /// The position of the newest snapshot that has arrived. Until a snapshot arrives, this is the position
    /// of the frame that announced the set.
    position: u64,
    /// Whether snapshots of this set have different positions in the log.
    has_several_positions: bool,
}

/// The numbers in a heartbeat frame.
pub struct Heartbeat {
    pub seq: u64,
    pub sent: u64,
    pub merged: u64,
}

impl ConnectionModel {
    pub fn last(&self) -> u64 {
        self.last
    }

    pub fn seeks(&self) -> usize {
        self.seeks
    }

    pub fn is_caught_up_at(&self, head: u64) -> bool {
        self.caught_up_at == Some(head)
    }

    pub fn is_catching_up(&self) -> bool {
        self.is_catching_up
    }

    /// Returns whether the client still waits for snapshots. A client that waits for snapshots has no cursor.
    pub fn awaits_snapshots(&self) -> bool {
        !self.set.owed.is_empty()
    }

    /// Returns for how many snapshots the client still waits.
    pub fn owed_snapshots(&self) -> u64 {
        self.set.owed.len() as u64
    }

    /// Returns the position of the newest set of snapshots, and whether its snapshots have different
    /// positions.
    pub fn set(&self) -> (u64, bool) {
        (self.set.position, self.set.has_several_positions)
    }

    /// Starts the model at the position `seq` in the log, after `seeks` seeks.
    pub fn begin(&mut self, seeks: usize, seq: u64) {
        self.seeks = seeks;
        self.restart_at(seq);
    }

    /// Starts the model with a resume after the sequence number `after`. All events up to `until` must arrive
    /// without conflation.
    pub fn resume(&mut self, seeks: usize, after: u64, until: u64) {
        self.begin(seeks, after);
        self.complete_until = until;
        self.is_catching_up = true;
    }

    /// Notes that the client must get a snapshot of each symbol in `wanted` that has values. The events of
    /// the earlier subscription `had` still arrive.
    pub fn expect_snapshots(&mut self, epoch: &Epoch, wanted: &Subscription, had: Option<Subscription>) {
        let owed = epoch.symbols(wanted, self.seeks, self.base);
        self.set = SnapshotSet { owed, had, position: self.base, ..SnapshotSet::default() };
    }

    /// Checks a snapshot. All events before the snapshot must have arrived, except events that may be
    /// conflated.
    pub fn snapshot(&mut self, epoch: &Epoch, habits: &Habits, symbol: &str, seq: u64) -> Verdict {
        if seq < self.set.position || seq > epoch.head() {
            return Err(format!("its seq is not from {} to {}", self.set.position, epoch.head()));
        }
        if !self.set.owed.remove(symbol) {
            return Err("it is not due, or has already arrived".to_owned());
        }
        self.set.has_several_positions |= seq > self.set.position && !self.set.covered.is_empty();
        self.set.position = seq;
        self.set.covered.insert(symbol.to_owned(), seq);
        if habits.every {
            self.check_complete(epoch, habits, seq)?;
        }
        if !self.awaits_snapshots() {
            self.nothing_waits(epoch, habits, seq)?;
            self.last = seq;
        }
        self.caught_up_at = None;
        Ok(())
    }

    /// Checks a gap. All due events before the gap must have arrived or been conflated.
    pub fn gap(&mut self, epoch: &Epoch, habits: &Habits, after: u64, until: u64) -> Verdict {
        if after < self.last || until < after || until > epoch.head() {
            return Err(format!("the gap is not within {} to {}", self.last, epoch.head()));
        }
        self.check_complete(epoch, habits, after.min(self.complete_until))?;
        self.add_due(epoch, habits, after);
        self.restart_at(until);
        Ok(())
    }

    /// Checks the frame that announces a seek. All due events before the seek must have arrived or been
    /// conflated.
    pub fn seek(&mut self, epoch: &Epoch, habits: &Habits, seeks: usize, seq: u64) -> Verdict {
        if seeks <= self.seeks || seeks > epoch.seeks() {
            return Err(format!("its seek is not after {} and up to {}", self.seeks, epoch.seeks()));
        }
        let after = epoch.head_at_seek(seeks);
        if seq < after || seq > epoch.head() || seq < self.last {
            return Err(format!(
                "its seq is not from {} to {}, with a seek at {after}",
                self.last,
                epoch.head()
            ));
        }
        self.check_complete(epoch, habits, if habits.every { seq } else { seq.min(self.complete_until) })?;
        self.add_due(epoch, habits, seq);
        self.begin(seeks, seq);
        Ok(())
    }

    /// Checks the answer to a second subscribe. All due events before the answer must have arrived or been
    /// conflated.
    pub fn subscribe_more(&mut self, epoch: &Epoch, habits: &Habits, seq: u64) -> Verdict {
        if self.awaits_snapshots() || seq < self.last.max(self.set.position) || seq > epoch.head() {
            return Err(format!("its seq is not from {} to {}", self.last, epoch.head()));
        }
        self.check_complete(epoch, habits, if habits.every { seq } else { seq.min(self.complete_until) })?;
        self.is_catching_up = false;
        self.nothing_waits(epoch, habits, seq)?;
        self.add_due(epoch, habits, seq);
        self.restart_at(seq);
        Ok(())
    }

    /// Checks an event. All events before this event must have arrived, except events that may be conflated.
    pub fn event(&mut self, epoch: &Epoch, habits: &Habits, seq: u64, event: &PublishedEvent) -> Verdict {
        if seq <= self.last {
            return Err(format!("its seq does not follow {}", self.last));
        }
        if !self.is_due(epoch, habits, seq, event) || self.is_covered(&event.symbol, seq) {
            return Err("a snapshot contains it".to_owned());
        }
        if seq > epoch.head_at_next_seek(self.seeks) {
            return Err(format!("it is after seek {}, which was not announced", self.seeks + 1));
        }
        let complete = if habits.every { seq - 1 } else { self.complete_until.min(seq - 1) };
        self.check_complete(epoch, habits, complete)?;
        self.last = seq;
        self.received += 1;
        self.newest.insert((event.symbol.clone(), event.kind), seq);
        self.caught_up_at = None;
        Ok(())
    }

    /// Checks that every due event up to `until` has arrived.
    pub fn check_complete(&self, epoch: &Epoch, habits: &Habits, until: u64) -> Verdict {
        if until <= self.last {
            return Ok(());
        }
        match epoch.next(self.last, |seq, event| self.is_due(epoch, habits, seq, event)) {
            Some(missing) if missing <= until => Err(format!("{missing} is missing after {}", self.last)),
            _ => Ok(()),
        }
    }

    /// Checks a heartbeat. The counts in the heartbeat must show that each due event has arrived, was
    /// conflated, or can still arrive.
    pub fn heartbeat(&mut self, epoch: &Epoch, habits: &Habits, heartbeat: &Heartbeat) -> Verdict {
        let before = self.last.max(self.heartbeat_seq).max(self.set.position);
        if heartbeat.seq < before || heartbeat.seq > epoch.head() {
            return Err(format!("its seq is not from {before} to {}", epoch.head()));
        }
        if heartbeat.sent != self.received {
            return Err(format!("sent is wrong: {} events arrived", self.received));
        }
        let waiting = self.waiting(epoch, habits, heartbeat.seq)?;
        let owed = self.due_before_base + self.count(epoch, habits, heartbeat.seq);
        let rest = owed.checked_sub(self.received).ok_or("more events arrived than were due")?;
        let is_right = rest == heartbeat.merged + waiting && !(habits.every && waiting > 0);
        let may_lack_all =
            self.is_catching_up && heartbeat.merged == self.merged && self.is_without_holes(epoch, habits);
        if !is_right && !may_lack_all {
            return Err(format!(
                "{rest} of {owed} events have not arrived, and only {waiting} of these may wait"
            ));
        }
        let is_caught_up = is_right && waiting == 0 && !self.awaits_snapshots();
        self.is_catching_up &= !is_caught_up;
        self.heartbeat_seq = heartbeat.seq;
        self.merged = heartbeat.merged;
        self.caught_up_at = is_caught_up.then_some(heartbeat.seq);
        Ok(())
    }

    /// Checks that no event up to `seq` still waits to be sent to the client.
    pub fn nothing_waits(&self, epoch: &Epoch, habits: &Habits, seq: u64) -> Verdict {
        match self.waiting(epoch, habits, seq)? {
            waiting if waiting > 0 && !self.is_catching_up => Err(format!("{waiting} events are too late")),
            _ => Ok(()),
        }
    }

    /// Returns whether an event is due, which means that it must arrive or count as merged.
    ///
    /// An event that a snapshot contains neither arrives nor counts as merged. Some events lie between a seek
    /// and the frame that announces this seek. They count as merged, because the snapshots after that frame
    /// contain them.
    fn is_due(&self, epoch: &Epoch, habits: &Habits, seq: u64, event: &PublishedEvent) -> bool {
        let SnapshotSet { owed, had, .. } = &self.set;
        habits.wanted.includes(event)
            && (had.as_ref().is_some_and(|had| had.includes(event))
                || seq > epoch.head_at_next_seek(self.seeks)
                || !owed.contains(&event.symbol) && !self.is_covered(&event.symbol, seq))
    }

    /// Returns whether a received snapshot of the symbol contains the event `seq`.
    fn is_covered(&self, symbol: &str, seq: u64) -> bool {
        self.set.covered.get(symbol).is_some_and(|at| seq <= *at)
    }

    fn count(&self, epoch: &Epoch, habits: &Habits, until: u64) -> u64 {
        epoch.count(self.base, until, |seq, event| self.is_due(epoch, habits, seq, event))
    }

    /// Increases `due_before_base` by the number of due events up to `until`. Each of the counted events has
    /// arrived or was conflated.
    fn add_due(&mut self, epoch: &Epoch, habits: &Habits, until: u64) {
        self.due_before_base += self.count(epoch, habits, until);
    }

    /// Restarts the model at the position `seq` in the log. Events before this position can no longer arrive.
    fn restart_at(&mut self, seq: u64) {
        (self.base, self.last) = (seq, seq);
        self.newest.clear();
        self.set = SnapshotSet { position: seq, ..SnapshotSet::default() };
        self.is_catching_up = false;
        self.caught_up_at = None;
    }

    /// Returns the number of keys (a symbol and a kind) whose newest event can still arrive. Events arrive in
    /// order, so an event before `last` cannot arrive any more.
    fn waiting(&self, epoch: &Epoch, habits: &Habits, seq: u64) -> Result<u64, String> {
        let mut waiting = 0;
        let due = epoch.newest_in(self.base, seq, |seq, event| self.is_due(epoch, habits, seq, event));
        for ((symbol, kind), newest) in due {
            if self.is_covered(symbol, newest) {
                continue;
            }
            if newest > self.last {
                waiting += 1;
            } else if self.newest.get(&(symbol.to_owned(), kind)) != Some(&newest) {
                return Err(format!(
                    "{newest} is the newest {} of {symbol}, and did not arrive",
                    KINDS[kind]
                ));
            }
        }
        Ok(waiting)
    }

    fn is_without_holes(&self, epoch: &Epoch, habits: &Habits) -> bool {
        let owed = self.due_before_base + self.count(epoch, habits, self.last);
        owed == self.received + self.merged
    }
}
