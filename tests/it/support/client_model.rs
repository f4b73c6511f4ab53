//! What a client can know from its own frames alone, and what it was promised.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::{Value, json};
use tickerplant::encoding::{self, Encoding, Snapshot};
use tickerplant::market::{Event, Kind, Symbol};
use tickerplant::wire::{Delivery, Symbols};

use crate::support::received_frames::Frame;
use crate::support::reference_history::{ReferenceHistory, seeks_at};
use crate::support::shard_harness::SYMBOLS;

/// A symbol and a kind.
pub type Key = (String, String);

/// How a subscribe is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With snapshots.
    Fresh,
    /// With all that came after this event.
    Resumed(u64),
    /// With a gap after this event, and snapshots.
    HistoryExhausted(u64),
    /// With a gap, and snapshots.
    EpochChanged,
    /// Not at all.
    Refused,
}

/// What snapshots follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Gap,
    Seek,
}

/// One connection, as its client sees it.
#[derive(Debug)]
pub struct ClientModel {
    /// Whether it has subscribed before.
    pub has_asked: bool,
    /// Whether it is to miss nothing even where newer events may replace older ones: it reads as fast as they come.
    pub keeps_up: bool,
    /// With how many seeks its shard had come by.
    asked: VecDeque<(Symbols, Answer, usize)>,
    /// The frames that have to come next.
    expected: VecDeque<Value>,
    /// What it takes, a `*` written out.
    active: BTreeSet<Key>,
    /// That, by the symbols.
    wants: Symbols,
    is_every: bool,
    /// It came with all up to here.
    resumed_from: u64,
    /// Up to here it gets all that it missed, one by one.
    resumed_until: u64,
    /// Up to here it is known what was due.
    cursor: u64,
    /// Nothing at or below this may follow.
    newest: u64,
    /// The newest that an event, or a set of snapshots, has shown it.
    shown: u64,
    received: u64,
    due: u64,
    known: BTreeMap<Key, u64>,
    counted: Option<(u64, u64)>,
    lagged: u64,
    /// How many seeks there were before all that it is told now.
    seeks: usize,
    /// What it was told by the last frame, where the next is to be seen in its light.
    told: Option<Told>,
    /// The cursor at which it is ahead of the shard that answered, until that says so.
    ahead: Option<u64>,
}

