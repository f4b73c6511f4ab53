//! The queue of a leader: what its feed has published, and the stream does not have yet.
//!
//! A leader's feed publishes on a bus of its own, the feed's bus. The queue is a reader of this bus. The feed
//! waits while too much is in the queue. Nothing leaves the queue before the node has read it from the stream.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::entry::{Body, MAX_EVENTS, MAX_VALUES};
use crate::bus::{self, Bus, Checkpoint, LastValueCache, Read, Segment, SymbolValues};
use crate::feed::{ControlError, Pace, Status};
use crate::market::{Event, FeedKind, FeedState, Symbol, Time};
use tokio::sync::oneshot;

/// The feed waits while more events than this are in the queue.
const BOUND: usize = 16_384;

/// How many more events a feed that waits for clients publishes before they have got the events before.
const AHEAD: u64 = 4096;

/// What a leader's feed has published, and the stream does not have yet.
#[derive(Debug)]
pub struct Queue {
    reader: bus::Reader,
    items: VecDeque<Item>,
    /// The sequence number, on the feed's bus, of the newest event that the stream has.
    done: u64,
    /// The targets of the seeks that the feed was asked for, and that are not in `items` yet.
    sought: VecDeque<Time>,
}

/// A part of an entry.
#[derive(Debug)]
enum Item {
    Event(Event),
    State(FeedState),
    Values(Vec<(Symbol, SymbolValues)>),
    /// The effect of a command, and who waits for it.
    Effect(Status, oneshot::Sender<Result<Status, ControlError>>),
    Seek {
        target: Time,
        position: Time,
        state: FeedState,
    },
    Resign,
}

impl Item {
    /// Returns whether the item is of the kind that the body has.
    fn is_part_of(&self, body: &Body) -> bool {
        matches!(
            (self, body),
            (Self::Event(_), Body::Events(_))
                | (Self::State(_) | Self::Effect(..), Body::Mark { .. })
                | (Self::Values(_), Body::Values(_))
                | (Self::Seek { .. }, Body::Seek { .. })
                | (Self::Resign, Body::Resign)
        )
    }
}

impl Queue {
    /// Returns the bus for a leader's feed, and the queue that reads the bus. The feed continues after the
    /// sequence number `seq`, in the state `state`.
    #[must_use]
    pub fn new(kind: FeedKind, epoch: &str, seq: u64, state: FeedState) -> (Arc<Bus>, Self) {
        let nonzero = |count| NonZeroUsize::new(count).expect("the bounds are not zero");
        // The log of the bus is never the limit, since the feed waits before.
        let config = bus::Config { history: nonzero(8 * BOUND), history_bytes: nonzero(1 << 30) };
        let bus = Bus::new(&config, kind, epoch.to_owned());
        let (epoch, last_values) = (epoch.into(), LastValueCache::at(seq));
        bus.start_over(Checkpoint { epoch, position: 0, last_values, feed_state: state, seek: None });
        bus.set_bound(BOUND as u64);
        let (reader, _) = bus.awaited_reader("the appender");
        reader.done(seq);
        (bus, Self { reader, items: VecDeque::new(), done: seq, sought: VecDeque::new() })
    }

    /// Returns the kind of the feed.
    #[must_use]
    pub fn kind(&self) -> FeedKind {
        self.reader.bus().kind()
    }

    /// Records that the feed has executed a command. The caller gets the answer when the stream has the effect.
    pub fn executed(&mut self, status: Status, answer: oneshot::Sender<Result<Status, ControlError>>) {
        self.fill();
        self.items.push_back(Item::Effect(status, answer));
    }

    /// Puts a state of the feed into the queue.
    pub fn enter(&mut self, state: FeedState) {
        self.items.push_back(Item::State(state));
    }

    /// Records that the feed was asked to seek.
    pub fn seek_asked(&mut self, target: Time) {
        self.sought.push_back(target);
    }

    /// Records that the feed has refused to seek.
    pub fn seek_refused(&mut self) {
        self.sought.pop_front();
    }

    /// Puts the end of the term behind everything else.
    pub fn resign(&mut self) {
        self.items.clear();
        self.items.push_back(Item::Resign);
    }

    /// Waits until the feed has published something that is not in the queue yet.
    ///
    /// Cancel safe: the wait takes nothing.
    pub async fn ready(&mut self) {
        self.reader.ready().await;
    }

