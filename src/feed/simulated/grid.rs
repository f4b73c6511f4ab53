//! The grid: the paths of all symbols, minute by minute.
//!
//! Walking the grid costs little, because it makes no events. So a seek can walk from a checkpoint, which is
//! a copy of the grid, to its target.

use super::factors::{Factors, Shocks};
use super::hours::Hours;
use super::minutes::{Minute, Minutes};
use super::model::Dynamics;
use super::path::{Move, Path, Traits};

/// How many checkpoints are kept at most.
const MOST: usize = 32;

/// What the paths of a simulation depend on.
#[derive(Debug)]
pub struct Setup {
    /// The numbers of the realistic model.
    pub dynamics: Dynamics,
    /// The trading hours.
    pub hours: Hours,
    /// What makes the path of each symbol.
    pub traits: Vec<Traits>,
}

/// The state of all paths at a full minute.
#[derive(Clone, Debug)]
pub struct Grid {
    minutes: Minutes,
    factors: Factors,
    paths: Vec<Path>,
}

/// Copies of the grid at past minutes, evenly spaced. When there are too many, every second one goes.
#[derive(Debug)]
pub struct Checkpoints {
    grids: Vec<Grid>,
    /// The number of minutes from one checkpoint to the next.
    distance: u64,
}

impl Grid {
    /// Begins at the minute that contains `start`, or at the next opening.
    pub fn new(setup: &Setup, factors: Factors, start: i64) -> Self {
        let minutes = Minutes::new(&setup.hours, start);
        Self { minutes, factors, paths: setup.traits.iter().map(Path::new).collect() }
    }

    /// Returns the time at which the next minute begins.
    pub fn begin(&self) -> i64 {
        self.minutes.begin()
    }

    /// Walks on by a minute, and writes how each price moves in this minute into `moves`. Returns `None` at
    /// the end of market time.
    pub fn step(&mut self, setup: &Setup, shocks: &mut Shocks, moves: &mut Vec<Move>) -> Option<Minute> {
        let minute = self.minutes.next(&setup.hours)?;
        self.factors.step(&setup.dynamics, minute.number, shocks);
        moves.clear();
        moves.extend(
            self.paths
                .iter_mut()
                .zip(&setup.traits)
                .map(|(path, traits)| path.step(traits, &setup.dynamics, &minute, shocks)),
        );
        Some(minute)
    }
}

impl Checkpoints {
    /// Creates the checkpoints of a grid that has not moved yet.
    pub fn new(start: Grid) -> Self {
        Self { grids: vec![start], distance: 64 }
    }

    /// Keeps a copy of the grid if it has come far enough since the newest checkpoint.
    pub fn offer(&mut self, grid: &Grid) {
        let newest = self.newest().minutes.number();
        if grid.minutes.number() < newest + self.distance {
            return;
        }
        if self.grids.len() == MOST {
            let mut is_kept = false;
            self.grids.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
            self.distance *= 2;
        }
        self.grids.push(grid.clone());
    }

    /// Returns the newest checkpoint.
    pub fn newest(&self) -> &Grid {
        self.grids.last().expect("the first checkpoint, at the start, is always kept")
    }

    /// Returns the newest checkpoint at or before a time, or else the start.
    pub fn before(&self, time: i64) -> &Grid {
        let later = self.grids.partition_point(|grid| grid.begin() <= time);
        &self.grids[later.saturating_sub(1)]
    }
}
