//! What a client may see, by the protocol and by the truth alone.
//!
//! A checker belongs to a client and outlives its connections. It takes every frame, and says what is wrong with
//! it. Of the server it knows the length of its history and nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::account::{Account, Beat};
use super::plan::{Habits, PROMPTNESS};
use super::truth::{CHANNELS, Epoch, Subscription, Truth};
use crate::support::reference_history::seeks_at;

/// What is wrong, for a person.
pub type Verdict = Result<(), String>;

/// An epoch's name and a sequence number.
pub type Cursor = (String, u64);

/// What a client asks for while it is connected.
#[derive(Clone)]
pub enum Request {
    /// Whether it wants `every`, and the interval.
    Set(bool, u64),
    /// More symbols, in the same channels.
    Subscribe(Subscription),
}

pub struct Checker {
    truth: Rc<RefCell<Truth>>,
    /// With what a connection begins.
    initially: Habits,
    /// How it is served now.
    habits: Habits,
    /// What it asked for and was not answered yet.
    request: Option<Request>,
    /// Whether nothing goes wrong any more.
    is_watched: bool,
    history: u64,
    /// With what the client comes back.
    cursor: Option<Cursor>,
    connection: Connection,
    /// What the client has been through.
    pub seen: BTreeMap<&'static str, u64>,
}

/// One connection, as far as it can be known from its frames.
#[derive(Default)]
struct Connection {
    phase: Phase,
    /// What it asked to resume after.
    after: Option<Cursor>,
    epoch: String,
    account: Account,
    /// Whether it was ever served `latest`; then older news of the feed may wait until it reads again.
    was_latest: bool,
    /// Whether it was sent what it had missed; then news of the feed from that time comes behind it.
    was_resumed: bool,
    /// Where the newest whole set of snapshots stands: news of the feed from before that comes behind it.
    whole_set: u64,
    /// How many snapshots follow the gap that was the last frame: news of a seek may replace them.
    told: Option<u64>,
    /// Whether a heartbeat has come since somebody watches, and nothing older is on its way.
    is_steady: bool,
    /// The last event that the server has written for it, by what has come.
    written: u64,
}

#[derive(Default)]
enum Phase {
    /// It is not connected.
    #[default]
    Away,
    /// It has not been answered.
    Plain,
    /// The next frame says what is lost, and so many snapshots follow.
    Gap {
        reason: &'static str,
        after: Option<u64>,
        until: u64,
        snapshots: u64,
    },
    /// It knows of a seek that the server has yet to find, and that then says what is lost.
    Ahead,
    Live,
}

impl Checker {
    pub fn new(truth: Rc<RefCell<Truth>>, habits: Habits, history: usize) -> Self {
        let history = history as u64;
        Self {
            truth,
            initially: habits.clone(),
            habits,
            request: None,
            is_watched: false,
            history,
            cursor: None,
            connection: Connection::default(),
            seen: BTreeMap::new(),
        }
    }

