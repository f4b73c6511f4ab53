//! A model of one connection of a client. The model checks each received frame against the protocol, and
//! computes which frames must follow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::{Value, json};
use tickerplant::encoding::{self, Body, Encoding, Snapshot};
use tickerplant::market::{Event, Kind, Symbol};
use tickerplant::wire::{Delivery, Symbols};

use crate::support::received_frames::Frame;
use crate::support::reference_history::{ReferenceHistory, seeks_at};
use crate::support::shard_harness::SYMBOLS;

/// The key of an event: the name of its symbol and the name of its kind.
pub type Key = (String, String);

/// The expected answer to a subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The client gets snapshots, because its subscribe has no cursor.
    Fresh,
    /// The client resumes, and gets all events after this sequence number.
    Resumed(u64),
    /// The client gets a gap frame that begins after this sequence number, and then snapshots.
    HistoryExhausted(u64),
    /// The client gets a gap frame without sequence numbers, and then snapshots, because its cursor has
    /// another epoch.
    EpochChanged,
    /// An error reply.
    Refused,
}

/// A set of snapshots that the client is receiving.
#[derive(Debug, Default)]
struct SnapshotSet {
    /// The symbols whose snapshots have not arrived yet.
    owed: BTreeSet<String>,
    /// The position of each snapshot that has arrived, by symbol.
    covered: BTreeMap<String, u64>,
    /// The subscriptions that the client had before this set began. The events of these subscriptions
    /// continue to arrive between the snapshots.
    had: BTreeSet<Key>,
    /// The number of seeks before this set of snapshots began. The next seek of the feed ends the set.
    seeks: usize,
}

/// How fast a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The client may read at any pace.
    ItsOwn,
    /// The client reads every event immediately. No event may be conflated for this client, even with
    /// `delivery=latest`.
    OfTheFeed,
    /// The client may read at any pace, and the feed waits for the client. The client may be told of a seek
    /// late. The snapshots for this seek then include events that were published after the seek.
    TheFeedWaits,
}

/// The expected state of a client on one connection.
#[derive(Debug)]
pub struct ClientModel {
    /// Whether the client has subscribed.
    pub has_asked: bool,
    pub pace: Pace,
    /// The subscribes that wait for a reply, each with the expected answer. The number in each entry is how
    /// many seeks the shard had read when the client subscribed.
    asked: VecDeque<(Symbols, Answer, usize)>,
    /// The exact frame that must come next, if the model knows this frame.
    expected: Option<Value>,
    set: SnapshotSet,
    /// The symbols and kinds to which the client has subscribed. A subscription to `*` appears as one entry
    /// for each symbol.
    active: BTreeSet<Key>,
    /// The symbols to which the client has subscribed, in at least one channel.
    wants: Symbols,
    is_every: bool,
    /// The sequence number after which the client resumed.
    resumed_from: u64,
    /// The sequence number of the last event that the client missed before it resumed. Events up to this
    /// sequence number must not be conflated.
    resumed_until: u64,
    /// The sequence number of the newest event that the model has processed.
    cursor: u64,
    /// Only events after this sequence number may arrive.
    newest: u64,
    /// Only snapshots at this position in the log or later may arrive.
    position: u64,
    /// The client's cursor: the sequence number of its newest event, or of its newest complete set of
    /// snapshots. The cursor is 0 while a set of snapshots is incomplete.
    shown: u64,
    received: u64,
    due: u64,
    known: BTreeMap<Key, u64>,
    counted: Option<(u64, u64)>,
    lagged: u64,
    /// How many seeks the client already knows of.
    seeks: usize,
    /// If the newest received frame is a gap: the number of snapshots that this gap announced. A seek may
    /// replace the announced snapshots.
    told: Option<Value>,
    /// The client's cursor while the client is ahead of its shard, or `None` if the shard has caught up.
    ahead: Option<u64>,
}

