//! Tests of a pump that panics.

use super::*;
use crate::feed::simulated::Simulation;

/// The beginning of the text with which the feed's state `failed` reports a panic.
const DETAIL: &str = "the feed's own task has panicked: ";

/// Returns a feed with the given `[feed]` settings, and with a source that panics at the first event.
fn broken(settings: &str) -> Feed {
    let source = Source::Simulation(Box::new(Simulation::broken()));
    Feed::new(&toml::from_str(settings).unwrap(), source, RejectCounters::default())
}

fn detail(control: &Control) -> String {
    control.status().state.detail().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_feed_whose_source_panics_has_failed_and_says_why() {
    let bus = bus(FeedKind::Simulated);
    let feed = broken("");
    let control = feed.control().clone();

    pump(feed, Arc::clone(&bus), CancellationToken::new()).await;

    let detail = detail(&control);
    assert!(detail.starts_with(DETAIL) && detail.len() > DETAIL.len(), "{detail}");
    assert_eq!(entries(&bus), ["running", &detail]);
    assert_eq!(control.send(FeedCommand::Pause).await, Err(ControlError::Over { detail: Some(detail) }));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_panics_and_those_behind_it_are_answered_with_the_reason() {
    for command in [FeedCommand::Step(NonZeroU32::MIN), FeedCommand::Speed(Speed::Factor(2.0))] {
        let bus = bus(FeedKind::Simulated);
        let feed = broken("clock.paused = true");
        let control = feed.control().clone();
        let pump = pump(feed, Arc::clone(&bus), CancellationToken::new());

        let (answer, next, _) = tokio::join!(control.send(command), control.send(FeedCommand::Resume), pump);

        let detail = detail(&control);
        assert!(detail.starts_with(DETAIL), "{detail}");
        assert_eq!(entries(&bus), ["paused", &detail]);
        let error = Err(ControlError::Over { detail: Some(detail) });
        assert_eq!((answer, next), (error.clone(), error), "{command}");
    }
}