impl ClientModel {
    pub fn new(delivery: Delivery) -> Self {
        Self {
            has_asked: false,
            keeps_up: false,
            asked: VecDeque::new(),
            expected: VecDeque::new(),
            active: BTreeSet::new(),
            wants: Symbols::default(),
            is_every: delivery == Delivery::Every,
            resumed_from: 0,
            resumed_until: 0,
            cursor: 0,
            newest: 0,
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

    /// Says that the client has subscribed, with a shard that had come by so many seeks.
    pub fn asked(&mut self, symbols: Symbols, answer: Answer, seeks: usize) {
        self.has_asked |= answer != Answer::Refused;
        self.asked.push_back((symbols, answer, seeks));
    }

    /// What the last heartbeat said was sent and merged.
    pub fn counted(&self) -> Option<(u64, u64)> {
        self.counted
    }

    /// The newest event up to which it knows that it has all; 0 before the first.
    pub fn shown(&self) -> u64 {
        self.shown
    }

    /// How often it was told that the server fell behind its history.
    pub fn lagged(&self) -> u64 {
        self.lagged
    }

    /// Takes in whole frames.
    pub fn take(&mut self, frames: Vec<Frame>, past: &ReferenceHistory) -> Result<(), TestCaseError> {
        for Frame { text, value, .. } in frames {
            let told = self.told.take();
            if told == Some(Told::Seek) {
                self.settle(past, &value)?;
            }
            if let Some(position) = value["position"].as_str() {
                self.seek(past, seeks_at(position.parse().unwrap()), told == Some(Told::Gap))?;
                continue;
            }
            if let Some(expected) = self.expected.pop_front() {
                prop_assert_eq!(&value, &expected);
                self.shown = if self.expected.is_empty() { self.newest } else { self.shown };
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
                "trade" | "quote" | "bar" => self.happened(past, &text, &value)?,
                "feed" | "message" => {}
                _ => return Err(TestCaseError::fail(format!("{value} is not expected here"))),
            }
        }
        Ok(())
    }

    /// Says that the client was closed and is to come back with this cursor: it has all up to there, and no more.
    pub fn closed_at(&mut self, past: &ReferenceHistory, seq: u64) -> Result<(), TestCaseError> {
        prop_assert!(self.shown <= seq, "cursor {} for a client that was shown {}", seq, self.shown);
        self.pass(past, seq.max(self.cursor), false)
    }

    /// Checks that the newest of all has arrived, and that nothing was skipped without being counted.
    pub fn finish(&self, past: &ReferenceHistory) -> Result<(), TestCaseError> {
        prop_assert!(self.expected.is_empty() && self.asked.is_empty());
        prop_assert_eq!(self.counted, Some((self.received, self.due - self.received)));
        prop_assert!(self.seeks == past.seeks.len() || !self.has_asked, "{} seeks", self.seeks);
        let sought_after = past.sought_after(past.seeks.len());
        for key in &self.active {
            let newest = past.events.iter().rposition(|event| key_of(event) == *key);
            // What came before a seek has been replaced.
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
        // A client can know of more than its shard.
        self.seeks = self.seeks.max(seeks);
        let is_resumed = matches!(answer, Answer::Resumed(_));
        prop_assert_eq!(reply["resumed"].as_bool(), Some(is_resumed), "{} for {:?}", reply, answer);
        if let Answer::Resumed(after) = answer {
            (self.resumed_from, self.resumed_until) = (after, seq);
            (self.cursor, self.newest) = (after, after);
            self.seeks = self.seeks.max(past.seeks_before(after));
            self.take_over(reply);
            return Ok(());
        }
        if let Answer::HistoryExhausted(after) = answer
            && after == seq
            && (seeks == 0 || past.sought_after(seeks) < after)
        {
            // The log has passed the shard as well, or the feed has gone on from elsewhere: the shard says so when it has
            // found that out.
            (self.cursor, self.ahead) = (after, Some(after));
            self.seeks = self.seeks.max(past.seeks_before(after));
        }
        self.stand(past, reply)?;
        if self.ahead.is_some() {
            return Ok(());
        }
        match answer {
            Answer::HistoryExhausted(after) => {
                let gap = json!({"type":"gap","after":after,"until":seq,"reason":"history_exhausted"});
                self.expected.push_back(gap);
            }
            Answer::EpochChanged => {
                self.expected.push_back(json!({"type":"gap","reason":"epoch_changed"}));
            }
            _ => {}
        }
        self.expect_snapshots(past, seq, &symbols);
        Ok(())
    }

    /// Takes in what the client now has, from the reply's own position on.
    fn stand(&mut self, past: &ReferenceHistory, reply: &Value) -> Result<(), TestCaseError> {
        let seq = reply["seq"].as_u64().unwrap();
        self.pass(past, seq, false)?;
        self.newest = seq;
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

    /// The server fell behind its history: what lies between is lost, and not due.
    fn lag(&mut self, past: &ReferenceHistory, gap: &Value) -> Result<(), TestCaseError> {
        let (after, until) = (gap["after"].as_u64().unwrap(), gap["until"].as_u64().unwrap());
        prop_assert_eq!(gap["reason"].as_str(), Some("lagged"));
        let may_lag = self.ahead.take() == Some(after) || !self.is_every && until > after;
        prop_assert!(may_lag && after >= self.newest && until >= after, "{} at {}", gap, self.newest);
        self.pass(past, after, false)?;
        (self.cursor, self.newest) = (until, until);
        self.lagged += 1;
        self.told = Some(Told::Gap);
        self.expect_snapshots(past, until, &self.wants.clone());
        Ok(())
    }

    /// The feed goes on from elsewhere; all that was due before has come, or may have been merged.
    fn seek(
        &mut self,
        past: &ReferenceHistory,
        seeks: usize,
        is_behind_gap: bool,
    ) -> Result<(), TestCaseError> {
        prop_assert!(seeks > self.seeks, "seek {} after {}", seeks, self.seeks);
        self.seeks = seeks;
        let after = past.sought_after(seeks);
        // Behind a gap with no snapshots of its own, nothing to snapshot there, the seek may be news that came later.
        if is_behind_gap && (after < self.newest || !self.expected.is_empty()) {
            // The snapshots behind the gap are those of after the seek.
            self.expected.clear();
            self.expect_snapshots(past, self.newest, &self.wants.clone());
        } else {
            prop_assert!(self.expected.is_empty(), "seek {} before {:?}", seeks, self.expected);
            prop_assert!(self.newest <= after, "{} is told before seek {}", self.newest, seeks);
            self.pass(past, after.max(self.cursor), false)?;
            self.told = Some(Told::Seek);
        }
        Ok(())
    }

    /// The first frame behind a seek says how far the snapshots go.
    fn settle(&mut self, past: &ReferenceHistory, first: &Value) -> Result<(), TestCaseError> {
        let seq = if first["type"] == "snapshot" { first["seq"].as_u64().unwrap() } else { self.cursor };
        prop_assert!(seq >= past.sought_after(self.seeks));
        self.pass(past, seq, false)?;
        self.newest = seq;
        self.expect_snapshots(past, seq, &self.wants.clone());
        Ok(())
    }

    /// Every symbol that has data is told as it is at `seq`: the fold of what was published up to there.
    fn expect_snapshots(&mut self, past: &ReferenceHistory, seq: u64, symbols: &Symbols) {
        let fold = past.fold(self.seeks, seq);
        let named: Vec<&Symbol> = if symbols.all {
            fold.iter().map(|(symbol, _)| symbol).collect()
        } else {
            symbols.names.iter().collect()
        };
        for symbol in named {
            let Some(last) = fold.get(symbol) else { continue };
            let latest = Kind::ALL.map(|kind| last.latest(kind).map(|latest| (latest.seq, &latest.event)));
            for event in latest.iter().flatten().map(|(_, event)| event) {
                self.known.insert(key_of(event), seq);
            }
            let mut text = Vec::new();
            let snapshot = Snapshot { seq, symbol, latest, day: last.day() };
            Encoding::Lines.write(&mut text, &encoding::Value::Snapshot(&snapshot));
            self.expected.push_back(serde_json::from_slice(&text).unwrap());
        }
    }

    fn happened(&mut self, past: &ReferenceHistory, text: &[u8], frame: &Value) -> Result<(), TestCaseError> {
        let seq = frame["seq"].as_u64().unwrap();
        let event = past.event(seq);
        let mut expected = Vec::new();
        Encoding::Lines.write(&mut expected, &encoding::Value::Event(seq, event));
        prop_assert_eq!(text, expected.strip_suffix(b"\n").unwrap());
        prop_assert!(self.active.contains(&key_of(event)), "{} is not subscribed to", frame);
        prop_assert!(seq > self.newest, "{} after {}", frame, self.newest);
        self.pass(past, seq, true)?;
        (self.newest, self.shown) = (seq, seq);
        self.received += 1;
        self.known.insert(key_of(event), seq);
        Ok(())
    }

    /// Goes on to `seq`: what was due on the way has been received, or may have been merged.
    fn pass(&mut self, past: &ReferenceHistory, seq: u64, is_event: bool) -> Result<(), TestCaseError> {
        prop_assert!(seq >= self.cursor, "back from {} to {}", self.cursor, seq);
        while self.cursor < seq {
            self.cursor += 1;
            if !self.active.contains(&key_of(past.event(self.cursor))) {
                continue;
            }
            self.due += 1;
            let is_received = is_event && self.cursor == seq;
            let may_merge = !self.is_every && !self.keeps_up && self.cursor > self.resumed_until;
            prop_assert!(is_received || may_merge, "event {} is missing", self.cursor);
        }
        Ok(())
    }
}

pub fn key_of(event: &Event) -> Key {
    let kind = match event.kind() {
        Kind::Trade => "trade",
        Kind::Quote => "quote",
        Kind::Bar => "bar",
    };
    (event.symbol.to_string(), kind.to_owned())
}

fn active(reply: &Value) -> BTreeSet<Key> {
    let of = |list: &str, kind: &str| {
        let names: Vec<String> = serde_json::from_value(reply[list].clone()).unwrap();
        let all = names.iter().any(|name| name == "*");
        let names = if all { SYMBOLS.map(str::to_owned).to_vec() } else { names };
        names.into_iter().map(|name| (name, kind.to_owned())).collect::<Vec<_>>()
    };
    [of("trades", "trade"), of("quotes", "quote"), of("bars", "bar")].concat().into_iter().collect()
}