impl ClientModel {
    pub fn new(delivery: Delivery) -> Self {
        Self {
            has_asked: false,
            pace: Pace::ItsOwn,
            asked: VecDeque::new(),
            expected: None,
            set: SnapshotSet::default(),
            active: BTreeSet::new(),
            wants: Symbols::default(),
            is_every: delivery == Delivery::Every,
            resumed_from: 0,
            resumed_until: 0,
            cursor: 0,
            newest: 0,
            position: 0,
            shown: 0,
            received: 0,
            due: 0,
            known: BTreeMap::new(),
            counted: None,
            lagged: 0,
            seeks: 0,
            told: None,
            ahead: None,
        }
    }

    /// Records a subscribe and its expected answer. The number `seeks` is how many seeks the shard has read
    /// so far.
    pub fn asked(&mut self, symbols: Symbols, answer: Answer, seeks: usize) {
        self.has_asked |= answer != Answer::Refused;
        self.asked.push_back((symbols, answer, seeks));
    }

    /// Returns the counts `sent` and `merged` from the last heartbeat.
    pub fn counted(&self) -> Option<(u64, u64)> {
        self.counted
    }

    /// Returns the cursor of the client. The cursor is 0 before the first event, and while a set of snapshots
    /// is incomplete.
    pub fn shown(&self) -> u64 {
        self.shown
    }

    /// Returns whether the client still waits for snapshots, and therefore has no cursor.
    pub fn is_in_set(&self) -> bool {
        !self.set.owed.is_empty()
    }

    /// Returns how many gap frames with the reason `lagged` the client has received.
    pub fn lagged(&self) -> u64 {
        self.lagged
    }

    /// Checks frames that the client received, and updates the model.
    pub fn take(&mut self, frames: Vec<Frame>, past: &ReferenceHistory) -> Result<(), TestCaseError> {
        for Frame { text, value, .. } in frames {
            let told = self.told.take();
            if let Some(position) = value["position"].as_str() {
                self.seek(past, seeks_at(position.parse().unwrap()), &value, told.is_some())?;
                continue;
            }
            if let Some(count) = told {
                prop_assert_eq!(count.as_u64(), Some(self.set.owed.len() as u64), "{}", value);
            }
            if let Some(expected) = self.expected.take() {
                prop_assert_eq!(&value, &expected);
                self.shown = if self.is_in_set() { 0 } else { self.newest };
                continue;
            }
            match value["type"].as_str().unwrap() {
                "subscribed" => self.subscribed(past, &value)?,
                "unsubscribed" | "set" => self.stand(past, &value)?,
                "error" => {
                    let (_, answer, _) = self.asked.pop_front().unwrap();
                    prop_assert_eq!(answer, Answer::Refused, "{}", value);
                    prop_assert_eq!(value["code"].as_str(), Some("bad_cursor"));
                }
                "gap" => self.lag(past, &value)?,
                "heartbeat" => {
                    prop_assert_eq!(value["sent"].as_u64(), Some(self.received));
                    self.counted = Some((self.received, value["merged"].as_u64().unwrap()));
                }
                "trade" | "quote" | "bar" | "status" => self.happened(past, &text, &value)?,
                "snapshot" => self.snapshot(past, &value)?,
                "feed" | "message" => {}
                _ => return Err(TestCaseError::fail(format!("{value} is not expected here"))),
            }
        }
        Ok(())
    }

    /// Checks the cursor `seq`, which the server sent in a close. No event after this cursor may have
    /// arrived. Each due event up to this cursor must have arrived, except events that may have been merged.
    pub fn closed_at(&mut self, past: &ReferenceHistory, seq: u64) -> Result<(), TestCaseError> {
        prop_assert!(self.shown <= seq, "cursor {} for a client that was shown {}", seq, self.shown);
        prop_assert!(seq == 0 || !self.is_in_set(), "cursor {} within {:?}", seq, self.set);
        self.pass(past, seq.max(self.cursor), false)
    }