    /// The cursor with which the client comes back.
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor.clone()
    }

    /// The client begins as if it had never been there.
    pub fn forget(&mut self) {
        self.cursor = None;
    }

    /// It has a connection, and will ask to resume after its cursor.
    pub fn connected(&mut self) {
        self.habits = self.initially.clone();
        self.request = None;
        self.connection = Connection {
            phase: Phase::Plain,
            after: self.cursor.clone(),
            was_latest: !self.habits.every,
            ..Connection::default()
        };
    }

    /// It asks for something; returns whether it may. It waits for one answer before it asks again: who only speaks and does
    /// not listen is at some time not heard either.
    pub fn ask(&mut self, request: &Request) -> bool {
        let may = self.is_answered() && self.request.is_none();
        if may {
            self.request = Some(request.clone());
        }
        may
    }

    /// The connection is gone.
    pub fn lost(&mut self) {
        self.connection = Connection::default();
    }

    /// Whether its subscription was answered.
    pub fn is_answered(&self) -> bool {
        !matches!(self.connection.phase, Phase::Away | Phase::Plain)
    }

    /// How old an event may be when it comes, on a steady connection.
    pub fn promptness(&self) -> Duration {
        PROMPTNESS + Duration::from_millis(if self.habits.every { 0 } else { self.habits.interval_ms })
    }

    /// From here on it is seen whether the connection is steady.
    pub fn begin_to_watch(&mut self) {
        self.is_watched = true;
    }

    /// A steady connection has to have all that was published; `None` where it is not steady.
    pub fn has_all(&self) -> Option<bool> {
        let truth = self.truth.borrow();
        let epoch = truth.newest();
        let account = &self.connection.account;
        let has_all = account.nothing_waits(epoch, &self.habits, epoch.head()).is_ok();
        (self.connection.is_steady && self.connection.epoch == epoch.name).then_some(has_all)
    }

    /// Whether it has all that there is, and was told so.
    pub fn is_level(&self) -> bool {
        let truth = self.truth.borrow();
        let newest = truth.newest();
        self.connection.account.is_level_at(newest.head()) && self.connection.epoch == newest.name
    }

    /// Takes the next frame.
    pub fn frame(&mut self, text: &str) -> Verdict {
        let frame: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        self.check_phase(&kind)?;
        let told = self.connection.told.take().filter(|_| frame["position"].is_null());
        if let Some(told) = told {
            same("snapshots of the gap", &told, &self.connection.account.owed_snapshots())?;
        }
        let truth = Rc::clone(&self.truth);
        let truth = truth.borrow();
        if kind == "subscribed" {
            return self.subscribed(&frame, &truth);
        }
        if matches!(self.connection.phase, Phase::Plain) {
            let is_right = kind != "gap" || frame["reason"] == "lagged";
            return if is_right { Ok(()) } else { Err("nobody asked to resume".to_owned()) };
        }
        let epoch = truth.epoch(&self.connection.epoch).ok_or("it has not subscribed yet")?;
        match kind.as_str() {
            "gap" => self.gap(&frame, epoch),
            "snapshot" => self.snapshot(frame, epoch),
            "trade" | "quote" | "bar" => self.event(&frame, text, epoch),
            "heartbeat" => self.heartbeat(&frame, epoch),
            "feed" => self.feed(&frame, epoch),
            "set" => self.changed(&frame, epoch),
            _ => Err("unasked".to_owned()),
        }
    }

    /// The server closes the connection.
    pub fn closed(&mut self, code: u16, reason: &str) -> Verdict {
        match code {
            1001 => {
                self.saw("told of a shutdown");
                Ok(())
            }
            4008 if self.may_be_too_slow() => {
                if matches!(self.connection.phase, Phase::Plain) {
                    // It has had nothing, and knows better where it was.
                    self.saw("closed with 4008 before it subscribed");
                    return Ok(());
                }
                self.saw("closed with 4008");
                if self.connection.account.is_in_set() {
                    self.saw("closed within a set");
                    self.connection.written = 0;
                }
                let written = (self.connection.epoch.clone(), self.connection.written);
                same(
                    "the reason is the cursor of the last frame",
                    reason,
                    &format!("{}-{}", written.0, written.1),
                )?;
                self.cursor = Some(written);
                Ok(())
            }
            _ => Err(format!("closed with {code} {reason:?}")),
        }
    }

    /// Whether it is closed where it is too slow, by what it has asked for.
    pub fn may_be_too_slow(&self) -> bool {
        self.habits.every || matches!(self.request, Some(Request::Set(true, _)))
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// What is begun is not interrupted, and answers come behind a set of snapshots.
    fn check_phase(&self, kind: &str) -> Verdict {
        let is_in_set = self.connection.account.is_in_set();
        let is_right = match &self.connection.phase {
            Phase::Away => false,
            // Who has set its delivery is a subscriber, and is told what all are told.
            Phase::Plain => matches!(kind, "subscribed" | "set" | "feed" | "heartbeat" | "gap"),
            Phase::Gap { .. } => kind == "gap",
            Phase::Ahead | Phase::Live => !is_in_set || !matches!(kind, "subscribed" | "set"),
        };
        if is_right { Ok(()) } else { Err("not at this place".to_owned()) }
    }

    fn subscribed(&mut self, frame: &Value, truth: &Truth) -> Verdict {
        let name = frame["epoch"].as_str().unwrap_or_default();
        let epoch = truth.epoch(name).ok_or("an epoch that never was")?;
        let seq = number(frame, "seq")?;
        if seq > epoch.head() {
            return Err(format!("ahead of the feed, which is at {}", epoch.head()));
        }
        if !matches!(self.connection.phase, Phase::Plain) {
            return self.subscribed_to_more(frame, epoch, seq);
        }
        self.check_standing(frame)?;
        name.clone_into(&mut self.connection.epoch);
        let (_, seeks) = news(&frame["feed"]).unwrap_or_default();
        let sought_after = epoch.sought_after(seeks);
        let resumed = &frame["resumed"];
        let gap = match self.connection.after.clone() {
            None => {
                same("resumed", resumed, &json!(false))?;
                None
            }
            Some((old, _)) if old != name => {
                same("resumed in another epoch", resumed, &json!(false))?;
                self.saw("epoch_changed");
                Some(("epoch_changed", None))
            }
            Some((_, after)) if resumed == &json!(true) => {
                if seeks > 0 && after <= sought_after {
                    return Err(format!("{after} was replaced by a seek after {sought_after}"));
                }
                self.saw("resumed");
                same("snapshots", &number(frame, "snapshots")?, &0)?;
                self.connection.was_resumed = true;
                self.connection.phase = Phase::Live;
                self.connection.account.resume(seeks, after, seq);
                self.connection.written = after;
                return Ok(());
            }
            Some((_, after)) => {
                let was_replaced = was_replaced(epoch, after);
                if self.is_held(epoch, after) {
                    return Err(format!("{after} is within the history, and is not resumed"));
                }
                self.connection.written = after;
                if after == seq && was_replaced && (seeks == 0 || sought_after < after) {
                    self.connection.account.begin(seeks, seq);
                    self.connection.phase = Phase::Ahead;
                    self.cursor = None;
                    return same("snapshots", &number(frame, "snapshots")?, &0);
                }
                self.saw("history_exhausted");
                Some(("history_exhausted", Some(after)))
            }
        };
        self.cursor = None;
        self.connection.account.begin(seeks, seq);
        if let Some((reason, after)) = gap {
            let snapshots = number(frame, "snapshots")?;
            if snapshots > 0 {
                self.connection.written = 0;
            }
            self.connection.phase = Phase::Gap { reason, after, until: seq, snapshots };
            return Ok(());
        }
        self.connection.phase = Phase::Live;
        let wanted = self.habits.wanted.clone();
        self.expect_snapshots(epoch, &wanted, None);
        self.check_count(frame)
    }

    /// What it had before goes on, and what it asked for now is answered with snapshots.
    fn subscribed_to_more(&mut self, frame: &Value, epoch: &Epoch, seq: u64) -> Verdict {
        let Some(Request::Subscribe(more)) = self.request.take() else {
            return Err("a second answer".to_owned());
        };
        same("resumed", &frame["resumed"], &json!(false))?;
        self.connection.account.subscribe_more(epoch, &self.habits, seq)?;
        self.saw("subscribed to more");
        let all = self.habits.wanted.with(&more);
        let had = std::mem::replace(&mut self.habits.wanted, all);
        self.check_standing(frame)?;
        self.expect_snapshots(epoch, &more, Some(had));
        self.check_count(frame)
    }

    fn gap(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        if let Phase::Gap { reason, after, until, snapshots } = self.connection.phase {
            let mut expected = json!({ "type": "gap", "reason": reason });
            if let Some(after) = after {
                expected["after"] = after.into();
                expected["until"] = until.into();
            }
            same("the gap", frame, &expected)?;
            self.connection.phase = Phase::Live;
            let wanted = self.habits.wanted.clone();
            self.expect_snapshots(epoch, &wanted, None);
            return same("snapshots", &snapshots, &self.connection.account.owed_snapshots());
        }
        same("reason", &frame["reason"], &json!("lagged"))?;
        let (after, until) = (number(frame, "after")?, number(frame, "until")?);
        let was_ahead = matches!(std::mem::replace(&mut self.connection.phase, Phase::Live), Phase::Ahead);
        if self.habits.every && !was_ahead {
            return Err("an `every` client is closed and comes back".to_owned());
        }
        if self.is_held(epoch, after) {
            return Err(format!("{after} is within the history, and nothing is lost"));
        }
        self.connection.account.gap(epoch, &self.habits, after, until)?;
        self.saw("lagged");
        let wanted = self.habits.wanted.clone();
        self.expect_snapshots(epoch, &wanted, None);
        self.connection.told = Some(number(frame, "snapshots")?);
        Ok(())
    }

    /// Whether the history has all that came after an event.
    fn is_held(&self, epoch: &Epoch, after: u64) -> bool {
        after + self.history >= epoch.head() && !was_replaced(epoch, after)
    }

    /// A set of snapshots follows, or nothing where no symbol has data.
    fn expect_snapshots(&mut self, epoch: &Epoch, wanted: &Subscription, had: Option<Subscription>) {
        self.connection.account.owe_snapshots(epoch, wanted, had);
        self.connection.is_steady &= !self.connection.account.is_in_set();
        self.cursor = None;
        self.end_set();
    }

    /// With the last snapshot of a set it has all up to there.
    fn end_set(&mut self) {
        if !self.connection.account.is_in_set() {
            let (seq, is_in_parts) = self.connection.account.set();
            self.connection.written = seq;
            self.connection.whole_set = seq;
            self.cursor = Some((self.connection.epoch.clone(), seq));
            if is_in_parts {
                self.saw("set in parts");
            }
        }
    }

    fn check_count(&self, frame: &Value) -> Verdict {
        same("snapshots", &number(frame, "snapshots")?, &self.connection.account.owed_snapshots())
    }

    /// Whether an answer says what the client now has.
    fn check_standing(&self, frame: &Value) -> Verdict {
        let habits = &self.habits;
        for (kind, channel) in CHANNELS.iter().enumerate() {
            let has_channel = habits.wanted.kinds.contains(&kind);
            let symbols = if has_channel { habits.wanted.symbols() } else { Vec::new() };
            same(channel, &frame[channel], &json!(symbols))?;
        }
        check_delivery(frame, habits)
    }

    fn snapshot(&mut self, mut frame: Value, epoch: &Epoch) -> Verdict {
        let seq = number(&frame, "seq")?;
        let symbol = frame["symbol"].as_str().unwrap_or_default().to_owned();
        let account = &mut self.connection.account;
        account.snapshot(epoch, &self.habits, &symbol, seq)?;
        let mut expected = epoch.snapshot(&symbol, account.seeks(), seq).unwrap_or_default();
        expected.insert("type".to_owned(), "snapshot".into());
        expected.insert("symbol".to_owned(), symbol.into());
        expected.insert("seq".to_owned(), seq.into());
        if let Some(fields) = frame.as_object_mut() {
            // Other tests look at the day.
            fields.remove("day");
        }
        same("the snapshot", &frame, &expected.into())?;
        self.end_set();
        Ok(())
    }

    fn event(&mut self, frame: &Value, text: &str, epoch: &Epoch) -> Verdict {
        let seq = number(frame, "seq")?;
        let event = epoch.at(seq).ok_or("it has not been published")?;
        event.check(frame, text)?;
        if !self.habits.wanted.takes(event) {
            return Err("nobody asked for it".to_owned());
        }
        let age = turmoil::sim_elapsed().unwrap_or_default().saturating_sub(event.at);
        if self.connection.is_steady && age > self.promptness() {
            return Err(format!("it comes after {age:?}"));
        }
        self.connection.account.event(epoch, &self.habits, seq, event)?;
        if !self.connection.account.is_in_set() {
            self.connection.written = seq;
            self.cursor = Some((self.connection.epoch.clone(), seq));
        }
        Ok(())
    }

    fn heartbeat(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        let (seq, sent, merged) = (number(frame, "seq")?, number(frame, "sent")?, number(frame, "merged")?);
        self.connection.account.heartbeat(epoch, &self.habits, &Beat { seq, sent, merged })?;
        let account = &self.connection.account;
        self.connection.is_steady |= self.is_watched && !account.is_catching_up() && !account.is_in_set();
        if merged > 0 {
            self.saw("merged");
        }
        Ok(())
    }

    /// It is served in another way from here on. Where nothing may be left out, before or after, nothing waits.
    fn changed(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        let Some(Request::Set(every, interval_ms)) = self.request.take() else {
            return Err("unasked".to_owned());
        };
        let was_every = std::mem::replace(&mut self.habits.every, every);
        self.habits.interval_ms = interval_ms;
        check_delivery(frame, &self.habits)?;
        self.connection.was_latest |= !every;
        self.saw("changed");
        if every || was_every {
            let seq = number(frame, "seq")?;
            self.connection.account.nothing_waits(epoch, &self.habits, seq)?;
        }
        Ok(())
    }

    /// News of the feed does not overtake an event where nothing is skipped, nor is it overtaken but by what was missed, and
    /// by snapshots.
    fn feed(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        if let Some(position) = frame["position"].as_str() {
            return self.seek(frame, epoch, position);
        }
        self.saw("news of the feed");
        let Some((after, _)) = news(frame) else {
            return Ok(());
        };
        if !self.habits.every || self.connection.was_latest {
            return Ok(());
        }
        let account = &self.connection.account;
        if account.last() > after && !self.connection.was_resumed && after > self.connection.whole_set {
            return Err(format!("it comes after {}", account.last()));
        }
        account.check_whole(epoch, &self.habits, after)
    }

    /// The feed goes on from elsewhere, and what the values are now is told in snapshots.
    fn seek(&mut self, frame: &Value, epoch: &Epoch, position: &str) -> Verdict {
        let seeks = seeks_at(position.parse().map_err(|_| "no position")?);
        let seq = number(frame, "seq")?;
        self.connection.account.seek(epoch, &self.habits, seeks, seq)?;
        self.saw("sought");
        let wanted = self.habits.wanted.clone();
        self.expect_snapshots(epoch, &wanted, None);
        self.check_count(frame)
    }
}

/// What the state of a feed says: the newest event before it, and how many seeks there had been.
fn news(state: &Value) -> Option<(u64, usize)> {
    let (after, seeks) = state["detail"].as_str()?.split_once(' ')?;
    Some((after.parse().ok()?, seeks.parse().ok()?))
}

/// Whether a seek has replaced the values that there were up to an event.
fn was_replaced(epoch: &Epoch, after: u64) -> bool {
    epoch.seeks() > 0 && after <= epoch.sought_after(epoch.seeks())
}

fn check_delivery(frame: &Value, habits: &Habits) -> Verdict {
    same("delivery", &frame["delivery"], &json!(if habits.every { "every" } else { "latest" }))?;
    same("interval_ms", &frame["interval_ms"], &json!(habits.interval_ms))
}

fn number(frame: &Value, name: &str) -> Result<u64, String> {
    frame[name].as_u64().ok_or_else(|| format!("{name} is no number"))
}

fn same<T: PartialEq + std::fmt::Display + ?Sized>(what: &str, found: &T, expected: &T) -> Verdict {
    if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected}")) }
}
