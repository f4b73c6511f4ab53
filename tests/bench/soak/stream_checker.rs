//! Checks a subscriber's stream of frames over all its connections.
//!
//! `seq` must ascend. A client that gets every event of all symbols must see no hole in `seq`. The field
//! `sent` of a heartbeat must be the number of market frames that arrived. The sum of a heartbeat's `sent`
//! and `merged` must be the number of published events of the subscribed symbols. After a resume, the checker
//! counts the published events from the cursor on, so lost and repeated events make the sum wrong.

use tickerplant::market::Time;

use crate::market_frame::{self, Times};
use crate::published_events::{Key, PublishedEvents};
use crate::results::{Results, increment};
use crate::server_under_test::name;
use crate::websocket::{kind, number};

/// The server's history holds at least this many events. A resume must succeed if fewer events than this were
/// published after its cursor.
const HISTORY_EVENTS: u64 = 32_768;

/// The position of the symbol in a market frame. The symbol is a hexadecimal number.
const SYMBOL: std::ops::Range<usize> = 26..30;

/// A client's subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The numbers of the symbols, ascending. The list is empty if the client subscribes to all symbols.
    pub symbols: Vec<usize>,
    pub delivery: Delivery,
    /// Whether the delays of the client are recorded.
    pub is_measured: bool,
}

/// How the server delivers the events to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Every,
    /// The server conflates events, with this interval in milliseconds.
    Latest(u32),
}

/// What the clients of a thread have observed together: their results, and the published events.
#[derive(Debug)]
pub struct Observations {
    pub results: Results,
    pub published: PublishedEvents,
    pub times: Times,
    /// Whether the feed is paused and the clients have had time to receive all events.
    pub is_drained: bool,
}

/// The state of a subscriber's stream.
#[derive(Debug)]
pub struct StreamChecker {
    pub subscription: Subscription,
    epoch: String,
    /// The `seq` of the newest market frame, or the position at which the subscription begins.
    seq: u64,
    /// The number of announced snapshots that have not arrived yet. Until the last snapshot arrives, the
    /// client has no cursor.
    owed: u64,
    /// The symbol and the `seq` of each snapshot since the last comparison of the counts. A snapshot stands
    /// for all older events of its symbol, which the server does not send. The next comparison of the counts
    /// therefore subtracts the older events from the number of published events.
    snapshots: Vec<(usize, u64)>,
    /// Whether the connection has resumed and has not yet passed a comparison of the counts.
    is_resuming: bool,
    /// Whether the client has received everything that it missed: the missed events, or snapshots in their
    /// place.
    is_caught_up: bool,
    /// Whether a gap with the reason `lagged` has arrived. After such a gap, the number of lost events is
    /// unknown.
    has_lagged: bool,
    /// The number of market frames on this connection.
    received: u64,
    /// The number of conflated events according to the last heartbeat.
    merged: u64,
    /// How many events of the subscribed symbols the server has published, up to the `seq` in `counted`.
    expected: u64,
    counted: u64,
    /// A comparison of the counts that waits until the number of published events is known.
    pending: Option<PendingCheck>,
    /// For each symbol, the `seq` of the newest trade and quote.
    newest: Vec<[u64; 2]>,
}

/// How many received events and how many conflated events the client had counted up to the `seq` in `until`.
/// A later comparison checks these numbers against the number of published events.
#[derive(Clone, Copy, Debug)]
struct PendingCheck {
    until: u64,
    received: u64,
    merged: u64,
}

impl StreamChecker {
    pub fn new(subscription: Subscription) -> Self {
        let newest = vec![[0; 2]; if subscription.is_measured { subscription.symbols.len() } else { 0 }];
        Self {
            subscription,
            epoch: String::new(),
            seq: 0,
            owed: 0,
            snapshots: Vec::new(),
            is_resuming: false,
            is_caught_up: false,
            has_lagged: false,
            received: 0,
            merged: 0,
            expected: 0,
            counted: 0,
            pending: None,
            newest,
        }
    }