    /// Checks that the newest value of each key has arrived, and that every skipped event was counted as
    /// merged.
    pub fn finish(&self, past: &ReferenceHistory) -> Result<(), TestCaseError> {
        prop_assert!(self.expected.is_none() && self.asked.is_empty() && !self.is_in_set());
        prop_assert_eq!(self.counted, Some((self.received, self.due - self.received)));
        prop_assert!(self.seeks == past.seeks.len() || !self.has_asked, "{} seeks", self.seeks);
        let sought_after = past.sought_after(past.seeks.len());
        for key in &self.active {
            let newest = past.events.iter().rposition(|event| key_of(event) == *key);
            // The client may lack events before the last seek, because the seek replaced their values.
            let newest = newest.map_or(0, |index| index as u64 + 1);
            let newest = if newest > sought_after { newest } else { 0 };
            let known = self.known.get(key).copied().unwrap_or(self.resumed_from);
            prop_assert!(known >= newest, "{:?}: {} of {}", key, known, newest);
        }
        Ok(())
    }

    fn subscribed(&mut self, past: &ReferenceHistory, reply: &Value) -> Result<(), TestCaseError> {
        let (symbols, answer, seeks) = self.asked.pop_front().unwrap();
        let seq = reply["seq"].as_u64().unwrap();
        // The client may come from another shard that had read more seeks.
        self.seeks = self.seeks.max(seeks);
        let is_resumed = matches!(answer, Answer::Resumed(_));
        prop_assert_eq!(reply["resumed"].as_bool(), Some(is_resumed), "{} for {:?}", reply, answer);
        if let Answer::Resumed(after) = answer {
            (self.resumed_from, self.resumed_until) = (after, seq);
            (self.cursor, self.newest, self.position) = (after, after, after);
            self.seeks = self.seeks.max(past.seeks_before(after));
            prop_assert_eq!(reply["snapshots"].as_u64(), Some(0));
            self.take_over(reply);
            return Ok(());
        }
        if let Answer::HistoryExhausted(after) = answer
            && after == seq
            && (seeks == 0 || past.sought_after(seeks) < after)
        {
            // The shard has not read some events or a seek yet. It sends the gap or the seek when it
            // continues to read.
            (self.cursor, self.ahead) = (after, Some(after));
            self.seeks = self.seeks.max(past.seeks_before(after));
        }
        let had = std::mem::take(&mut self.active);
        self.active.clone_from(&had);
        self.stand(past, reply)?;
        if self.ahead.is_some() {
            return Ok(());
        }
        self.expected = match answer {
            Answer::HistoryExhausted(after) => {
                Some(json!({"type":"gap","after":after,"until":seq,"reason":"history_exhausted"}))
            }
            Answer::EpochChanged => {
                Some(json!({"type":"gap","reason":"epoch_changed","epoch":reply["epoch"]}))
            }
            _ => None,
        };
        let fold = past.fold(self.seeks, seq);
        let unknown = symbols.names.iter().filter(|name| fold.index_of(name).is_none());
        let unknown: Vec<Value> = unknown.map(|name| name.as_str().into()).collect();
        let told = reply["unknown"].as_array().cloned().unwrap_or_default();
        prop_assert_eq!(told, unknown, "{}", reply);
        self.owe_snapshots(past, seq, &symbols, had);
        prop_assert_eq!(reply["snapshots"].as_u64(), Some(self.set.owed.len() as u64));
        Ok(())
    }

    /// Sets the model's subscriptions and position to the values in a reply of the server.
    fn stand(&mut self, past: &ReferenceHistory, reply: &Value) -> Result<(), TestCaseError> {
        let seq = reply["seq"].as_u64().unwrap();
        prop_assert!(!self.is_in_set(), "{} within {:?}", reply, self.set);
        self.pass(past, seq, false)?;
        (self.newest, self.position) = (seq, seq);
        self.take_over(reply);
        Ok(())
    }

    fn take_over(&mut self, reply: &Value) {
        self.is_every = reply["delivery"] == "every";
        self.active = active(reply);
        let all = ["trades", "quotes", "bars"].iter().any(|list| reply[list][0] == "*");
        let names = self.active.iter().map(|(symbol, _)| symbol.parse().unwrap()).collect();
        self.wants = Symbols { all, names };
    }

