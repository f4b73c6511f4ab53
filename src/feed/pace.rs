//! The pace of a feed: whether it is paused, its speed, and whether it starts again at its end.

use serde::{Deserialize, Serialize};

use super::speed::Speed;
use super::status::Status;
use crate::market::FeedState;

/// The pace of a feed. When another node takes over a feed, the pace stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Whether the feed is paused.
    pub is_paused: bool,
    /// The speed; `None` for a feed from standard input.
    #[serde(with = "as_factor")]
    pub speed: Option<Speed>,
    /// Whether a replay starts again at its end; `None` for other feeds.
    pub repeats: Option<bool>,
}

impl From<&Status> for Pace {
    fn from(Status { state, speed, repeats, .. }: &Status) -> Self {
        Self { is_paused: *state == FeedState::Paused, speed: *speed, repeats: *repeats }
    }
}

/// Reads and writes a speed in binary, as a factor. An infinite factor is the speed `max`.
mod as_factor {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::feed::Speed;

    #[expect(clippy::ref_option, reason = "serde hands out the field by reference")]
    pub fn serialize<S: Serializer>(speed: &Option<Speed>, serializer: S) -> Result<S::Ok, S::Error> {
        let factor = speed.map(|speed| match speed {
            Speed::Factor(factor) => factor,
            Speed::Max => f64::INFINITY,
        });
        factor.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Speed>, D::Error> {
        let factor = Option::<f64>::deserialize(deserializer)?;
        Ok(factor.map(|factor| if factor.is_finite() { Speed::Factor(factor) } else { Speed::Max }))
    }
}
