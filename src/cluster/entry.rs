//! The entries of the shared log, and their binary form.
//!
//! One message of the stream is one entry. A message begins with the version of the form and the entry's chain
//! value. The rest is the header and the body in the form of the crate `postcard`.
//!
//! The chain value is a hash over the chain value of the previous entry and the entry itself. An entry
//! therefore fits to exactly one history. A beat does not extend the chain: it has the chain value of the entry
//! before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bus::SymbolValues;
use crate::feed::Pace;
use crate::market::{Event, FeedKind, FeedState, Symbol, Time};

/// The version of the binary form. A reader stops at an entry of a newer version.
pub const VERSION: u8 = 1;

/// The largest number of events in one entry.
pub const MAX_EVENTS: usize = 1024;

/// The largest number of symbols in a part of the last values.
pub const MAX_VALUES: usize = 256;

/// The length of the version and the chain value at the beginning of a message.
const PREFIX: usize = 9;

/// A chain value. The first entry of an epoch follows the chain value 0.
pub type Chain = u64;

/// An entry of the shared log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The place of the entry in the log.
    pub header: Header,
    /// The content of the entry.
    pub body: Body,
}

/// The place of an entry in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The epoch of the sequence numbers.
    pub epoch: String,
    /// The number of the term, i.e. of the leader's time in office.
    pub term: u64,
    /// The sequence number of the newest event before this entry.
    pub seq: u64,
    /// How many events the source has given before this entry, since the start of the epoch or since the newest
    /// seek.
    pub taken: u64,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Consecutive events, at most [`MAX_EVENTS`].
    Events(Vec<Event>),
    /// The feed's state and pace at this place of the log.
    Mark {
        /// The state.
        state: FeedState,
        /// The pace.
        pace: Pace,
    },
    /// A part of the last values after a seek. The seek follows the last part.
    Values(Vec<(Symbol, SymbolValues)>),
    /// The feed continues at another market time. The last values are those of the parts before.
    Seek {
        /// The market time that was asked for.
        target: Time,
        /// The market time at which the feed continues.
        position: Time,
        /// The state of the feed after the seek.
        state: FeedState,
    },
    /// A term begins.
    Lead(Lead),
    /// A sign of life of the leader. Only the newest beat stays in the stream.
    Beat {
        /// The status of the feed, as JSON.
        status: String,
    },
    /// The leader resigns, so that another node may lead at once.
    Resign,
}

/// The beginning of a term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// The id of the leader.
    pub node: String,
    /// Whether the entry begins a new epoch.
    pub begins_epoch: bool,
    /// The origin of the events.
    pub origin: Origin,
    /// The target of the newest seek, at the beginning of an epoch.
    pub target: Option<Time>,
    /// The pace of the feed at the beginning of an epoch.
    pub pace: Pace,
}

/// What determines the events of a feed. Two nodes with the same origin have the same events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The kind of the feed.
    pub kind: FeedKind,
    /// A hash over the settings and the input that determine the events.
    pub fingerprint: u64,
    /// The seed of a simulation.
    pub seed: Option<u64>,
    /// The market time at which a simulation starts.
    pub start: Option<Time>,
}

/// The reason why the bytes of a message are no entry of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The form is newer than this program.
    #[error(
        "the entry has the version {found}, and this program reads versions up to {VERSION}; update this node"
    )]
    Newer {
        /// The version of the entry.
        found: u8,
    },
    /// The bytes are no entry.
    #[error("the bytes are no entry")]
    Malformed,
}

impl Entry {
    /// Returns the bytes of the entry, and its chain value. `previous` is the chain value of the entry before.
    #[must_use]
    pub fn encode(&self, previous: Chain) -> (Vec<u8>, Chain) {
        let bytes = postcard::to_extend(self, vec![0; PREFIX]).expect("an entry can be written");
        let mut bytes = bytes;
        let chain = self.body.chain(previous, &bytes[PREFIX..]);
        bytes[0] = VERSION;
        bytes[1..PREFIX].copy_from_slice(&chain.to_le_bytes());
        (bytes, chain)
    }

    /// Parses the bytes of a message. Returns the entry and the chain value that the message states.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are no entry, or an entry of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Chain), DecodeError> {
        let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or(DecodeError::Malformed)?;
        match prefix[0] {
            0 => return Err(DecodeError::Malformed),
            found if found > VERSION => return Err(DecodeError::Newer { found }),
            _ => {}
        }
        let chain = Chain::from_le_bytes(prefix[1..].try_into().expect("the prefix has eight more bytes"));
        match postcard::take_from_bytes::<Self>(rest) {
            Ok((entry, [])) => Ok((entry, chain)),
            _ => Err(DecodeError::Malformed),
        }
    }

    /// Returns the chain value of an encoded entry that follows the chain value `previous`.
    #[must_use]
    pub fn chain(&self, previous: Chain, bytes: &[u8]) -> Chain {
        self.body.chain(previous, bytes.get(PREFIX..).unwrap_or_default())
    }
}

