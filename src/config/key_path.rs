//! The path from the root of the configuration to a value.

use std::fmt;

use serde_path_to_error::Segment;
use toml::{Table, Value};

/// The path of a value, for example `auth.tokens[0].sha256`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath(pub Vec<Step>);

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A step to the value of a key in a table.
    Key(String),
    /// A step to an item of a list. The items of a list are counted from 0.
    Index(usize),
}

impl KeyPath {
    /// Returns the path of a key, for example of `feed.clock.speed` or `auth.tokens[0].name`.
    pub fn of_key(key: &str) -> Self {
        let steps = |name: &str| {
            let item = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
            match item.and_then(|(list, index)| Some((list, index.parse().ok()?))) {
                Some((list, index)) => vec![Step::Key(list.to_owned()), Step::Index(index)],
                None => vec![Step::Key(name.to_owned())],
            }
        };
        Self(key.split('.').flat_map(steps).collect())
    }

    /// Returns whether the path leads to the value of this key, or to a part of that value.
    pub fn is_within(&self, key: &str) -> bool {
        self.0.starts_with(&Self::of_key(key).0)
    }

    /// Returns the value to which the path leads in a table.
    pub fn find<'a>(&self, table: &'a Table) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        let Step::Key(name) = first else { return None };
        rest.iter().try_fold(table.get(name)?, |value, step| match step {
            Step::Key(name) => value.get(name),
            Step::Index(index) => value.get(index),
        })
    }
}

impl From<&serde_path_to_error::Path> for KeyPath {
    fn from(path: &serde_path_to_error::Path) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().map_while(step).collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(name) if position == 0 => f.write_str(name)?,
                Step::Key(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