    /// Returns whether the queue has nothing to append.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes what the feed has published into the queue, until the queue is full.
    pub fn fill(&mut self) {
        while self.items.len() <= BOUND
            && let Some(read) = self.reader.try_next()
        {
            let Read::Segment(segment) = read else { unreachable!("the feed waits for the queue") };
            match &*segment {
                Segment::Events { events, .. } => {
                    self.items.extend(events.iter().cloned().map(Item::Event));
                }
                Segment::FeedState { state, .. } => self.items.push_back(Item::State(state.clone())),
                Segment::Seek { seek, state, last_values } => {
                    let target = self.sought.pop_front().unwrap_or(seek.position);
                    let values: Vec<_> = last_values.iter().collect();
                    self.items.extend(values.chunks(MAX_VALUES).map(|part| {
                        let owned = |(symbol, values): &(&Symbol, &SymbolValues)| {
                            ((*symbol).clone(), (*values).clone())
                        };
                        Item::Values(part.iter().map(owned).collect())
                    }));
                    let (position, state) = (seek.position, state.clone());
                    self.items.push_back(Item::Seek { target, position, state });
                }
            }
        }
    }

    /// Returns the next entry: all events that wait, at most [`MAX_EVENTS`] and `most`, or one other item.
    /// Returns `None` if the queue is empty. The status of the feed gives the pace.
    #[must_use]
    pub fn front(&self, most: usize, status: &Status) -> Option<Body> {
        Some(match self.items.front()? {
            Item::Event(_) => {
                let events = self.items.iter().map_while(|item| match item {
                    Item::Event(event) => Some(event.clone()),
                    _ => None,
                });
                Body::Events(events.take(MAX_EVENTS.min(most)).collect())
            }
            Item::Effect(status, _) => Body::Mark { state: status.state.clone(), pace: Pace::from(status) },
            Item::State(state) => {
                let pace = Pace { is_paused: *state == FeedState::Paused, ..Pace::from(status) };
                Body::Mark { state: state.clone(), pace }
            }
            Item::Values(values) => Body::Values(values.clone()),
            Item::Seek { target, position, state, .. } => {
                Body::Seek { target: *target, position: *position, state: state.clone() }
            }
            Item::Resign => Body::Resign,
        })
    }

    /// Removes what the node has read from the stream.
    pub fn stored(&mut self, body: &Body) {
        let count = match body {
            Body::Events(events) => events.len(),
            Body::Beat { .. } | Body::Lead(_) => 0,
            Body::Mark { .. } | Body::Values(_) | Body::Seek { .. } | Body::Resign => 1,
        };
        // A leader that resigns forgets its queue while an entry of it is on its way.
        let count = self.items.iter().take(count).take_while(|item| item.is_part_of(body)).count();
        for item in self.items.drain(..count) {
            if let Item::Effect(status, answer) = item {
                // The caller may have gone.
                let _ = answer.send(Ok(status));
            }
        }
        self.done += body.events();
    }

    /// Tells the feed how much of what it has published is done. That is what the stream has. If the feed waits
    /// for clients, which have got all events up to `served`, then it is also the next events, so that the feed
    /// publishes these while the clients get the events before.
    pub fn report(&self, served: Option<u64>) {
        self.reader.done(served.map_or(self.done, |served| served + AHEAD));
    }

    /// Tells the feed that a client of some node has subscribed.
    pub fn note_subscriber(&self) {
        self.reader.bus().note_subscriber();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Payload, Trade};

    #[test]
    fn a_leader_that_resigns_while_an_entry_is_on_its_way_still_says_so() {
        let (bus, mut queue) = Queue::new(FeedKind::Stdin, "first", 0, FeedState::Running);
        let payload = Payload::Trade(Trade { price: "1".parse().unwrap(), size: None });
        bus.publish(vec![Event { symbol: "A".parse().unwrap(), time: Time::default(), payload }]);
        queue.fill();
        let status = Status::new(FeedKind::Stdin);
        let sent = queue.front(usize::MAX, &status).unwrap();
        assert_eq!(sent.events(), 1);

        queue.resign();
        queue.stored(&sent);

        assert_eq!(queue.front(usize::MAX, &status), Some(Body::Resign));
    }
}