    /// Returns whether the client has received the events that it missed, or snapshots in their place.
    pub fn is_caught_up(&self) -> bool {
        self.is_caught_up
    }

    /// Returns whether, at the last comparison, the client had got exactly as many events as were published.
    pub fn is_exact(&self) -> bool {
        self.expected > 0 && self.received + self.merged == self.expected
    }

    /// Returns the query for the URL of the next connection. This connection resumes where the last
    /// connection ended.
    pub fn query(&self) -> String {
        let names: Vec<_> = self.subscription.symbols.iter().map(|symbol| name(*symbol)).collect();
        let symbols = if names.is_empty() { "*".to_owned() } else { names.join(",") };
        let delivery = match self.subscription.delivery {
            Delivery::Every => "delivery=every".to_owned(),
            Delivery::Latest(interval) => format!("interval_ms={interval}"),
        };
        let after =
            if self.epoch.is_empty() { String::new() } else { format!("&after={}-{}", self.epoch, self.seq) };
        format!("symbols={symbols}&{delivery}{after}")
    }

    /// Resets the state for a new connection.
    pub fn begin(&mut self) {
        self.is_resuming = false;
        self.is_caught_up = false;
        self.has_lagged = false;
        self.snapshots.clear();
        self.received = 0;
        self.merged = 0;
        self.expected = 0;
        self.pending = None;
    }

    /// Compares the client's counts for the last time, because the connection has ended.
    pub fn end(&mut self, observations: &mut Observations) {
        self.compare_counts(observations);
        observations.results.unverified += u64::from(self.is_resuming);
        if self.owed > 0 {
            // Without a complete set of snapshots, the client has no cursor.
            (self.owed, self.seq) = (0, 0);
        }
        self.is_resuming = false;
        self.is_caught_up = false;
    }

    /// Checks the cursor that the server gave when it closed the connection of a slow consumer. This cursor
    /// must be the cursor of the last frame.
    pub fn closed_as_slow_consumer(&mut self, cursor: &str, results: &mut Results) {
        let (epoch, seq) = cursor.rsplit_once('-').unwrap_or_default();
        let seq = seq.parse().ok().filter(|_| epoch == self.epoch);
        let expected = if self.owed > 0 { 0 } else { self.seq };
        if seq != Some(expected) {
            results
                .record_violation("the cursor of a close 4008 is wrong", format_args!("{cursor}, {self:?}"));
        }
    }

