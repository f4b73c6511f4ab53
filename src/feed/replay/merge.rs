//! Merges the events of several files by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::feed::error::FeedError;
use crate::market::{Event, Time};

/// The events of several inputs, merged by time. Each input must be in time order.
///
/// Events with the same time come in the order of the inputs. An error of an input is returned directly after
/// the last event of that input.
pub struct Merge<I> {
    inputs: Vec<I>,
    /// The next event of each input.
    heads: Vec<Option<Event>>,
    /// The time of each event in `heads`, with the index of its input. The earliest time is on top.
    next: BinaryHeap<Reverse<(Time, usize)>>,
    failure: Option<FeedError>,
}

impl<I: Iterator<Item = Result<Event, FeedError>>> Merge<I> {
    /// Creates a merge. Reads the first event of each input, unless there is only one input.
    pub fn new(inputs: Vec<I>) -> Self {
        let heads = inputs.iter().map(|_| None).collect();
        let mut merge = Self { inputs, heads, next: BinaryHeap::new(), failure: None };
        if merge.inputs.len() > 1 {
            for index in 0..merge.inputs.len() {
                merge.refill(index);
            }
        }
        merge
    }

    fn refill(&mut self, index: usize) {
        match self.inputs[index].next() {
            None => {}
            Some(Ok(event)) => {
                self.next.push(Reverse((event.time, index)));
                self.heads[index] = Some(event);
            }
            Some(Err(error)) => self.failure = Some(error),
        }
    }
}

impl<I: Iterator<Item = Result<Event, FeedError>>> Iterator for Merge<I> {
    type Item = Result<Event, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let [input] = &mut self.inputs[..] {
            return input.next();
        }
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        let Reverse((_, index)) = self.next.pop()?;
        let event = self.heads[index].take()?;
        self.refill(index);
        Some(Ok(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Payload, Trade};

    fn input(name: &str, seconds: &[i64]) -> std::vec::IntoIter<Result<Event, FeedError>> {
        let event = |(line, second): (usize, &i64)| {
            Ok(Event {
                symbol: format!("{name}{line}").parse().unwrap(),
                time: Time::from_nanos(second * 1_000_000_000),
                payload: Payload::Trade(Trade { price: "1".parse().unwrap(), size: None }),
            })
        };
        seconds.iter().enumerate().map(event).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn files_merge_by_time_then_file_then_line() {
        let files = vec![input("a", &[1, 3, 3, 9]), input("b", &[]), input("c", &[0, 3, 10])];

        let merged: Vec<String> = Merge::new(files).map(|event| event.unwrap().symbol.to_string()).collect();

        assert_eq!(merged, ["c0", "a0", "a1", "a2", "c1", "a3", "c2"]);
    }

    #[test]
    fn an_error_of_an_input_comes_after_the_events_read_before_it() {
        let fails = input("a", &[1]).chain([Err(FeedError::NoFiles)]);
        let merge =
            Merge::new(vec![Box::new(fails) as Box<dyn Iterator<Item = _>>, Box::new(input("b", &[2]))]);

        let merged: Vec<bool> = merge.map(|event| event.is_ok()).collect();

        assert_eq!(merged, [true, false, true]);
    }
}
