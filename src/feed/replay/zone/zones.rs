//! The zones of one file: the configured zone, and the zones that its rows name.

use super::{Resolver, Zone};
use crate::feed::replay::time::{self, Stamp};
use crate::market::{Symbol, Time};

/// The largest number of zones that the rows of a file may name.
const MAX_NAMED: usize = 1000;

/// Converts the times of one file to UTC, in the order of its rows.
#[derive(Clone, Debug)]
pub struct Zones {
    /// The zone of times for which the rows name no zone.
    own: Resolver,
    /// Whether `own` is a configured zone.
    is_configured: bool,
    named: Vec<(Box<[u8]>, Option<Resolver>)>,
    is_backwards: bool,
}

/// Returns whether a text names a zone without doubt: an offset from UTC, `UTC`, or a zone such as `US/Eastern`.
/// An abbreviation such as `EST` stands for several zones.
pub fn is_named(text: &[u8]) -> bool {
    time::offset(text).is_some() || by_name(text).is_some()
}

fn by_name(name: &[u8]) -> Option<Zone> {
    let name = std::str::from_utf8(name).ok()?;
    name.contains('/').then(|| name.parse().ok()).flatten()
}

/// Returns whether a name is an abbreviation such as `EST`, which the configured zone explains.
fn is_abbreviation(name: &[u8]) -> bool {
    (2..=5).contains(&name.len()) && name.iter().all(u8::is_ascii_alphabetic)
}

impl Zones {
    /// Creates the zones of a file. Without a configured zone, times are in UTC if the rows name no zone.
    /// `is_backwards` means that the latest row of the file comes first.
    pub fn new(configured: Option<&Zone>, is_backwards: bool) -> Self {
        let own = configured.cloned().unwrap_or_else(Zone::utc).resolver(is_backwards);
        Self { own, is_configured: configured.is_some(), named: Vec::new(), is_backwards }
    }

    /// Converts the time of a row to UTC. `name` returns the name of the zone in the row. Returns `None` if the
    /// result is outside the range of [`Time`], or if the name stands for no zone.
    pub fn resolve<'a>(
        &mut self,
        stamp: Stamp,
        name: impl Fn() -> &'a [u8],
        symbol: &Symbol,
    ) -> Option<Time> {
        match stamp {
            Stamp::Utc(time) => Some(time),
            Stamp::Local(nanos) => self.own.resolve(nanos, symbol),
            Stamp::Named(nanos) if self.is_configured && is_abbreviation(name()) => {
                self.own.resolve(nanos, symbol)
            }
            Stamp::Named(nanos) => self.named(name())?.resolve(nanos, symbol),
        }
    }

    /// Returns the names of zones in the rows so far.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.named.iter().filter(|(_, zone)| zone.is_some()).map(|(name, _)| &**name)
    }

    /// Returns the number of rows whose local time occurs twice, because the clocks went back.
    pub fn repeated(&self) -> u64 {
        self.all().map(Resolver::repeated).sum()
    }

    /// Returns the number of rows whose local time does not exist and was therefore moved forward.
    pub fn moved(&self) -> u64 {
        self.all().map(Resolver::moved).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Resolver> {
        [&self.own].into_iter().chain(self.named.iter().filter_map(|(_, zone)| zone.as_ref()))
    }

    fn named(&mut self, name: &[u8]) -> Option<&mut Resolver> {
        let found = self.named.iter().position(|(known, _)| **known == *name);
        let index = match found {
            Some(index) => index,
            None if self.named.len() >= MAX_NAMED => return None,
            None => {
                let resolver = by_name(name).map(|zone| zone.resolver(self.is_backwards));
                self.named.push((name.into(), resolver));
                self.named.len() - 1
            }
        };
        self.named[index].1.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_names_of_zones_are_known() {
        let resolved_after = |names: usize| {
            let (mut zones, symbol) = (Zones::new(None, false), "A".parse().unwrap());
            let mut resolve = |name: &str| zones.resolve(Stamp::Named(0), || name.as_bytes(), &symbol);
            assert!((0..names).all(|number| resolve(&format!("No/Zone{number}")).is_none()));
            resolve("Europe/Berlin").is_some()
        };

        assert!(resolved_after(999));
        assert!(!resolved_after(1000));
    }
}
