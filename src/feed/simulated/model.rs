//! The numbers of the realistic model. Tests change some of them, to show what each of them does.

/// The numbers of the realistic model.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// The number of minutes in which half of a change of the volatility has gone.
    pub volatility_half_life: f64,
    /// The standard deviation of the logarithm of the volatility.
    pub volatility_sd: f64,
    /// The share of the volatility's variance that all symbols have in common.
    pub common_volatility: f64,
    /// How far the volatility rises when the price falls: the correlation of the two, times -1.
    pub leverage: f64,
    /// The probability that a minute has a jump.
    pub jump_probability: f64,
    /// The standard deviation of a jump, in mean standard deviations of a minute without jumps.
    pub jump_size: f64,
    /// The number of minutes in which half of the distance to the first price has gone.
    pub home_half_life: f64,
    /// The share of a day's variance that the opening gap has, where the nights are closed.
    pub gap_share: f64,
    /// The number of minutes in which half of a change of the activity has gone.
    pub activity_half_life: f64,
    /// The standard deviation of the logarithm of the activity.
    pub activity_sd: f64,
    /// How strongly the symbol's own volatility raises the activity; 1 means in proportion.
    pub activity_by_volatility: f64,
    /// The same for the volatility that all symbols have in common.
    pub activity_by_common_volatility: f64,
    /// The share of the activity that follows the square of the minute's price change.
    pub activity_by_move: f64,
    /// Whether the times within a minute cluster. Otherwise, they are those of a Poisson process.
    pub has_bursts: bool,
    /// Half the spread, in standard deviations of the price between two trades.
    pub half_spread: f64,
    /// The probability that a trade is on the other side than the trade before.
    pub side_change: f64,
    /// Whether trades are at the bid or the ask. Otherwise, they are at the price between them.
    pub has_bounce: bool,
}

impl Model {
    /// The model of the profile `realistic`.
    pub const REALISTIC: Self = Self {
        volatility_half_life: 120.0,
        volatility_sd: 0.55,
        common_volatility: 0.6,
        leverage: 0.4,
        jump_probability: 1.0 / 1440.0,
        jump_size: 8.0,
        home_half_life: 14_400.0,
        gap_share: 0.2,
        activity_half_life: 4.0,
        activity_sd: 0.6,
        activity_by_volatility: 0.4,
        activity_by_common_volatility: 0.1,
        activity_by_move: 0.4,
        has_bursts: true,
        half_spread: 1.2,
        side_change: 0.35,
        has_bounce: true,
    };
}

/// The numbers that follow from a model.
#[derive(Clone, Copy, Debug)]
pub struct Dynamics {
    /// The model.
    pub model: Model,
    /// The share of a deviation of the volatility that is left after a minute.
    pub volatility_left: f64,
    /// The share of a deviation of the activity that is left after a minute.
    pub activity_left: f64,
    /// The share of the distance to the first price that goes in a minute.
    pub pull: f64,
    /// The share of a minute's variance that jumps have.
    pub jump_share: f64,
    /// The standard deviation of a jump, compared with that of a minute with the changes by jumps.
    pub jump_size: f64,
    /// The weight of the common deviation of the volatility.
    pub common: f64,
    /// The weight of the symbol's own deviation of the volatility.
    pub own: f64,
    /// The variance of the logarithm of the activity.
    pub activity_variance: f64,
}

impl Dynamics {
    /// Computes the numbers that follow from a model.
    pub fn new(model: Model) -> Self {
        let left = |half_life: f64| libm::exp2(-1.0 / half_life);
        let square = |number: f64| number * number;
        let jumps = model.jump_probability * square(model.jump_size);
        let [common, own] = [model.common_volatility, 1.0 - model.common_volatility];
        let by_volatility = square(model.activity_by_volatility * model.volatility_sd) * own
            + square(model.activity_by_common_volatility * model.volatility_sd) * common;
        Self {
            model,
            volatility_left: left(model.volatility_half_life),
            activity_left: left(model.activity_half_life),
            pull: 1.0 - left(model.home_half_life),
            jump_share: jumps / (1.0 + jumps),
            jump_size: model.jump_size / (1.0 + jumps).sqrt(),
            common: common.sqrt(),
            own: own.sqrt(),
            activity_variance: square(model.activity_sd) + by_volatility,
        }
    }

    /// Returns the deviation of a volatility after a minute, in standard deviations. The deviation decays,
    /// and rises when the shock is negative.
    pub fn next_volatility(&self, volatility: f64, shock: f64, change: f64) -> f64 {
        let Self { model: Model { leverage, .. }, volatility_left: left, .. } = *self;
        let own = (1.0 - leverage * leverage).sqrt();
        left * volatility + (1.0 - left * left).sqrt() * (own * change - leverage * shock)
    }
}