    /// Checks a frame. Returns true if the frame confirms a resume. After such a frame, the client must send
    /// a command, whose answer shows that the client has caught up.
    pub fn on_frame(&mut self, payload: &[u8], now: Time, observations: &mut Observations) -> bool {
        if let Some((seq, rest)) = market_frame::seq(payload) {
            self.on_update(seq, payload, rest, now, observations);
            return false;
        }
        let text = String::from_utf8_lossy(payload);
        let results = &mut observations.results;
        match kind(&text) {
            Some("heartbeat") => self.on_heartbeat(&text, observations),
            Some("snapshot") => self.on_snapshot(&text, observations),
            Some("message") => results.relayed += 1,
            Some("subscribed") => return self.on_subscribed(&text, results),
            Some("set") => self.on_set(&text, observations),
            Some("gap") => self.on_gap(&text, results),
            Some("feed") => {}
            _ => {
                increment(&mut results.errors, text_after(&text, r#""code":""#));
                results.record_violation("unexpected frame", format_args!("{text:.200}"));
            }
        }
        false
    }

    fn on_update(
        &mut self,
        seq: u64,
        payload: &[u8],
        rest: &[u8],
        now: Time,
        observations: &mut Observations,
    ) {
        let Observations { results, published, times, .. } = observations;
        let is_all = self.subscription.symbols.is_empty();
        results.updates += 1;
        self.received += 1;
        if seq <= self.seq {
            results.extra += 1;
            results.record_violation("seq does not ascend", format_args!("{seq} after {}", self.seq));
        } else if self.gets_every_event() && seq != self.seq + 1 {
            results.record_violation(
                "a hole in the events of all symbols",
                format_args!("{seq} after {}", self.seq),
            );
        }
        self.seq = self.seq.max(seq);
        let digits = payload.get(SYMBOL).and_then(|digits| str::from_utf8(digits).ok());
        let Some(symbol) = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) else {
            return results.record_violation("a frame without a symbol", String::from_utf8_lossy(payload));
        };
        let key = Key { symbol, is_quote: payload.starts_with(br#"{"type":"quote""#) };
        if is_all {
            if self.gets_every_event()
                && let Some(time) = times.read(rest)
            {
                published.record(seq, key, time);
            }
            return;
        }
        let Ok(index) = self.subscription.symbols.binary_search(&symbol) else {
            return results.record_violation("an event of another symbol", String::from_utf8_lossy(payload));
        };
        if self.subscription.is_measured && self.is_caught_up {
            let Some(time) = times.read(rest) else { return };
            let nanos = |time| u64::try_from(now.since(time).as_nanos()).unwrap_or(u64::MAX);
            results.delays.saturating_record(nanos(time));
            let newest = std::mem::replace(&mut self.newest[index][usize::from(key.is_quote)], seq);
            if matches!(self.subscription.delivery, Delivery::Latest(1..)) && newest > 0 {
                let first = published.first_after(key, newest).unwrap_or(time);
                results.ages.saturating_record(nanos(first.min(time)));
            }
        }
    }

    fn on_subscribed(&mut self, text: &str, results: &mut Results) -> bool {
        let head = number(text, r#""seq":"#).unwrap_or(0);
        let epoch = text_after(text, r#""epoch":""#);
        let is_same_epoch = epoch == self.epoch;
        epoch.clone_into(&mut self.epoch);
        if text.contains(r#""resumed":true"#) {
            results.resumed += 1;
            self.is_resuming = true;
            self.counted = self.seq;
            return true;
        }
        if is_same_epoch && head < self.seq + HISTORY_EVENTS {
            results.record_violation(
                "a cursor within the history was not resumed",
                format_args!("{} of {head}", self.seq),
            );
        }
        self.seq = head;
        self.counted = head;
        self.expect_snapshots(text);
        false
    }

    /// Remembers how many snapshots the frame announces. After the last of these snapshots, the client has
    /// caught up.
    fn expect_snapshots(&mut self, text: &str) {
        self.owed = number(text, r#""snapshots":"#).unwrap_or(0);
        self.is_caught_up = self.owed == 0;
    }

    fn on_snapshot(&mut self, text: &str, observations: &mut Observations) {
        observations.results.snapshots += 1;
        let seq = number(text, r#""seq":"#).unwrap_or(0);
        let symbol = usize::from_str_radix(text_after(text, r#""symbol":""#), 16);
        if let Ok(symbol) = symbol
            && seq > self.counted
            && observations.published.covers(symbol)
        {
            self.snapshots.push((symbol, seq));
        }
        self.owed = self.owed.saturating_sub(1);
        if self.owed == 0 {
            self.seq = self.seq.max(seq);
            self.is_caught_up = true;
        }
    }

    /// Returns whether the client now gets every event of all symbols. While a symbol's snapshot is pending,
    /// the client gets no events of that symbol.
    fn gets_every_event(&self) -> bool {
        self.subscription.symbols.is_empty()
            && self.subscription.delivery == Delivery::Every
            && self.owed == 0
    }

    /// Handles the answer to a `set` command. This answer arrives after all events that the client missed.
    fn on_set(&mut self, text: &str, observations: &mut Observations) {
        self.is_caught_up = true;
        if let (Delivery::Every, false, Some(until)) =
            (self.subscription.delivery, self.has_lagged, number(text, r#""seq":"#))
        {
            self.compare_counts(observations);
            self.pending = Some(PendingCheck { until, received: self.received, merged: 0 });
        }
    }

    fn on_gap(&mut self, text: &str, results: &mut Results) {
        let reason = text_after(text, r#""reason":""#);
        increment(&mut results.gaps, reason);
        if reason == "lagged" {
            // Some of the skipped events count as merged and some as lost, so the sum cannot be checked any more.
            self.has_lagged = true;
            self.pending = None;
            self.expect_snapshots(text);
        }
    }

    fn on_heartbeat(&mut self, text: &str, observations: &mut Observations) {
        let of = |name| number(text, name).unwrap_or(0);
        let (sent, merged, until) = (of(r#""sent":"#), of(r#""merged":"#), of(r#""seq":"#));
        let results = &mut observations.results;
        results.heartbeats += 1;
        if sent != self.received {
            results.record_violation(
                "`sent` in a heartbeat is wrong",
                format_args!("{sent} sent, {} arrived", self.received),
            );
        }
        if merged < self.merged || merged > 0 && self.subscription.delivery == Delivery::Every {
            results.record_violation(
                "`merged` in a heartbeat is wrong",
                format_args!("{merged} after {}", self.merged),
            );
        }
        results.merged += merged.saturating_sub(self.merged);
        self.merged = merged;
        self.compare_counts(observations);
        if self.is_caught_up && !self.has_lagged {
            self.pending = Some(PendingCheck { until, received: self.received, merged });
        }
    }

    /// Compares the client's counts with the number of published events, if all of these events are recorded.
    pub fn compare_counts(&mut self, observations: &mut Observations) {
        let Some(pending) = self.pending.take() else { return };
        let PendingCheck { until, received, merged } = pending;
        let Observations { results, published, is_drained, .. } = observations;
        if until > published.newest() {
            // The client that gets every event has not read this far. The next call tries again.
            self.pending = Some(pending);
            return;
        }
        let symbols = &self.subscription.symbols;
        let more = if symbols.is_empty() {
            Some(until.saturating_sub(self.counted))
        } else {
            published.count_of(symbols, self.counted, until)
        };
        let Some(more) = more else {
            results.unchecked += 1;
            return;
        };
        let before = |(symbol, seq)| published.count_of(&[symbol], self.counted, seq);
        let Some(before) = self.snapshots.drain(..).map(before).sum::<Option<u64>>() else {
            results.unchecked += 1;
            return;
        };
        self.expected += more - before;
        self.counted = self.counted.max(until);
        // This many events may still wait for the end of the interval, or for the client to read.
        let waiting = match (self.subscription.delivery, symbols.len() as u64) {
            (Delivery::Every, _) => 0,
            _ if *is_drained => 0,
            (Delivery::Latest(_), 0) => 2000,
            (Delivery::Latest(_), symbols) => 2 * symbols,
        };
        let accounted = received + merged;
        results.checked += 1;
        if accounted > self.expected {
            results.extra += accounted - self.expected;
            results.record_violation(
                "more events than were published",
                format_args!("{accounted} of {}, {self:?}", self.expected),
            );
            self.expected = accounted;
        } else if accounted + waiting < self.expected {
            results.lost += self.expected - accounted;
            results.record_violation(
                "events are lost",
                format_args!("{accounted} of {}, {self:?}", self.expected),
            );
            self.expected = accounted;
        } else if std::mem::take(&mut self.is_resuming) {
            results.exact += 1;
        }
    }
}

/// Returns the part of a JSON text that follows `name`, up to the next quotation mark.
fn text_after<'a>(text: &'a str, name: &str) -> &'a str {
    text.split_once(name).and_then(|(_, rest)| rest.split('"').next()).unwrap_or("")
}
