//! Decides the layout of a file by all its rows. The first lines tell the columns; only all rows tell how their cells
//! are meant.

use super::{Layout, NumberRule, Times, Values};
use crate::feed::replay::number::DecimalSign;

/// What all rows of a file say about its layout.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// How the times are read.
    pub times: Times,
    /// The decimal sign that is configured, or that the numbers prove; `None` if they prove none.
    pub decimal: Option<DecimalSign>,
    /// Whether a price has a point, which prices in fixed point never have.
    pub forbids_fixed_point: bool,
    /// Whether the column of sizes holds the volume of the day so far, so that the trades have no size.
    pub are_sizes_totals: bool,
}

impl Layout {
    /// Returns the layout with which the rows are replayed. This layout is the one of the first lines.
    pub fn decided(&self, evidence: Evidence) -> Self {
        let Evidence { times, decimal, forbids_fixed_point, are_sizes_totals } = evidence;
        let mut layout = Self { times, ..self.clone() };
        layout.numbers.decimal = decimal.unwrap_or(self.numbers.decimal);
        if forbids_fixed_point && self.number_rule == NumberRule::FixedPoint {
            layout.number_rule = NumberRule::Plain;
        }
        if let Values::Ticks { size, .. } = &mut layout.values
            && are_sizes_totals
        {
            *size = None;
        }
        layout
    }
}