impl Body {
    /// Returns the number of events.
    #[must_use]
    pub fn events(&self) -> u64 {
        match self {
            Self::Events(events) => events.len() as u64,
            _ => 0,
        }
    }

    /// Returns whether the body is a beat.
    #[must_use]
    pub const fn is_beat(&self) -> bool {
        matches!(self, Self::Beat { .. })
    }

    fn chain(&self, previous: Chain, bytes: &[u8]) -> Chain {
        if self.is_beat() {
            return previous;
        }
        let hash =
            Sha256::new().chain_update(previous.to_le_bytes()).chain_update([VERSION]).chain_update(bytes);
        first_bytes(&hash.finalize())
    }
}

/// Returns a 64-bit hash of bytes. All builds of the program give the same hash.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> u64 {
    first_bytes(&Sha256::digest(bytes))
}

fn first_bytes(hash: &[u8]) -> u64 {
    u64::from_le_bytes(hash[..8].try_into().expect("a hash has more than eight bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::market::{Bar, Payload, Quote, Trade};

    fn entry(body: Body) -> Entry {
        let header = Header { epoch: "k3f9".to_owned(), term: 3, seq: 1042, taken: 42 };
        Entry { header, body }
    }

    fn event(payload: Payload) -> Event {
        Event { symbol: "ES=F/Ü".parse().unwrap(), time: Time::from_nanos(-1), payload }
    }

    fn bodies() -> Vec<Body> {
        let price = |text: &str| text.parse().unwrap();
        let size = |text: &str| Some(text.parse().unwrap());
        let trade =
            Trade { price: price("-0.00000000000000000000000001"), size: size("79228162514264337593543950") };
        let quote = Quote { bid: Some(price("189.530")), bid_size: size("1"), ask: None, ask_size: None };
        let bar = Bar {
            interval: Some("5m".parse().unwrap()),
            open: None,
            high: Some(price("2")),
            low: None,
            close: price("1.50"),
            volume: size("0"),
        };
        let pace = Pace { is_paused: true, speed: None, repeats: Some(true) };
        let origin = Origin {
            kind: FeedKind::Simulated,
            fingerprint: u64::MAX,
            seed: Some(42),
            start: Some(Time::default()),
        };
        let state = FeedState::Failed { detail: "no more disk".to_owned() };
        vec![
            Body::Events([Payload::Trade(trade), Payload::Quote(quote), Payload::Bar(bar)].map(event).into()),
            Body::Mark { state: state.clone(), pace },
            Body::Values(vec![("A".parse().unwrap(), SymbolValues::default())]),
            Body::Seek { target: Time::now(), position: Time::default(), state },
            Body::Lead(Lead { node: "n1".to_owned(), begins_epoch: true, origin, target: None, pace }),
            Body::Beat { status: "{}".to_owned() },
            Body::Resign,
        ]
    }

    #[test]
    fn every_entry_reads_as_it_was_written() {
        for body in bodies() {
            let entry = entry(body);
            let (bytes, chain) = entry.encode(7);

            let (read, stated) = Entry::decode(&bytes).unwrap();

            assert_eq!((&read, stated), (&entry, chain));
            assert_eq!(read.chain(7, &bytes), chain);
        }
    }

    #[test]
    fn decimals_keep_every_digit_and_every_zero_at_the_end() {
        let (bytes, _) = entry(bodies().remove(0)).encode(0);

        let Body::Events(events) = Entry::decode(&bytes).unwrap().0.body else { panic!("not events") };

        let Payload::Quote(quote) = &events[1].payload else { panic!("not a quote") };
        assert_eq!(quote.bid.unwrap().to_string(), "189.530");
    }

    #[test]
    fn the_chain_depends_on_every_byte_and_on_the_history_but_a_beat_does_not_extend_it() {
        let (entry, other) = (entry(Body::Resign), entry(bodies().remove(4)));

        assert_ne!(entry.encode(1).1, entry.encode(2).1);
        assert_ne!(entry.encode(1).1, other.encode(1).1);
        let beat = Entry { body: Body::Beat { status: String::new() }, ..entry };
        assert_eq!(beat.encode(1).1, 1);
    }

    #[test]
    fn an_entry_of_a_newer_version_is_told_apart_from_bytes_that_are_no_entry() {
        let (mut bytes, _) = entry(Body::Resign).encode(0);
        bytes.push(0);
        assert_eq!(Entry::decode(&bytes), Err(DecodeError::Malformed));

        bytes[0] = VERSION + 1;

        assert_eq!(Entry::decode(&bytes), Err(DecodeError::Newer { found: VERSION + 1 }));
        assert_eq!(Entry::decode(&[]), Err(DecodeError::Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            let _ = Entry::decode(&bytes);
        }
    }
}
