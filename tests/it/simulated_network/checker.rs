//! Checks the frames that a client receives against the protocol and against the log of published events.
//!
//! A checker belongs to one client and outlives the client's connections. A checker uses only one setting of
//! the server, the length of the log's history.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::connection_model::{ConnectionModel, Heartbeat};
use super::published_log::{CHANNELS, Epoch, PublishedLog, Subscription};
use super::scenario::{Habits, MAX_DELAY};
use crate::support::reference_history::seeks_at;

/// The result of a check. If a check fails, the error describes the fault.
pub type Verdict = Result<(), String>;

/// A cursor of a client: the name of an epoch, and a sequence number.
pub type Cursor = (String, u64);

/// A change that a connected client requests.
#[derive(Clone)]
pub enum Change {
    /// A change of the delivery. The flag says whether the new delivery is `every`, and the number is the new
    /// conflation interval in milliseconds.
    Set(bool, u64),
    /// A second subscribe, with more symbols in the same channels.
    Subscribe(Subscription),
}

pub struct Checker {
    published_log: Rc<RefCell<PublishedLog>>,
    /// The habits that the client has at the beginning of each connection.
    initially: Habits,
    /// The client's present habits, after the changes that the client requested on this connection.
    habits: Habits,
    /// The change that the client has requested and the server has not answered yet.
    change: Option<Change>,
    /// Whether all disturbances of the run are over.
    is_watched: bool,
    history: u64,
    /// The cursor with which the client resumes on its next connection.
    cursor: Option<Cursor>,
    connection: Connection,
    /// For each situation that the simulation must cover: how often the situation occurred.
    pub seen: BTreeMap<&'static str, u64>,
}

/// The state of a connection, as derived from the received frames.
#[derive(Default)]
struct Connection {
    phase: Phase,
    /// The cursor that the client sent in order to resume, if it sent one.
    after: Option<Cursor>,
    epoch: String,
    model: ConnectionModel,
    /// Whether the delivery was ever `latest` on this connection. A feed state for a `latest` client may wait
    /// until the client reads again.
    was_latest: bool,
    /// Whether the client resumed on this connection. After a resume, a feed state arrives after all missed
    /// events, even if the feed state is older than the missed events.
    was_resumed: bool,
    /// The position of the newest complete set of snapshots. A feed state that is older than this position
    /// arrives after the snapshots.
    snapshots_at: u64,
    /// If the newest received frame is a gap: the number of snapshots that this gap announced. A seek may
    /// replace the announced snapshots.
    announced: Option<u64>,
    /// Whether the connection is steady: a heartbeat and all missed events have arrived since the
    /// disturbances ended. On a steady connection, no event may arrive late.
    is_steady: bool,
    /// The sequence number of the last event that the server has written to this connection, according to the
    /// received frames.
    written: u64,
}

#[derive(Default)]
enum Phase {
    #[default]
    Disconnected,
    /// The server has not answered a subscribe yet.
    Unanswered,
    /// The next frame must be a gap frame with the reason and the sequence numbers in these fields. The field
    /// `snapshots` is the number of snapshots that follow the gap frame.
    Gap {
        reason: &'static str,
        after: Option<u64>,
        until: u64,
        snapshots: u64,
    },
    /// The log has a seek that the shard has not read yet. The shard sends a gap frame when it reads this
    /// seek.
    SeekAhead,
    Live,
}

impl Checker {
    pub fn new(published_log: Rc<RefCell<PublishedLog>>, habits: Habits, history: usize) -> Self {
        let history = history as u64;
        Self {
            published_log,
            initially: habits.clone(),
            habits,
            change: None,
            is_watched: false,
            history,
            cursor: None,
            connection: Connection::default(),
            seen: BTreeMap::new(),
        }
    }

