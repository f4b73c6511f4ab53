//! What a subscriber knows of its stream, and what it can prove of it.
//!
//! `seq` ascends, over all its connections; who takes every event of all symbols gets them without a hole; a
//! heartbeat's `sent` is what came, and with `merged` it is all that there was. Where a client came back with a cursor,
//! the count goes on from there: what is lost or comes twice does not add up.

use tickerplant::market::Time;

use crate::plant::name;
use crate::tally::{Tally, count};
use crate::update::{self, Times};
use crate::websocket::{kind, number};
use crate::witness::{Key, Witness};

/// A history holds so many events at the least: a cursor that is not further behind is always good.
const HELD: u64 = 32_768;

/// Where a market frame has the name of its symbol, which is a hexadecimal number.
const NAME: std::ops::Range<usize> = 26..30;

/// What a client subscribes to.
#[derive(Clone, Debug)]
pub struct Wants {
    /// The numbers of its symbols, ascending; none for all symbols.
    pub symbols: Vec<usize>,
    pub delivery: Delivery,
    /// Whether its delays are recorded.
    pub is_measured: bool,
}

/// How it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Every,
    /// With the interval in milliseconds.
    Latest(u32),
}

/// What all clients of a thread share.
#[derive(Debug)]
pub struct Notes {
    pub tally: Tally,
    pub witness: Witness,
    pub times: Times,
    /// The feed is paused, and all that came before has been sent: nothing is held for anybody.
    pub is_still: bool,
}

/// What a subscriber knows.
#[derive(Debug)]
pub struct Ledger {
    pub wants: Wants,
    epoch: String,
    /// Of its newest market frame, or of the state that it has been told.
    seq: u64,
    /// The snapshots that are still to come: before the last one it has no cursor.
    owed: u64,
    /// Its symbols with the positions of their snapshots, until they are counted: what came before is not sent.
    snapshots: Vec<(usize, u64)>,
    /// Whether it came back with a cursor, until that is known to have been exact.
    is_resuming: bool,
    /// Whether it has had all that it missed.
    is_level: bool,
    /// Whether the server fell behind its history: how many events the connection lost is not known.
    has_lagged: bool,
    /// What the connection was sent.
    received: u64,
    /// What newer events replaced, by the heartbeats.
    merged: u64,
    /// How many events there were up to one of them.
    expected: u64,
    counted: u64,
    /// What is to be compared as soon as it is known how many there were.
    claim: Option<Claim>,
    /// Of each of its symbols, the newest trade and quote.
    newest: Vec<[u64; 2]>,
}

/// All that there was up to an event, by what the client had and the server says it merged.
#[derive(Clone, Copy, Debug)]
struct Claim {
    until: u64,
    received: u64,
    merged: u64,
}

impl Ledger {
    pub fn new(wants: Wants) -> Self {
        let newest = vec![[0; 2]; if wants.is_measured { wants.symbols.len() } else { 0 }];
        Self {
            wants,
            epoch: String::new(),
            seq: 0,
            owed: 0,
            snapshots: Vec::new(),
            is_resuming: false,
            is_level: false,
            has_lagged: false,
            received: 0,
            merged: 0,
            expected: 0,
            counted: 0,
            claim: None,
            newest,
        }
    }

    /// Whether the connection has had all that it missed.
    pub fn is_level(&self) -> bool {
        self.is_level
    }

    /// Whether what it had is exactly what there was, as far as that has been counted.
    pub fn is_exact(&self) -> bool {
        self.expected > 0 && self.received + self.merged == self.expected
    }

    /// What the URL of the next connection asks for: it goes on where the last one ended.
    pub fn query(&self) -> String {
        let names: Vec<_> = self.wants.symbols.iter().map(|symbol| name(*symbol)).collect();
        let symbols = if names.is_empty() { "*".to_owned() } else { names.join(",") };
        let delivery = match self.wants.delivery {
            Delivery::Every => "delivery=every".to_owned(),
            Delivery::Latest(interval) => format!("interval_ms={interval}"),
        };
        let after =
            if self.epoch.is_empty() { String::new() } else { format!("&after={}-{}", self.epoch, self.seq) };
        format!("symbols={symbols}&{delivery}{after}")
    }

    /// A connection begins.
    pub fn begin(&mut self) {
        self.is_resuming = false;
        self.is_level = false;
        self.has_lagged = false;
        self.snapshots.clear();
        self.received = 0;
        self.merged = 0;
        self.expected = 0;
        self.claim = None;
    }

