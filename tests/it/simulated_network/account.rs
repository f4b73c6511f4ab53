//! The account of a connection: what it is owed of the truth, and what it has had of it.

use std::collections::BTreeMap;

use super::checker::Verdict;
use super::plan::Habits;
use super::truth::{Epoch, KINDS, Published};

#[derive(Default)]
pub struct Account {
    /// Events of the subscription up to here are accounted for: they came, or snapshots or a gap cover them.
    base: u64,
    /// How many of them it was owed on this connection.
    settled: u64,
    /// The newest event that came, or that snapshots cover.
    last: u64,
    /// The newest event that came, of each key.
    newest: BTreeMap<(String, usize), u64>,
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

    pub fn is_level_at(&self, head: u64) -> bool {
        self.level_at == Some(head)
    }

    pub fn is_catching_up(&self) -> bool {
        self.is_catching_up
    }

    /// Snapshots say all up to here.
    pub fn stand_at(&mut self, seq: u64) {
        (self.base, self.last) = (seq, seq);
        self.newest.clear();
    }

    /// It had all up to `after` before, and is to have all up to `until` without merging.
    pub fn resume(&mut self, after: u64, until: u64) {
        self.stand_at(after);
        self.whole_until = until;
        self.is_catching_up = true;
    }

    /// The server says that it lost what lies between.
    pub fn gap(&mut self, epoch: &Epoch, habits: &Habits, after: u64, until: u64) -> Verdict {
        if after < self.last || until < after || until > epoch.head() {
            return Err(format!("after {} of {}", self.last, epoch.head()));
        }
        self.check_whole(epoch, habits, after.min(self.whole_until))?;
        self.settled += epoch.count(&habits.wanted, self.base, after);
        self.base = until;
        self.is_catching_up = false;
        Ok(())
    }

    /// An event comes, and nothing before it is missing that could not be merged.
    pub fn event(&mut self, epoch: &Epoch, habits: &Habits, seq: u64, event: &Published) -> Verdict {
        if seq <= self.last {
            return Err(format!("it follows {}", self.last));
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
        match epoch.next(&habits.wanted, self.last) {
            Some(missing) if missing <= until => {
                Err(format!("after {} comes {missing}, and it is missing", self.last))
            }
            _ => Ok(()),
        }
    }

    /// Every event of the subscription has come, was merged, or waits and can still come.
    pub fn heartbeat(&mut self, epoch: &Epoch, habits: &Habits, beat: &Beat) -> Verdict {
        let before = self.last.max(self.beat);
        if beat.seq < before || beat.seq > epoch.head() {
            return Err(format!("at {before} of {}", epoch.head()));
        }
        if beat.sent != self.received {
            return Err(format!("{} came", self.received));
        }
        let waiting = self.waiting(epoch, habits, beat.seq)?;
        let owed = self.settled + epoch.count(&habits.wanted, self.base, beat.seq);
        let rest = owed.checked_sub(self.received).ok_or("more came than there is")?;
        let is_right = rest == beat.merged + waiting && !(habits.every && waiting > 0);
        let may_lack_all =
            self.is_catching_up && beat.merged == self.merged && self.is_without_holes(epoch, habits);
        if !is_right && !may_lack_all {
            return Err(format!("of {owed} events {waiting} may wait; {rest} have not come"));
        }
        let is_level = is_right && waiting == 0;
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

    /// How many keys have a newest event that can still come: nothing comes out of order.
    fn waiting(&self, epoch: &Epoch, habits: &Habits, seq: u64) -> Result<u64, String> {
        let mut waiting = 0;
        for ((symbol, kind), newest) in epoch.newest_in(&habits.wanted, self.base, seq) {
            if newest > self.last {
                waiting += 1;
            } else if self.newest.get(&(symbol.to_owned(), kind)) != Some(&newest) {
                return Err(format!("{newest} is the newest {} of {symbol}, and never came", KINDS[kind]));
            }
        }
        Ok(waiting)
    }

    fn is_without_holes(&self, epoch: &Epoch, habits: &Habits) -> bool {
        let owed = self.settled + epoch.count(&habits.wanted, self.base, self.last);
        owed == self.received + self.merged
    }
}
