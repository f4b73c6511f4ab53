//! The account of a connection: what it is owed of the truth, and what it has had of it.

use std::collections::{BTreeMap, BTreeSet};

use super::checker::Verdict;
use super::plan::Habits;
use super::truth::{Epoch, KINDS, Published, Subscription};

#[derive(Default)]
pub struct Account {
    /// Events of the subscription up to here are accounted for: they came, or snapshots or a gap cover them.
    base: u64,
    /// How many of them it was owed on this connection.
    settled: u64,
    /// The newest event that came, or that a whole set of snapshots covers.
    last: u64,
    /// The newest event that came, of each key.
    newest: BTreeMap<(String, usize), u64>,
    /// How many seeks there were before all that it is told now.
    seeks: usize,
    set: SnapshotSet,
    /// Every event up to here has to come, whatever the delivery.
    whole_until: u64,
    /// Whether what it missed may still be on its way.
    is_catching_up: bool,
    received: u64,
    merged: u64,
    beat: u64,
    /// The head at which a heartbeat found it with nothing left to come.
    level_at: Option<u64>,
}

/// The newest set of snapshots.
#[derive(Default)]
struct SnapshotSet {
    /// The symbols whose snapshots have yet to come.
    owed: BTreeSet<String>,
    /// Of the set's other symbols, the position of the snapshot.
    covered: BTreeMap<String, u64>,
    /// What the client had before: it goes on.
    had: Option<Subscription>,
    /// The position of the newest snapshot, or of what the set follows.
    position: u64,
    /// Whether not all of them were of one position.
    is_in_parts: bool,
}

/// What a heartbeat says.
pub struct Beat {
    pub seq: u64,
    pub sent: u64,
    pub merged: u64,
}

impl Account {
    pub fn last(&self) -> u64 {
        self.last
    }

    pub fn seeks(&self) -> usize {
        self.seeks
    }

    pub fn is_level_at(&self, head: u64) -> bool {
        self.level_at == Some(head)
    }

    pub fn is_catching_up(&self) -> bool {
        self.is_catching_up
    }

    /// Whether snapshots have yet to come: it has no cursor.
    pub fn is_in_set(&self) -> bool {
        !self.set.owed.is_empty()
    }

    /// How many snapshots have yet to come.
    pub fn owed_snapshots(&self) -> u64 {
        self.set.owed.len() as u64
    }

    /// Where the newest set of snapshots stands, and whether it came in parts.
    pub fn set(&self) -> (u64, bool) {
        (self.set.position, self.set.is_in_parts)
    }

    /// It begins where the server is, after so many seeks.
    pub fn begin(&mut self, seeks: usize, seq: u64) {
        self.seeks = seeks;
        self.stand_at(seq);
    }

    /// It had all up to `after` before, and is to have all up to `until` without merging.
    pub fn resume(&mut self, seeks: usize, after: u64, until: u64) {
        self.begin(seeks, after);
        self.whole_until = until;
        self.is_catching_up = true;
    }

    /// Each symbol that has data is owed a snapshot from here on; what the client had before goes on.
    pub fn owe_snapshots(&mut self, epoch: &Epoch, wanted: &Subscription, had: Option<Subscription>) {
        let owed = epoch.symbols(wanted, self.seeks, self.base);
        self.set = SnapshotSet { owed, had, position: self.base, ..SnapshotSet::default() };
    }

    /// A snapshot comes, and nothing before it is missing that could not be merged.
    pub fn snapshot(&mut self, epoch: &Epoch, habits: &Habits, symbol: &str, seq: u64) -> Verdict {
        if seq < self.set.position || seq > epoch.head() {
            return Err(format!("at {} of {}", self.set.position, epoch.head()));
        }
        if !self.set.owed.remove(symbol) {
            return Err("nobody asked for it, or it came already".to_owned());
        }
        self.set.is_in_parts |= seq > self.set.position && !self.set.covered.is_empty();
        self.set.position = seq;
        self.set.covered.insert(symbol.to_owned(), seq);
        if habits.every {
            self.check_whole(epoch, habits, seq)?;
        }
        if !self.is_in_set() {
            self.nothing_waits(epoch, habits, seq)?;
            self.last = seq;
        }
        self.level_at = None;
        Ok(())
    }

    /// The server says that it lost what lies between.
    pub fn gap(&mut self, epoch: &Epoch, habits: &Habits, after: u64, until: u64) -> Verdict {
        if after < self.last || until < after || until > epoch.head() {
            return Err(format!("after {} of {}", self.last, epoch.head()));
        }
        self.check_whole(epoch, habits, after.min(self.whole_until))?;
        self.settle(epoch, habits, after);
        self.stand_at(until);
        Ok(())
    }

    /// The feed has gone on from elsewhere, as it has so many times by now: what was due before has come, or was merged.
    pub fn seek(&mut self, epoch: &Epoch, habits: &Habits, seeks: usize, seq: u64) -> Verdict {
        if seeks <= self.seeks || seeks > epoch.seeks() {
            return Err(format!("after seek {} of {}", self.seeks, epoch.seeks()));
        }
        let after = epoch.sought_after(seeks);
        if seq < after || seq > epoch.head() || seq < self.last {
            return Err(format!("after {} of {}, and sought at {after}", self.last, epoch.head()));
        }
        self.check_whole(epoch, habits, if habits.every { seq } else { seq.min(self.whole_until) })?;
        self.settle(epoch, habits, seq);
        self.begin(seeks, seq);
        Ok(())
    }