    /// Returns the cursor with which the client resumes.
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor.clone()
    }

    /// Drops the cursor, so that the next connection does not resume.
    pub fn forget(&mut self) {
        self.cursor = None;
    }

    /// Begins a connection. If the client has a cursor, the client resumes after this cursor.
    pub fn connected(&mut self) {
        self.habits = self.initially.clone();
        self.change = None;
        self.connection = Connection {
            phase: Phase::Unanswered,
            after: self.cursor.clone(),
            was_latest: !self.habits.every,
            ..Connection::default()
        };
    }

    /// Returns whether the client may request this change now. If the change is allowed, the checker
    /// remembers the change.
    ///
    /// The client waits for the answer to each request before it sends the next request. Without this wait,
    /// the server could stop reading requests when too many answers are pending.
    pub fn try_change(&mut self, change: &Change) -> bool {
        let may = self.is_answered() && self.change.is_none();
        if may {
            self.change = Some(change.clone());
        }
        may
    }

    /// Ends the connection.
    pub fn disconnected(&mut self) {
        self.connection = Connection::default();
    }

    /// Returns whether the server has answered the first subscribe of the connection.
    pub fn is_answered(&self) -> bool {
        !matches!(self.connection.phase, Phase::Disconnected | Phase::Unanswered)
    }

    /// Returns the greatest age at which an event may arrive on a steady connection.
    pub fn max_delay(&self) -> Duration {
        MAX_DELAY + Duration::from_millis(if self.habits.every { 0 } else { self.habits.interval_ms })
    }

    /// Notes that the disturbances are over. After this call, the connection can become steady.
    pub fn begin_watching(&mut self) {
        self.is_watched = true;
    }

    /// Returns whether the client has all published events, or `None` if its connection is not steady.
    pub fn has_all(&self) -> Option<bool> {
        let published_log = self.published_log.borrow();
        let epoch = published_log.newest();
        let model = &self.connection.model;
        let has_all = model.nothing_waits(epoch, &self.habits, epoch.head()).is_ok();
        (self.connection.is_steady && self.connection.epoch == epoch.name).then_some(has_all)
    }

    /// Returns whether a heartbeat has confirmed that the client has all published events.
    pub fn is_caught_up(&self) -> bool {
        let published_log = self.published_log.borrow();
        let newest = published_log.newest();
        self.connection.model.is_caught_up_at(newest.head()) && self.connection.epoch == newest.name
    }

    /// Checks the next frame that the client received.
    pub fn on_frame(&mut self, text: &str) -> Verdict {
        let frame: Value =
            serde_json::from_str(text).map_err(|error| format!("the frame is not JSON: {error}"))?;
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        self.check_phase(&kind)?;
        let announced = self.connection.announced.take().filter(|_| frame["position"].is_null());
        if let Some(announced) = announced {
            same("snapshots of the gap", &announced, &self.connection.model.owed_snapshots())?;
        }
        let published_log = Rc::clone(&self.published_log);
        let published_log = published_log.borrow();
        if kind == "subscribed" {
            return self.on_subscribed(&frame, &published_log);
        }
        if matches!(self.connection.phase, Phase::Unanswered) {
            let is_right = kind != "gap" || frame["reason"] == "lagged";
            return if is_right { Ok(()) } else { Err("the client has not asked to resume".to_owned()) };
        }
        let epoch = published_log.epoch(&self.connection.epoch).ok_or("it has not subscribed yet")?;
        match kind.as_str() {
            "gap" => self.on_gap(&frame, epoch),
            "snapshot" => self.on_snapshot(frame, epoch),
            "trade" | "quote" | "bar" => self.on_event(&frame, text, epoch),
            "heartbeat" => self.on_heartbeat(&frame, epoch),
            "feed" => self.on_feed(&frame, epoch),
            "set" => self.on_set(&frame, epoch),
            _ => Err("the client has not asked for it".to_owned()),
        }
    }

    /// Checks the code and the reason of a close.
    pub fn on_close(&mut self, code: u16, reason: &str) -> Verdict {
        match code {
            1001 => {
                self.record("shutdown announced");
                Ok(())
            }
            4008 if self.may_be_slow_consumer() => {
                if matches!(self.connection.phase, Phase::Unanswered) {
                    // The server has not answered the subscribe, so the client's earlier cursor stays valid.
                    self.record("closed with 4008 before it subscribed");
                    return Ok(());
                }
                self.record("closed with 4008");
                if self.connection.model.awaits_snapshots() {
                    self.record("closed between snapshots");
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

    /// Returns whether the server may close the client as a slow consumer. This is true if the delivery is
    /// `every`, or if the client has requested a change to `every`.
    pub fn may_be_slow_consumer(&self) -> bool {
        self.habits.every || matches!(self.change, Some(Change::Set(true, _)))
    }

    fn record(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Checks that this kind of frame may arrive now. If a gap frame is due, no other kind of frame may
    /// arrive. No answer to a command may interrupt a set of snapshots.
    fn check_phase(&self, kind: &str) -> Verdict {
        let awaits_snapshots = self.connection.model.awaits_snapshots();
        let is_right = match &self.connection.phase {
            Phase::Disconnected => false,
            // A `set` makes the client a subscriber, so feed states and heartbeats may arrive before its
            // subscribe is answered.
            Phase::Unanswered => matches!(kind, "subscribed" | "set" | "feed" | "heartbeat" | "gap"),
            Phase::Gap { .. } => kind == "gap",
            Phase::SeekAhead | Phase::Live => !awaits_snapshots || !matches!(kind, "subscribed" | "set"),
        };
        if is_right { Ok(()) } else { Err("this kind of frame may not arrive now".to_owned()) }
    }

    fn on_subscribed(&mut self, frame: &Value, published_log: &PublishedLog) -> Verdict {
        let name = frame["epoch"].as_str().unwrap_or_default();
        let epoch = published_log.epoch(name).ok_or("there was no such epoch")?;
        let seq = number(frame, "seq")?;
        if seq > epoch.head() {
            return Err(format!("seq is ahead of the newest event {}", epoch.head()));
        }
        if !matches!(self.connection.phase, Phase::Unanswered) {
            return self.on_subscribed_to_more(frame, epoch, seq);
        }
        self.check_subscription(frame)?;
        name.clone_into(&mut self.connection.epoch);
        let (_, seeks) = position_of(&frame["feed"]).unwrap_or_default();
        let head_at_seek = epoch.head_at_seek(seeks);
        let resumed = &frame["resumed"];
        let gap = match self.connection.after.clone() {
            None => {
                same("resumed", resumed, &json!(false))?;
                None
            }
            Some((old, _)) if old != name => {
                same("resumed in another epoch", resumed, &json!(false))?;
                self.record("epoch_changed");
                Some(("epoch_changed", None))
            }
            Some((_, after)) if resumed == &json!(true) => {
                if seeks > 0 && after <= head_at_seek {
                    return Err(format!("{after} was replaced by a seek after {head_at_seek}"));
                }
                self.record("resumed");
                same("snapshots", &number(frame, "snapshots")?, &0)?;
                self.connection.was_resumed = true;
                self.connection.phase = Phase::Live;
                self.connection.model.resume(seeks, after, seq);
                self.connection.written = after;
                return Ok(());
            }
            Some((_, after)) => {
                let was_replaced = was_replaced(epoch, after);
                if self.is_in_history(epoch, after) {
                    return Err(format!("{after} is within the history and was not resumed"));
                }
                self.connection.written = after;
                if after == seq && was_replaced && (seeks == 0 || head_at_seek < after) {
                    self.connection.model.begin(seeks, seq);
                    self.connection.phase = Phase::SeekAhead;
                    self.cursor = None;
                    return same("snapshots", &number(frame, "snapshots")?, &0);
                }
                self.record("history_exhausted");
                Some(("history_exhausted", Some(after)))
            }
        };
        self.cursor = None;
        self.connection.model.begin(seeks, seq);
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

    /// Checks the answer to a second subscribe on the same connection. The earlier subscription continues,
    /// and the client gets snapshots of the new symbols.
    fn on_subscribed_to_more(&mut self, frame: &Value, epoch: &Epoch, seq: u64) -> Verdict {
        let Some(Change::Subscribe(more)) = self.change.take() else {
            return Err("the client has not subscribed again".to_owned());
        };
        same("resumed", &frame["resumed"], &json!(false))?;
        self.connection.model.subscribe_more(epoch, &self.habits, seq)?;
        self.record("subscribed again");
        let all = self.habits.wanted.with(&more);
        let had = std::mem::replace(&mut self.habits.wanted, all);
        self.check_subscription(frame)?;
        self.expect_snapshots(epoch, &more, Some(had));
        self.check_count(frame)
    }

    fn on_gap(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        if let Phase::Gap { reason, after, until, snapshots } = self.connection.phase {
            let mut expected = json!({ "type": "gap", "reason": reason });
            if let Some(after) = after {
                expected["after"] = after.into();
                expected["until"] = until.into();
            }
            if reason == "epoch_changed" {
                expected["epoch"] = self.connection.epoch.as_str().into();
            }
            same("the gap", frame, &expected)?;
            self.connection.phase = Phase::Live;
            let wanted = self.habits.wanted.clone();
            self.expect_snapshots(epoch, &wanted, None);
            return same("snapshots", &snapshots, &self.connection.model.owed_snapshots());
        }
        same("reason", &frame["reason"], &json!("lagged"))?;
        let (after, until) = (number(frame, "after")?, number(frame, "until")?);
        let seek_was_ahead =
            matches!(std::mem::replace(&mut self.connection.phase, Phase::Live), Phase::SeekAhead);
        if self.habits.every && !seek_was_ahead {
            return Err("a gap with `every`: the server must close the client instead".to_owned());
        }
        if self.is_in_history(epoch, after) {
            return Err(format!("a gap after {after}, which is within the history"));
        }
        self.connection.model.gap(epoch, &self.habits, after, until)?;
        self.record("lagged");
        let wanted = self.habits.wanted.clone();
        self.expect_snapshots(epoch, &wanted, None);
        self.connection.announced = Some(number(frame, "snapshots")?);
        Ok(())
    }

    /// Returns whether the log's history still contains all events after the sequence number `after`.
    fn is_in_history(&self, epoch: &Epoch, after: u64) -> bool {
        after + self.history >= epoch.head() && !was_replaced(epoch, after)
    }

    /// Notes that the client must now get a snapshot of each symbol in `wanted` that has values.
    fn expect_snapshots(&mut self, epoch: &Epoch, wanted: &Subscription, had: Option<Subscription>) {
        self.connection.model.expect_snapshots(epoch, wanted, had);
        self.connection.is_steady &= !self.connection.model.awaits_snapshots();
        self.cursor = None;
        self.end_set();
    }

    /// If the last snapshot of a set has arrived, moves the client's cursor to the position of the set.
    fn end_set(&mut self) {
        if !self.connection.model.awaits_snapshots() {
            let (seq, has_several_positions) = self.connection.model.set();
            self.connection.written = seq;
            self.connection.snapshots_at = seq;
            self.cursor = Some((self.connection.epoch.clone(), seq));
            if has_several_positions {
                self.record("snapshots at several positions");
            }
        }
    }

    fn check_count(&self, frame: &Value) -> Verdict {
        same("snapshots", &number(frame, "snapshots")?, &self.connection.model.owed_snapshots())
    }

    /// Checks that an answer describes the client's present subscription and delivery.
    fn check_subscription(&self, frame: &Value) -> Verdict {
        let habits = &self.habits;
        for (kind, channel) in CHANNELS.iter().enumerate() {
            let has_channel = habits.wanted.kinds.contains(&kind);
            let symbols = if has_channel { habits.wanted.symbols() } else { Vec::new() };
            same(channel, &frame[channel], &json!(symbols))?;
        }
        check_delivery(frame, habits)
    }

    fn on_snapshot(&mut self, mut frame: Value, epoch: &Epoch) -> Verdict {
        let seq = number(&frame, "seq")?;
        let symbol = frame["symbol"].as_str().unwrap_or_default().to_owned();
        let model = &mut self.connection.model;
        model.snapshot(epoch, &self.habits, &symbol, seq)?;
        let mut expected = epoch.snapshot(&symbol, model.seeks(), seq).unwrap_or_default();
        expected.insert("type".to_owned(), "snapshot".into());
        expected.insert("symbol".to_owned(), symbol.into());
        expected.insert("seq".to_owned(), seq.into());
        if let Some(fields) = frame.as_object_mut() {
            // Other tests check the day.
            fields.remove("day");
        }
        same("the snapshot", &frame, &expected.into())?;
        self.end_set();
        Ok(())
    }

    fn on_event(&mut self, frame: &Value, text: &str, epoch: &Epoch) -> Verdict {
        let seq = number(frame, "seq")?;
        let event = epoch.at(seq).ok_or("it has not been published")?;
        event.check(frame, text)?;
        if !self.habits.wanted.includes(event) {
            return Err("the client has not subscribed to it".to_owned());
        }
        let age = turmoil::sim_elapsed().unwrap_or_default().saturating_sub(event.at);
        if self.connection.is_steady && age > self.max_delay() {
            return Err(format!("it arrives {age:?} after its publish"));
        }
        self.connection.model.event(epoch, &self.habits, seq, event)?;
        if !self.connection.model.awaits_snapshots() {
            self.connection.written = seq;
            self.cursor = Some((self.connection.epoch.clone(), seq));
        }
        Ok(())
    }

    fn on_heartbeat(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        let (seq, sent, merged) = (number(frame, "seq")?, number(frame, "sent")?, number(frame, "merged")?);
        self.connection.model.heartbeat(epoch, &self.habits, &Heartbeat { seq, sent, merged })?;
        let model = &self.connection.model;
        self.connection.is_steady |= self.is_watched && !model.is_catching_up() && !model.awaits_snapshots();
        if merged > 0 {
            self.record("merged");
        }
        Ok(())
    }

    /// Checks the answer to a `set` command. If the old or the new delivery is `every`, no event before the
    /// answer may still wait to be sent.
    fn on_set(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        let Some(Change::Set(every, interval_ms)) = self.change.take() else {
            return Err("the client has not asked for it".to_owned());
        };
        let was_every = std::mem::replace(&mut self.habits.every, every);
        self.habits.interval_ms = interval_ms;
        check_delivery(frame, &self.habits)?;
        self.connection.was_latest |= !every;
        self.record("changed");
        if every || was_every {
            let seq = number(frame, "seq")?;
            self.connection.model.nothing_waits(epoch, &self.habits, seq)?;
        }
        Ok(())
    }

    /// Checks that a feed state arrives at an allowed place among the events.
    ///
    /// With `delivery=every`, all events that are older than the feed state arrive before the feed state.
    /// Newer events may arrive before the feed state only if the client resumed or got a set of snapshots.
    fn on_feed(&mut self, frame: &Value, epoch: &Epoch) -> Verdict {
        if let Some(position) = frame["position"].as_str() {
            return self.on_seek(frame, epoch, position);
        }
        self.record("feed state");
        let Some((after, _)) = position_of(frame) else {
            return Ok(());
        };
        if !self.habits.every || self.connection.was_latest {
            return Ok(());
        }
        let model = &self.connection.model;
        if model.last() > after && !self.connection.was_resumed && after > self.connection.snapshots_at {
            return Err(format!("it arrives after event {}", model.last()));
        }
        model.check_complete(epoch, &self.habits, after)
    }

    /// Checks the feed frame that announces a seek. Snapshots follow this feed frame.
    fn on_seek(&mut self, frame: &Value, epoch: &Epoch, position: &str) -> Verdict {
        let seeks = seeks_at(position.parse().map_err(|_| "position is not a time")?);
        let seq = number(frame, "seq")?;
        self.connection.model.seek(epoch, &self.habits, seeks, seq)?;
        self.record("seek");
        let wanted = self.habits.wanted.clone();
        self.expect_snapshots(epoch, &wanted, None);
        self.check_count(frame)
    }
}

/// Returns the log position in a feed state's text: the newest event before the feed state, and the number of
/// seeks.
fn position_of(state: &Value) -> Option<(u64, usize)> {
    let (after, seeks) = state["detail"].as_str()?.split_once(' ')?;
    Some((after.parse().ok()?, seeks.parse().ok()?))
}

/// Returns whether a seek has replaced the values of all events up to the sequence number `after`.
fn was_replaced(epoch: &Epoch, after: u64) -> bool {
    epoch.seeks() > 0 && after <= epoch.head_at_seek(epoch.seeks())
}

fn check_delivery(frame: &Value, habits: &Habits) -> Verdict {
    same("delivery", &frame["delivery"], &json!(if habits.every { "every" } else { "latest" }))?;
    same("interval_ms", &frame["interval_ms"], &json!(habits.interval_ms))
}

fn number(frame: &Value, name: &str) -> Result<u64, String> {
    frame[name].as_u64().ok_or_else(|| format!("{name} is not a number"))
}

fn same<T: PartialEq + std::fmt::Display + ?Sized>(what: &str, found: &T, expected: &T) -> Verdict {
    if found == expected { Ok(()) } else { Err(format!("{what}: expected {expected}")) }
}