    /// Handles a gap frame with the reason `lagged`. The model no longer expects the events in the gap.
    fn lag(&mut self, past: &ReferenceHistory, gap: &Value) -> Result<(), TestCaseError> {
        let (after, until) = (gap["after"].as_u64().unwrap(), gap["until"].as_u64().unwrap());
        prop_assert_eq!(gap["reason"].as_str(), Some("lagged"));
        let may_lag = self.ahead.take() == Some(after) || !self.is_every && until > after;
        prop_assert!(may_lag && after >= self.newest && until >= after, "{} at {}", gap, self.newest);
        self.pass(past, after, false)?;
        (self.cursor, self.newest, self.position) = (until, until, until);
        self.lagged += 1;
        self.told = Some(gap["snapshots"].clone());
        self.owe_snapshots(past, until, &self.wants.clone(), BTreeSet::new());
        Ok(())
    }

    /// Handles a seek. Checks that each due event before the seek has arrived or may have been merged.
    fn seek(
        &mut self,
        past: &ReferenceHistory,
        seeks: usize,
        frame: &Value,
        is_behind_gap: bool,
    ) -> Result<(), TestCaseError> {
        prop_assert!(seeks > self.seeks, "seek {} after {}", seeks, self.seeks);
        prop_assert!(self.expected.is_none(), "seek {} before {:?}", seeks, self.expected);
        let first_after = past.sought_after(self.seeks + 1);
        self.seeks = seeks;
        let (seq, after) = (frame["seq"].as_u64().unwrap(), past.sought_after(seeks));
        prop_assert!(seq >= after, "{} before it came", frame);
        prop_assert!(is_behind_gap || self.newest <= after, "{} is told before seek {}", self.newest, seeks);
        if self.pace == Pace::TheFeedWaits {
            // One frame may report several seeks. All events before the first of these seeks have arrived.
            self.pass(past, first_after.max(self.cursor), false)?;
            self.cursor = seq;
        }
        self.pass(past, seq, false)?;
        (self.newest, self.position) = (seq, seq);
        self.owe_snapshots(past, seq, &self.wants.clone(), BTreeSet::new());
        prop_assert_eq!(frame["snapshots"].as_u64(), Some(self.set.owed.len() as u64));
        Ok(())
    }

    /// Notes that the client must get a snapshot of each symbol in `symbols` that has data at the position
    /// `seq`.
    fn owe_snapshots(&mut self, past: &ReferenceHistory, seq: u64, symbols: &Symbols, had: BTreeSet<Key>) {
        let fold = past.fold(self.seeks, seq);
        let is_meant = |symbol: &Symbol| symbols.all || symbols.names.contains(symbol);
        let owed = fold.iter().filter(|(symbol, _)| is_meant(symbol)).map(|(symbol, _)| symbol.to_string());
        self.set = SnapshotSet { owed: owed.collect(), covered: BTreeMap::new(), had, seeks: self.seeks };
        if self.is_in_set() {
            self.shown = 0;
        }
    }

    /// Checks that a snapshot contains the last values of its symbol after all events up to the snapshot's
    /// position.
    fn snapshot(&mut self, past: &ReferenceHistory, frame: &Value) -> Result<(), TestCaseError> {
        let (seq, name) = (frame["seq"].as_u64().unwrap(), frame["symbol"].as_str().unwrap());
        prop_assert!(self.set.owed.remove(name), "{} is not owed", frame);
        prop_assert!(seq >= self.position, "{} after {}", frame, self.position);
        self.position = seq;
        let (fold, symbol) = (past.fold(self.seeks, seq), name.parse().unwrap());
        let last = fold.get(&symbol).unwrap();
        let latest = Kind::CHANNELS.map(|kind| last.latest(kind).map(|latest| (latest.seq, &latest.event)));
        for latest in Kind::ALL.into_iter().filter_map(|kind| last.latest(kind)) {
            self.known.insert(key_of(&latest.event), seq);
        }
        let mut text = Vec::new();
        let snapshot = Snapshot { seq, symbol: &symbol, latest, halt: last.halt(), day: last.day() };
        Encoding::Ndjson(Body::UntilClose).write(&mut text, &encoding::Value::Snapshot(&snapshot));
        prop_assert_eq!(frame, &serde_json::from_slice::<Value>(&text).unwrap());
        self.set.covered.insert(name.to_owned(), seq);
        if self.is_every || !self.is_in_set() {
            self.pass(past, seq, false)?;
        }
        if !self.is_in_set() {
            (self.newest, self.shown) = (seq, seq);
            self.set = SnapshotSet::default();
        }
        Ok(())
    }