    /// A connection has ended.
    pub fn end(&mut self, notes: &mut Notes) {
        self.settle(notes);
        notes.tally.unsettled += u64::from(self.is_resuming);
        if self.owed > 0 {
            // Snapshots that were cut short are worth nothing.
            (self.owed, self.seq) = (0, 0);
        }
        self.is_resuming = false;
        self.is_level = false;
    }

    /// The server has closed the connection with the place of the last frame that it wrote, from where the next goes on.
    pub fn fell_behind(&mut self, cursor: &str, tally: &mut Tally) {
        let (epoch, seq) = cursor.rsplit_once('-').unwrap_or_default();
        let seq = seq.parse().ok().filter(|_| epoch == self.epoch);
        let expected = if self.owed > 0 { 0 } else { self.seq };
        if seq != Some(expected) {
            tally.violation("4008 with another cursor", format_args!("{cursor}, {self:?}"));
        }
    }

    /// Takes in a text frame; returns whether a command has to be sent whose answer says that it is level.
    pub fn take(&mut self, payload: &[u8], now: Time, notes: &mut Notes) -> bool {
        if let Some((seq, rest)) = update::seq(payload) {
            self.take_update(seq, payload, rest, now, notes);
            return false;
        }
        let text = String::from_utf8_lossy(payload);
        let tally = &mut notes.tally;
        match kind(&text) {
            Some("heartbeat") => self.take_heartbeat(&text, notes),
            Some("snapshot") => self.take_snapshot(&text, notes),
            Some("message") => tally.relayed += 1,
            Some("subscribed") => return self.take_subscribed(&text, tally),
            Some("set") => self.take_set(&text, notes),
            Some("gap") => self.take_gap(&text, tally),
            Some("feed") => {}
            _ => {
                count(&mut tally.errors, word(&text, r#""code":""#));
                tally.violation("unexpected frame", format_args!("{text:.200}"));
            }
        }
        false
    }

    fn take_update(&mut self, seq: u64, payload: &[u8], rest: &[u8], now: Time, notes: &mut Notes) {
        let Notes { tally, witness, times, .. } = notes;
        let is_all = self.wants.symbols.is_empty();
        tally.updates += 1;
        self.received += 1;
        if seq <= self.seq {
            tally.extra += 1;
            tally.violation("seq does not ascend", format_args!("{seq} after {}", self.seq));
        } else if self.takes_every_event() && seq != self.seq + 1 {
            tally.violation("a hole in all events", format_args!("{seq} after {}", self.seq));
        }
        self.seq = self.seq.max(seq);
        let digits = payload.get(NAME).and_then(|digits| str::from_utf8(digits).ok());
        let Some(symbol) = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) else {
            return tally.violation("a frame without a symbol", String::from_utf8_lossy(payload));
        };
        let key = Key { symbol, is_quote: payload.starts_with(br#"{"type":"quote""#) };
        if is_all {
            if self.takes_every_event()
                && let Some(time) = times.read(rest)
            {
                witness.take(seq, key, time);
            }
            return;
        }
        let Ok(index) = self.wants.symbols.binary_search(&symbol) else {
            return tally.violation("an event of another symbol", String::from_utf8_lossy(payload));
        };
        if self.wants.is_measured && self.is_level {
            let Some(time) = times.read(rest) else { return };
            let nanos = |time| u64::try_from(now.since(time).as_nanos()).unwrap_or(u64::MAX);
            tally.delays.saturating_record(nanos(time));
            let newest = std::mem::replace(&mut self.newest[index][usize::from(key.is_quote)], seq);
            if matches!(self.wants.delivery, Delivery::Latest(1..)) && newest > 0 {
                let first = witness.first_after(key, newest).unwrap_or(time);
                tally.ages.saturating_record(nanos(first.min(time)));
            }
        }
    }

    fn take_subscribed(&mut self, text: &str, tally: &mut Tally) -> bool {
        let head = number(text, r#""seq":"#).unwrap_or(0);
        let epoch = word(text, r#""epoch":""#);
        let is_back = epoch == self.epoch;
        epoch.clone_into(&mut self.epoch);
        if text.contains(r#""resumed":true"#) {
            tally.resumed += 1;
            self.is_resuming = true;
            self.counted = self.seq;
            return true;
        }
        if is_back && head < self.seq + HELD {
            tally.violation(
                "a cursor that the history holds was not resumed",
                format_args!("{} of {head}", self.seq),
            );
        }
        self.seq = head;
        self.counted = head;
        self.owe(text);
        false
    }

    /// So many snapshots follow; with the last of them the client has all up to its position.
    fn owe(&mut self, text: &str) {
        self.owed = number(text, r#""snapshots":"#).unwrap_or(0);
        self.is_level = self.owed == 0;
    }

    fn take_snapshot(&mut self, text: &str, notes: &mut Notes) {
        notes.tally.snapshots += 1;
        let seq = number(text, r#""seq":"#).unwrap_or(0);
        let symbol = usize::from_str_radix(word(text, r#""symbol":""#), 16);
        if let Ok(symbol) = symbol
            && seq > self.counted
            && notes.witness.knows(symbol)
        {
            self.snapshots.push((symbol, seq));
        }
        self.owed = self.owed.saturating_sub(1);
        if self.owed == 0 {
            self.seq = self.seq.max(seq);
            self.is_level = true;
        }
    }

    /// Whether it takes every event now: of a symbol whose snapshot is to come it gets none.
    fn takes_every_event(&self) -> bool {
        self.wants.symbols.is_empty() && self.wants.delivery == Delivery::Every && self.owed == 0
    }

    /// The answer to a command, which comes behind all that was missed.
    fn take_set(&mut self, text: &str, notes: &mut Notes) {
        self.is_level = true;
        if let (Delivery::Every, false, Some(until)) =
            (self.wants.delivery, self.has_lagged, number(text, r#""seq":"#))
        {
            self.settle(notes);
            self.claim = Some(Claim { until, received: self.received, merged: 0 });
        }
    }

    fn take_gap(&mut self, text: &str, tally: &mut Tally) {
        let reason = word(text, r#""reason":""#);
        count(&mut tally.gaps, reason);
        if reason == "lagged" {
            // What was held is merged and what was lost is not: the sum is not to be had any more.
            self.has_lagged = true;
            self.claim = None;
            self.owe(text);
        }
    }

    fn take_heartbeat(&mut self, text: &str, notes: &mut Notes) {
        let of = |name| number(text, name).unwrap_or(0);
        let (sent, merged, until) = (of(r#""sent":"#), of(r#""merged":"#), of(r#""seq":"#));
        let tally = &mut notes.tally;
        tally.heartbeats += 1;
        if sent != self.received {
            tally.violation("a heartbeat counts wrong", format_args!("{sent} sent, {} came", self.received));
        }
        if merged < self.merged || merged > 0 && self.wants.delivery == Delivery::Every {
            tally.violation("merged is wrong", format_args!("{merged} after {}", self.merged));
        }
        tally.merged += merged.saturating_sub(self.merged);
        self.merged = merged;
        self.settle(notes);
        if self.is_level && !self.has_lagged {
            self.claim = Some(Claim { until, received: self.received, merged });
        }
    }

    /// Compares what the client had with what there was, where that is known by now.
    pub fn settle(&mut self, notes: &mut Notes) {
        let Some(claim) = self.claim.take() else { return };
        let Claim { until, received, merged } = claim;
        let Notes { tally, witness, is_still, .. } = notes;
        if until > witness.newest() {
            // The one who takes all is not as far: another time.
            self.claim = Some(claim);
            return;
        }
        let symbols = &self.wants.symbols;
        let more = if symbols.is_empty() {
            Some(until.saturating_sub(self.counted))
        } else {
            witness.count(symbols, self.counted, until)
        };
        let Some(more) = more else {
            tally.unchecked += 1;
            return;
        };
        let before = |(symbol, seq)| witness.count(&[symbol], self.counted, seq);
        let Some(before) = self.snapshots.drain(..).map(before).sum::<Option<u64>>() else {
            tally.unchecked += 1;
            return;
        };
        self.expected += more - before;
        self.counted = self.counted.max(until);
        // A key may be held, to be sent within the interval or when the client reads.
        let held = match (self.wants.delivery, symbols.len() as u64) {
            (Delivery::Every, _) => 0,
            _ if *is_still => 0,
            (Delivery::Latest(_), 0) => 2000,
            (Delivery::Latest(_), symbols) => 2 * symbols,
        };
        let had = received + merged;
        tally.checked += 1;
        if had > self.expected {
            tally.extra += had - self.expected;
            tally.violation("more than there was", format_args!("{had} of {}, {self:?}", self.expected));
            self.expected = had;
        } else if had + held < self.expected {
            tally.lost += self.expected - had;
            tally.violation("events are lost", format_args!("{had} of {}, {self:?}", self.expected));
            self.expected = had;
        } else if std::mem::take(&mut self.is_resuming) {
            tally.exact += 1;
        }
    }
}

/// The text after a name in a JSON text.
fn word<'a>(text: &'a str, name: &str) -> &'a str {
    text.split_once(name).and_then(|(_, rest)| rest.split('"').next()).unwrap_or("")
}
