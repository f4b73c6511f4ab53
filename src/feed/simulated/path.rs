//! The path of a symbol: its price at each full minute, and how it moves in the minute after.
//!
//! A path depends only on the seed, the start, the trading hours, and the symbol's own name, price,
//! volatility and sector.

use super::factors::Shocks;
use super::minutes::Minute;
use super::model::Dynamics;
use super::random::{Key, START};

/// A price stays within e^7, about 1,100 times its first price and a 1,100th of it.
const FARTHEST: f64 = 7.0;

/// What makes the path of one symbol.
#[derive(Clone, Debug)]
pub struct Traits {
    /// The key of the random numbers.
    pub key: Key,
    /// The logarithm of the first price.
    pub home: f64,
    /// What moves the price.
    pub motion: Motion,
}

/// What moves the price of a symbol.
#[derive(Clone, Debug)]
pub enum Motion {
    /// Nothing.
    Still,
    /// A geometric Brownian motion with this standard deviation in a minute.
    Brownian(f64),
    /// The realistic model.
    Realistic(Loads),
}

/// How strongly each factor moves a symbol.
#[derive(Clone, Debug)]
pub struct Loads {
    /// The standard deviation of the changes in a minute, with the changes by jumps.
    pub sd: f64,
    /// The standard deviation of the gap at an opening.
    pub gap_sd: f64,
    /// The weight of the market's shock. The squares of the three weights add up to one.
    pub market: f64,
    /// The index of the sector, and the weight of its shock.
    pub sector: Option<(usize, f64)>,
    /// The weight of the symbol's own shock.
    pub own: f64,
}

/// The state of a path at a full minute.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The logarithm of the price.
    log: f64,
    /// The deviation of the symbol's own volatility, in standard deviations.
    volatility: f64,
    /// The deviation of the activity, in standard deviations.
    activity: f64,
}

/// How a price moves in a minute. Prices are logarithms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Move {
    /// The price at the beginning of the minute.
    pub from: f64,
    /// The change within the minute, without the jump.
    pub change: f64,
    /// The jump, or 0.
    pub jump: f64,
    /// The part of the minute that passes before the jump, from 0 to 1.
    pub jump_at: f64,
    /// The standard deviation of the changes in this minute.
    pub sd: f64,
    /// How many events the minute has, compared with the mean.
    pub activity: f64,
    /// How large trades are, compared with the mean.
    pub size: f64,
}

impl Path {
    /// Begins at the first price. The deviations are drawn, so that the start is a moment like any other.
    pub fn new(traits: &Traits) -> Self {
        let (volatility, activity) = traits.key.stream(START).normals();
        Self { log: traits.home, volatility, activity }
    }

    /// Moves on by a minute.
    pub fn step(&mut self, traits: &Traits, dynamics: &Dynamics, minute: &Minute, shocks: &Shocks) -> Move {
        let moved = match &traits.motion {
            Motion::Still => Move { from: self.log, activity: 1.0, size: 1.0, ..Move::default() },
            Motion::Brownian(sd) => {
                let change = sd * traits.key.stream(minute.number).normal() - sd * sd / 2.0;
                Move { from: self.log, change, sd: *sd, activity: 1.0, size: 1.0, ..Move::default() }
            }
            Motion::Realistic(loads) => self.realistic(traits, loads, dynamics, minute, shocks),
        };
        self.log =
            (moved.from + moved.change + moved.jump).clamp(traits.home - FARTHEST, traits.home + FARTHEST);
        moved
    }

    fn realistic(
        &mut self,
        traits: &Traits,
        loads: &Loads,
        dynamics: &Dynamics,
        minute: &Minute,
        shocks: &Shocks,
    ) -> Move {
        let mut stream = traits.key.stream(minute.number);
        let (normal, volatility_change) = stream.normals();
        let own_shock = stream.student(normal);
        let (activity_change, gap) = stream.normals();
        if minute.is_opening {
            self.log += gap * loads.gap_sd;
        }
        let sector = loads.sector.map_or(0.0, |(sector, weight)| weight * shocks.sectors[sector]);
        let shock = loads.market * shocks.market + sector + loads.own * own_shock;

        let shape = day_shape(minute);
        let model = &dynamics.model;
        let (common, own) = (dynamics.common * shocks.volatility, dynamics.own * self.volatility);
        let deviation = model.volatility_sd;
        let volatility = libm::exp(deviation * (common + own) - deviation * deviation);
        let sd = loads.sd * volatility * f64::midpoint(1.0, shape).sqrt();
        let change =
            sd * (1.0 - dynamics.jump_share).sqrt() * shock - dynamics.pull * (self.log - traits.home);
        let has_jump = stream.uniform() < model.jump_probability;
        let jump_at = stream.uniform();
        let jump = if has_jump { loads.sd * dynamics.jump_size * stream.normal() } else { 0.0 };

        // The logarithm of the activity is normal. Subtracting half its variance makes the mean of the
        // activity one.
        let by_volatility = model.activity_by_volatility * own + model.activity_by_common_volatility * common;
        let log_activity = model.activity_sd * self.activity + deviation * by_volatility;
        let by_move = 1.0 - model.activity_by_move + model.activity_by_move * shock * shock;
        let activity = shape * by_move * libm::exp(log_activity - dynamics.activity_variance / 2.0);

        self.volatility = dynamics.next_volatility(self.volatility, own_shock, volatility_change);
        let left = dynamics.activity_left;
        self.activity = left * self.activity + (1.0 - left * left).sqrt() * activity_change;
        Move { from: self.log, change, jump, jump_at, sd, activity, size: volatility }
    }
}

/// Returns how busy a minute of a session is, compared with the mean of the session. The opening and the
/// close are busy, and noon is quiet.
#[expect(clippy::cast_precision_loss, reason = "a session has far fewer than 2^52 nanoseconds")]
fn day_shape(minute: &Minute) -> f64 {
    if minute.session.end == i64::MAX {
        return 1.0;
    }
    let length = (minute.session.end - minute.session.start) as f64;
    let middle = (minute.span.start - minute.session.start) as f64
        + (minute.span.end - minute.span.start) as f64 / 2.0;
    let from_noon = middle / length - 0.5;
    0.5 + 6.0 * from_noon * from_noon
}