    fn happened(&mut self, past: &ReferenceHistory, text: &[u8], frame: &Value) -> Result<(), TestCaseError> {
        let seq = frame["seq"].as_u64().unwrap();
        let event = past.event(seq);
        let mut expected = Vec::new();
        Encoding::Ndjson(Body::UntilClose).write(&mut expected, &encoding::Value::Event(seq, event));
        prop_assert_eq!(text, expected.strip_suffix(b"\n").unwrap());
        prop_assert!(self.active.contains(&key_of(event)), "{} is not subscribed to", frame);
        prop_assert!(seq > self.newest, "{} after {}", frame, self.newest);
        let covered = self.set.covered.get(frame["symbol"].as_str().unwrap());
        prop_assert!(
            self.is_due(past, seq) && covered.is_none_or(|at| seq > *at),
            "{} {:?}",
            frame,
            self.set
        );
        self.pass(past, seq, true)?;
        self.newest = seq;
        self.shown = if self.is_in_set() { 0 } else { seq };
        self.received += 1;
        self.known.insert(key_of(event), seq);
        Ok(())
    }

    /// Moves the model forward to the position `seq`. Checks that each due event before `seq` has arrived or
    /// may have been merged.
    fn pass(&mut self, past: &ReferenceHistory, seq: u64, is_event: bool) -> Result<(), TestCaseError> {
        prop_assert!(seq >= self.cursor, "back from {} to {}", self.cursor, seq);
        while self.cursor < seq {
            self.cursor += 1;
            if !self.is_due(past, self.cursor) {
                continue;
            }
            self.due += 1;
            let is_received = is_event && self.cursor == seq;
            let may_merge =
                !self.is_every && self.pace != Pace::OfTheFeed && self.cursor > self.resumed_until;
            prop_assert!(is_received || may_merge, "event {} is missing", self.cursor);
        }
        Ok(())
    }
}

impl ClientModel {
    /// Returns whether an event is due: it must be sent or counted as merged. An event that a snapshot
    /// already includes is not due.
    fn is_due(&self, past: &ReferenceHistory, seq: u64) -> bool {
        let key = key_of(past.event(seq));
        let SnapshotSet { owed, covered, had, seeks } = &self.set;
        let is_told = owed.contains(&key.0) || covered.get(&key.0).is_some_and(|at| seq <= *at);
        // Events between a seek and its frame count as merged, because the snapshots after the frame include
        // them.
        let is_ended = past.seeks.get(*seeks).is_some_and(|seek| seq > seek.after);
        self.active.contains(&key) && (!is_told || is_ended || had.contains(&key))
    }
}

pub fn key_of(event: &Event) -> Key {
    (event.symbol.to_string(), event.kind().name().to_owned())
}

fn active(reply: &Value) -> BTreeSet<Key> {
    let of = |list: &str, kind: &str| {
        let names: Vec<String> = serde_json::from_value(reply[list].clone()).unwrap();
        let all = names.iter().any(|name| name == "*");
        let names = if all { SYMBOLS.map(str::to_owned).to_vec() } else { names };
        names.into_iter().map(|name| (name, kind.to_owned())).collect::<Vec<_>>()
    };
    let channels = [of("trades", "trade"), of("quotes", "quote"), of("bars", "bar")].concat();
    let statuses = channels.clone().into_iter().map(|(symbol, _)| (symbol, "status".to_owned()));
    statuses.chain(channels).collect()
}