    /// It subscribes to more at `seq`: all that it had asked for before has come.
    pub fn subscribe_more(&mut self, epoch: &Epoch, habits: &Habits, seq: u64) -> Verdict {
        if self.is_in_set() || seq < self.last.max(self.set.position) || seq > epoch.head() {
            return Err(format!("at {} of {}", self.last, epoch.head()));
        }
        self.check_whole(epoch, habits, if habits.every { seq } else { seq.min(self.whole_until) })?;
        self.is_catching_up = false;
        self.nothing_waits(epoch, habits, seq)?;
        self.settle(epoch, habits, seq);
        self.stand_at(seq);
        Ok(())
    }

    /// An event comes, and nothing before it is missing that could not be merged.
    pub fn event(&mut self, epoch: &Epoch, habits: &Habits, seq: u64, event: &Published) -> Verdict {
        if seq <= self.last {
            return Err(format!("it follows {}", self.last));
        }
        if !self.is_due(epoch, habits, seq, event) || self.is_covered(&event.symbol, seq) {
            return Err("a snapshot says it".to_owned());
        }
        if seq > epoch.next_seek_after(self.seeks) {
            return Err(format!("it follows seek {}, which was not told", self.seeks + 1));
        }
        let whole = if habits.every { seq - 1 } else { self.whole_until.min(seq - 1) };
        self.check_whole(epoch, habits, whole)?;
        self.last = seq;
        self.received += 1;
        self.newest.insert((event.symbol.clone(), event.kind), seq);
        self.level_at = None;
        Ok(())
    }

    /// Nothing of the subscription is missing up to here.
    pub fn check_whole(&self, epoch: &Epoch, habits: &Habits, until: u64) -> Verdict {
        if until <= self.last {
            return Ok(());
        }
        match epoch.next(self.last, |seq, event| self.is_due(epoch, habits, seq, event)) {
            Some(missing) if missing <= until => {
                Err(format!("after {} comes {missing}, and it is missing", self.last))
            }
            _ => Ok(()),
        }
    }

    /// Every event of the subscription has come, was merged, or waits and can still come.
    pub fn heartbeat(&mut self, epoch: &Epoch, habits: &Habits, beat: &Beat) -> Verdict {
        let before = self.last.max(self.beat).max(self.set.position);
        if beat.seq < before || beat.seq > epoch.head() {
            return Err(format!("at {before} of {}", epoch.head()));
        }
        if beat.sent != self.received {
            return Err(format!("{} came", self.received));
        }
        let waiting = self.waiting(epoch, habits, beat.seq)?;
        let owed = self.settled + self.count(epoch, habits, beat.seq);
        let rest = owed.checked_sub(self.received).ok_or("more came than there is")?;
        let is_right = rest == beat.merged + waiting && !(habits.every && waiting > 0);
        let may_lack_all =
            self.is_catching_up && beat.merged == self.merged && self.is_without_holes(epoch, habits);
        if !is_right && !may_lack_all {
            return Err(format!("of {owed} events {waiting} may wait; {rest} have not come"));
        }
        let is_level = is_right && waiting == 0 && !self.is_in_set();
        self.is_catching_up &= !is_level;
        self.beat = beat.seq;
        self.merged = beat.merged;
        self.level_at = is_level.then_some(beat.seq);
        Ok(())
    }

    /// Nothing waits at `seq` that could still come.
    pub fn nothing_waits(&self, epoch: &Epoch, habits: &Habits, seq: u64) -> Verdict {
        match self.waiting(epoch, habits, seq)? {
            waiting if waiting > 0 && !self.is_catching_up => Err(format!("{waiting} events come too late")),
            _ => Ok(()),
        }
    }

    /// Whether an event is to be sent, or counted as merged: not one that a snapshot says. What comes between a seek and the
    /// news of it is in the snapshots that follow, and counts as merged.
    fn is_due(&self, epoch: &Epoch, habits: &Habits, seq: u64, event: &Published) -> bool {
        let SnapshotSet { owed, had, .. } = &self.set;
        habits.wanted.takes(event)
            && (had.as_ref().is_some_and(|had| had.takes(event))
                || seq > epoch.next_seek_after(self.seeks)
                || !owed.contains(&event.symbol) && !self.is_covered(&event.symbol, seq))
    }

    /// Whether the snapshot that has come of a symbol says an event of it.
    fn is_covered(&self, symbol: &str, seq: u64) -> bool {
        self.set.covered.get(symbol).is_some_and(|at| seq <= *at)
    }

    fn count(&self, epoch: &Epoch, habits: &Habits, until: u64) -> u64 {
        epoch.count(self.base, until, |seq, event| self.is_due(epoch, habits, seq, event))
    }

    /// Takes in that all up to here has come, or was merged.
    fn settle(&mut self, epoch: &Epoch, habits: &Habits, until: u64) {
        self.settled += self.count(epoch, habits, until);
    }

    /// Nothing up to here is to come any more.
    fn stand_at(&mut self, seq: u64) {
        (self.base, self.last) = (seq, seq);
        self.newest.clear();
        self.set = SnapshotSet { position: seq, ..SnapshotSet::default() };
        self.is_catching_up = false;
        self.level_at = None;
    }

    /// How many keys have a newest event that can still come: nothing comes out of order.
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
                return Err(format!("{newest} is the newest {} of {symbol}, and never came", KINDS[kind]));
            }
        }
        Ok(waiting)
    }

    fn is_without_holes(&self, epoch: &Epoch, habits: &Habits) -> bool {
        let owed = self.settled + self.count(epoch, habits, self.last);
        owed == self.received + self.merged
    }
}
