//! Readers: threads that read events from the feed's input before the pump needs them.
//!
//! A reader thread ends at the end of its input, or when the receiver of its batches of events is dropped.
//! The thread therefore needs no other signal to stop. If the thread fails, panics or cannot be started, the
//! receiver gets an error as the last item.

use std::thread;

use tokio::sync::mpsc;

use super::error::FeedError;
use crate::fault;
use crate::market::Event;
use crate::task::catch_panic_now;

/// The maximum number of events in a batch that a reader thread sends.
pub const BATCH: usize = 1024;

/// The maximum number of batches that wait for the pump. While this many batches wait, the reader thread
/// pauses.
const READ_AHEAD: usize = 8;

/// The receiver of the batches of events that a reader thread sends. After an error, the receiver gets
/// nothing more.
pub type Batches = mpsc::Receiver<Result<Vec<Event>, FeedError>>;

/// The sender with which a reader thread sends batches of events.
pub type BatchSender = mpsc::Sender<Result<Vec<Event>, FeedError>>;

/// Starts a reader thread that runs the function `read`. `input`, such as `files`, is the name of the feed's
/// input in error texts.
pub fn start<F>(input: &'static str, read: F) -> Batches
where
    F: FnOnce(&BatchSender) -> Result<(), FeedError> + Send + 'static,
{
    start_on(thread::Builder::new().name("reader".to_owned()), input, read)
}

/// Sends a batch of events. Returns false if the receiver no longer exists.
pub fn send(batches: &BatchSender, batch: Vec<Event>) -> bool {
    fault::point("reader");
    batches.blocking_send(Ok(batch)).is_ok()
}

fn start_on<F>(thread: thread::Builder, input: &'static str, read: F) -> Batches
where
    F: FnOnce(&BatchSender) -> Result<(), FeedError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let batches = sender.clone();
    let started = thread.spawn(move || {
        // `read` is not used again after a panic, so it need not be unwind safe.
        let outcome = catch_panic_now(|| read(&batches));
        let outcome = outcome.unwrap_or_else(|panic| Err(FeedError::ReaderPanicked { input, panic }));
        if let Err(error) = outcome {
            // If sending fails, the receiver is dropped and needs no error.
            let _ = batches.blocking_send(Err(error));
        }
    });
    if let Err(source) = started {
        let error = FeedError::ReaderNotStarted { input, source };
        sender.try_send(Err(error)).expect("nothing has been sent yet");
    }
    receiver
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::market::{Payload, Time, Trade};

    fn batch(size: usize) -> Vec<Event> {
        let payload = Payload::Trade(Trade { price: "1".parse().unwrap(), size: None });
        vec![Event { symbol: "A".parse().unwrap(), time: Time::default(), payload }; size]
    }

    /// Receives everything that a reader thread sends. Returns the size of each batch, and the text of each
    /// error.
    fn received(mut batches: Batches) -> Vec<String> {
        let batches = iter::from_fn(|| batches.blocking_recv());
        let words = batches.map(|batch| match batch {
            Ok(events) => events.len().to_string(),
            Err(error) => error.in_full(),
        });
        words.collect()
    }

    #[test]
    fn a_reader_that_panics_ends_in_an_error_after_all_that_it_has_sent() {
        let batches = start("files", |batches| {
            for size in 1..=20 {
                batches.blocking_send(Ok(batch(size))).unwrap();
            }
            panic!("a fault on purpose");
        });

        let received = received(batches);

        let sizes: Vec<_> = (1..=20).map(|size| size.to_string()).collect();
        assert_eq!(received[..20], sizes);
        assert_eq!(received[20..], ["the reader of files has panicked: a fault on purpose"]);
    }

    #[test]
    fn a_reader_that_fails_ends_in_its_error_and_one_that_is_done_in_none() {
        let fails = start("files", |_| Err(FeedError::NoFiles));
        let is_done = start("files", |batches| {
            batches.blocking_send(Ok(batch(1))).unwrap();
            Ok(())
        });

        assert_eq!(received(fails), ["feed.replay.files: no file is given"]);
        assert_eq!(received(is_done), ["1"]);
    }

    #[test]
    fn a_reader_that_cannot_be_started_ends_in_an_error() {
        let too_large = thread::Builder::new().stack_size(1 << 60);

        let received = received(start_on(too_large, "standard input", |_| Ok(())));

        assert_eq!(received.len(), 1);
        assert!(received[0].starts_with("cannot start the reader of standard input: "), "{received:?}");
    }
}
