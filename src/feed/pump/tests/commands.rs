//! Tests of the commands that the pump executes.

use super::*;

/// A feed with a running pump, and the handles with which a test controls the feed.
struct Playing {
    sender: mpsc::Sender<Result<Vec<Event>, FeedError>>,
    bus: Arc<Bus>,
    control: Control,
    /// The task set in which the pump runs. Dropping the set ends the pump.
    _pump: JoinSet<Standby>,
}

impl Playing {
    /// Starts a pump for a feed with the given `[feed]` settings. The feed takes its events from a channel,
    /// which [`Self::send`] fills.
    fn start(settings: &str) -> Self {
        let config: Config = toml::from_str(settings).unwrap();
        let (sender, receiver) = mpsc::channel(8);
        let feed = Feed::new(&config, Source::Channel(receiver), RejectCounters::default());
        let (bus, control) = (bus(config.kind), feed.control().clone());
        let mut pumping = JoinSet::new();
        pumping.spawn(pump(feed, Arc::clone(&bus), CancellationToken::new()));
        Self { sender, bus, control, _pump: pumping }
    }

    /// Gives the feed one trade for each of the given market times, in seconds.
    async fn send<const N: usize>(&self, seconds: [i64; N]) {
        self.sender.send(Ok(seconds.map(trade).into())).await.unwrap();
    }

    async fn execute(&self, command: FeedCommand) -> Status {
        self.control.send(command).await.unwrap()
    }

    /// Waits for `millis` milliseconds, and returns the number of events published so far.
    async fn after(&self, millis: u64) -> u64 {
        sleep(Duration::from_millis(millis)).await;
        self.bus.head()
    }

    fn state(&self) -> &'static str {
        self.control.status().state.name()
    }
}

fn step(count: u32) -> FeedCommand {
    FeedCommand::Step(NonZeroU32::new(count).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_pause_publishes_nothing_and_delays_all_later_events_by_its_length() {
    let play = Playing::start("kind = \"replay\"");
    play.send([0, 10, 20]).await;
    assert_eq!(play.after(5_000).await, 1);

    assert_eq!(play.execute(FeedCommand::Pause).await.state, FeedState::Paused);
    assert_eq!(play.after(3_600_000).await, 1);
    assert_eq!(play.execute(FeedCommand::Resume).await.state, FeedState::Running);

    assert_eq!(play.after(4_990).await, 1);
    assert_eq!(play.after(20).await, 2);
    assert_eq!(play.after(9_980).await, 2);
    assert_eq!(play.after(20).await, 3);
    assert_eq!(entries(&play.bus), ["running", "1", "paused", "running", "1", "1"]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_feed_is_not_stalled() {
    let play = Playing::start("kind = \"replay\"\nstalled_after = \"1s\"");
    play.send([0]).await;
    play.after(500).await;

    play.execute(FeedCommand::Pause).await;
    play.after(60_000).await;

    assert_eq!(play.state(), "paused");
    play.execute(FeedCommand::Resume).await;
    play.after(60_000).await;
    assert_eq!(entries(&play.bus), ["running", "1", "paused", "running", "stalled"]);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_starts_paused_publishes_nothing_before_it_is_resumed() {
    let play = Playing::start("kind = \"replay\"\nclock.paused = true");
    play.send([0, 1]).await;

    assert_eq!(play.after(60_000).await, 0);
    assert_eq!(play.state(), "paused");
    play.execute(FeedCommand::Resume).await;

    assert_eq!(play.after(10).await, 1);
    assert_eq!(play.after(1_000).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_step_publishes_the_exact_number_of_events_and_leaves_the_feed_paused() {
    let play = Playing::start("kind = \"replay\"");
    play.send([0, 100, 200]).await;
    play.send([300, 400, 401]).await;
    play.after(10).await;

    let status = play.execute(step(3)).await;

    assert_eq!((status.state, status.events), (FeedState::Paused, 4));
    assert_eq!(status.position, Some(trade(300).time));
    assert_eq!(play.after(3_600_000).await, 4);
    assert_eq!(play.execute(step(1)).await.events, 5);
    play.execute(FeedCommand::Resume).await;
    // Time continues at the event that the step published early.
    assert_eq!(play.after(990).await, 5);
    assert_eq!(play.after(20).await, 6);
}

#[tokio::test(start_paused = true)]
async fn a_step_past_the_end_publishes_the_last_events_and_ends() {
    let play = Playing::start("kind = \"replay\"\nclock.paused = true");
    play.send([0, 1, 2]).await;
    let Playing { sender, bus, control, _pump } = play;
    drop(sender);

    assert_eq!(control.send(step(2)).await.unwrap().state, FeedState::Paused);
    let status = control.send(step(2)).await.unwrap();

    assert_eq!((status.state, status.events), (FeedState::Ended, 3));
    assert_eq!(control.send(step(1)).await.unwrap().events, 3);
    assert_eq!(entries(&bus), ["paused", "2", "1", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_step_of_a_replay_waits_for_its_readers() {
    let play = Playing::start("kind = \"replay\"\nclock.paused = true");
    let (reader, _) = play.bus.awaited_reader("test");
    for _ in 0..5 {
        play.sender.send(Ok(iter::repeat_n(trade(0), BATCH).collect())).await.unwrap();
    }
    let stepped = play.execute(step(5000));
    let read = async {
        assert_eq!(play.after(1_000).await, AHEAD as u64);
        assert!(play.bus.is_flow_controlled());
        reader.done(AHEAD as u64);
    };

    let (status, ()) = tokio::join!(stepped, read);

    assert_eq!(status.events, 5000);
    assert!(!play.bus.is_flow_controlled());
}

#[tokio::test(start_paused = true)]
async fn steps_of_a_replay_that_is_not_at_full_speed_wait_for_nobody() {
    let play = Playing::start("kind = \"replay\"\nclock.paused = true");
    let (_reader, _) = play.bus.awaited_reader("test");
    let begin = Instant::now();

    for steps in 1..=10 {
        play.sender.send(Ok(iter::repeat_n(trade(0), BATCH).collect())).await.unwrap();
        let count = u32::try_from(BATCH).unwrap();
        assert_eq!(play.execute(step(count)).await.events, steps * u64::from(count));
        assert!(!play.bus.is_flow_controlled());
    }
    let Playing { sender, control, _pump, .. } = play;
    drop(sender);

    assert_eq!(control.send(step(1)).await.unwrap().state, FeedState::Ended);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_command_to_a_feed_whose_end_waits_for_the_last_readers_is_refused_at_once() {
    let play = Playing::start("kind = \"replay\"\nclock.speed = 1e6");
    play.bus.set_exits_at_end(true);
    let (_reader, _) = play.bus.awaited_reader("test");
    play.send([0, 1]).await;
    let Playing { sender, bus, control, _pump } = play;
    drop(sender);
    sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();

    let seek = FeedCommand::Seek(trade(0).time);
    for command in [FeedCommand::Pause, FeedCommand::Resume, step(1), seek, FeedCommand::Loop(true)] {
        assert_eq!(control.send(command).await, Err(ControlError::Over { detail: None }), "{command}");
    }

    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert!(bus.is_waiting(), "the pump waits for the reader");
}

#[tokio::test(start_paused = true)]
async fn another_speed_holds_from_the_moment_of_its_change() {
    let play = Playing::start("kind = \"replay\"");
    play.send([0, 100, 200, 300, 400]).await;
    play.after(10).await;

    assert_eq!(
        play.execute(FeedCommand::Speed(Speed::Factor(100.0))).await.speed,
        Some(Speed::Factor(100.0))
    );

    assert_eq!(play.after(990).await, 1);
    assert_eq!(play.after(20).await, 2);
    assert!(!play.bus.is_flow_controlled());
    play.execute(FeedCommand::Speed(Speed::Max)).await;
    assert!(play.bus.is_flow_controlled());
    assert_eq!(play.after(1).await, 5);
    play.execute(FeedCommand::Speed(Speed::Factor(1.0))).await;
    assert!(!play.bus.is_flow_controlled());
    play.send([410]).await;
    assert_eq!(play.after(9_900).await, 5);
    assert_eq!(play.after(200).await, 6);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_was_late_is_on_time_at_another_speed() {
    let play = Playing::start("kind = \"replay\"\nclock.speed = 1e6");
    play.send([0, 1, 2]).await;
    // By now the schedule is 11 days of market time ahead.
    assert_eq!(play.after(1000).await, 3);

    play.execute(FeedCommand::Speed(Speed::Factor(1.0))).await;
    play.send([3, 4, 1_000_000]).await;

    assert_eq!(play.after(500).await, 3);
    assert_eq!(play.after(2000).await, 5);
}

#[tokio::test]
async fn after_an_end_in_a_pause_a_seek_leaves_the_feed_paused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.csv");
    std::fs::write(&path, "time,price\n2024-01-03,1\n2024-01-04,1\n").unwrap();
    let config = format!("kind = \"replay\"\nclock.paused = true\nreplay.files = [{path:?}]");
    let feed = open(&toml::from_str(&config).unwrap()).unwrap();
    let (bus, control) = (bus(FeedKind::Replay), feed.control().clone());
    let mut pumping = JoinSet::new();
    pumping.spawn(pump(feed, Arc::clone(&bus), CancellationToken::new()));
    let start = "2024-01-03T00:00:00Z".parse().unwrap();
    let state_after = async |command| control.send(command).await.unwrap().state;

    assert_eq!(state_after(step(5)).await, FeedState::Ended);
    assert_eq!(state_after(FeedCommand::Seek(start)).await, FeedState::Paused);
    assert_eq!(state_after(step(5)).await, FeedState::Ended);
    assert_eq!(state_after(FeedCommand::Resume).await, FeedState::Ended);
    assert_eq!(state_after(FeedCommand::Seek(start)).await, FeedState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_a_wait_for_the_readers_too() {
    let play = Playing::start("kind = \"replay\"\nclock.speed = \"max\"");
    let (reader, _) = play.bus.awaited_reader("test");
    for _ in 0..5 {
        play.sender.send(Ok(iter::repeat_n(trade(0), BATCH).collect())).await.unwrap();
    }
    assert_eq!(play.after(1_000).await, AHEAD as u64);
    assert!(play.bus.is_waiting());

    let status = play.execute(FeedCommand::Pause).await;

    assert_eq!((status.state, status.events), (FeedState::Paused, AHEAD as u64));
    assert!(!play.bus.is_waiting());
    reader.done(AHEAD as u64);
    assert_eq!(play.after(1_000).await, AHEAD as u64);
    play.execute(FeedCommand::Resume).await;
    assert_eq!(play.after(1_000).await, 5 * BATCH as u64);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_the_wait_for_the_readers_at_the_end_too() {
    let play = Playing::start("kind = \"replay\"\nclock.speed = \"max\"");
    let (reader, _) = play.bus.awaited_reader("test");
    play.send([0, 1]).await;
    let Playing { sender, bus, control, _pump } = play;
    drop(sender);
    sleep(Duration::from_secs(1)).await;
    assert!(bus.is_waiting());

    assert_eq!(control.send(FeedCommand::Pause).await.unwrap().state, FeedState::Paused);
    assert!(!bus.is_waiting());
    sleep(Duration::from_mins(1)).await;
    assert_eq!(control.send(FeedCommand::Resume).await.unwrap().state, FeedState::Running);
    sleep(Duration::from_secs(1)).await;
    reader.done(2);
    sleep(Duration::from_secs(1)).await;

    assert_eq!(control.status().state, FeedState::Ended);
    assert_eq!(entries(&bus), ["running", "2", "paused", "running", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_past_the_end_waits_at_full_speed_for_the_readers_too() {
    let play = Playing::start("kind = \"replay\"\nclock.speed = \"max\"\nclock.paused = true");
    let (reader, _) = play.bus.awaited_reader("test");
    play.send([0, 1]).await;
    let Playing { sender, bus, control, _pump } = play;
    drop(sender);
    let read = async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(entries(&bus), ["paused", "2"]);
        reader.done(2);
    };

    let (status, ()) = tokio::join!(control.send(step(3)), read);

    assert_eq!(status.unwrap().state, FeedState::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_the_wait_of_a_step_past_the_end() {
    for speed in ["1", "\"max\""] {
        let play = Playing::start(&format!("kind = \"replay\"\nclock.paused = true\nclock.speed = {speed}"));
        let (reader, _) = play.bus.awaited_reader("test");
        play.send([0, 1]).await;
        let Playing { sender, bus, control, _pump } = play;
        drop(sender);
        let begin = Instant::now();
        let interrupt = async {
            sleep(Duration::from_millis(1)).await;
            assert!(bus.is_waiting());
            control.send(FeedCommand::Pause).await.unwrap()
        };

        let (stepped, paused) = tokio::join!(control.send(step(5000)), interrupt);

        let stepped = stepped.unwrap();
        assert_eq!((stepped.state, stepped.events, paused.state), (FeedState::Paused, 2, FeedState::Paused));
        assert_eq!(begin.elapsed(), Duration::from_millis(1));
        assert_eq!(bus.is_flow_controlled(), speed != "1");
        reader.done(2);
        assert_eq!(control.send(step(1)).await.unwrap().state, FeedState::Ended);
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_waits_for_a_client_can_be_paused_and_stepped() {
    let play = Playing::start("kind = \"replay\"\nwait_for_client = true");
    play.send([0, 1, 2]).await;
    assert_eq!(play.state(), "starting");

    assert_eq!(play.execute(FeedCommand::Pause).await.state, FeedState::Paused);
    assert_eq!(play.execute(FeedCommand::Resume).await.state, FeedState::Starting);
    assert_eq!(play.after(60_000).await, 0);
    assert_eq!(play.execute(step(1)).await.events, 1);
    play.bus.note_subscriber();
    assert_eq!(play.after(60_000).await, 1);

    assert_eq!(play.execute(FeedCommand::Resume).await.state, FeedState::Running);
    assert_eq!(play.after(60_000).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_long_gap_is_cut_short_and_counted() {
    let play = Playing::start("kind = \"replay\"\nclock.speed = 10\nclock.max_gap = \"5s\"");
    play.send([0, 86_400, 86_401]).await;

    assert_eq!(play.after(490).await, 1);
    assert_eq!(play.after(20).await, 2);
    assert_eq!(play.after(100).await, 3);

    let cut_gaps = play.control.status().cut_gaps;
    assert_eq!((cut_gaps.gaps, cut_gaps.time), (1, Duration::from_secs(86_395)));
}

#[tokio::test(start_paused = true)]
async fn a_retimed_event_has_the_moment_at_which_it_was_due_and_the_position_is_the_files() {
    let start = Time::now();
    let play = Playing::start("kind = \"replay\"\nclock.speed = 10\nclock.retime = true");
    play.send([0, 10, 11, 30]).await;
    play.after(1_500).await;
    play.execute(FeedCommand::Pause).await;
    play.after(1_000).await;
    play.execute(step(1)).await;

    assert_eq!(times(&play.bus), [0, 1_000, 1_100, 2_500]);
    let first = play.bus.after(&play.bus.epoch(), 0).unwrap().unwrap().iter().next().unwrap().1.time;
    assert!(start <= first && first <= Time::now().later(Duration::from_secs(1)), "{first}");
    assert_eq!(play.control.status().position, Some(trade(30).time));
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_has_failed_answers_every_command_with_the_reason() {
    let play = Playing::start("kind = \"replay\"");
    let failure = FeedError::Stdin { source: io::Error::other("the disk is gone") };
    play.sender.send(Err(failure)).await.unwrap();
    play.after(10).await;

    assert_eq!(play.state(), "failed");
    for command in [FeedCommand::Pause, FeedCommand::Resume, step(1), FeedCommand::Seek(trade(0).time)] {
        let error = play.control.send(command).await.unwrap_err();
        assert!(error.to_string().contains("the disk is gone"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_command_leads_from_each_state_to_the_expected_state() {
    let speed = FeedCommand::Speed(Speed::Factor(2.0));
    for (begin, command, state) in [
        ("running", FeedCommand::Pause, "paused"),
        ("running", FeedCommand::Resume, "running"),
        ("running", step(1), "paused"),
        ("running", speed, "running"),
        ("paused", FeedCommand::Pause, "paused"),
        ("paused", FeedCommand::Resume, "running"),
        ("paused", step(1), "paused"),
        ("paused", speed, "paused"),
        ("stalled", FeedCommand::Pause, "paused"),
        ("stalled", FeedCommand::Resume, "stalled"),
        ("stalled", speed, "stalled"),
        ("ended", FeedCommand::Pause, "ended"),
        ("ended", FeedCommand::Resume, "ended"),
        ("ended", step(1), "ended"),
        ("ended", speed, "ended"),
    ] {
        let mut play = Playing::start("kind = \"replay\"\nstalled_after = \"1s\"");
        match begin {
            "running" => play.send([0, 1000]).await,
            "paused" => {
                play.send([0, 1000]).await;
                play.execute(FeedCommand::Pause).await;
            }
            "ended" => play.sender = mpsc::channel(1).0,
            _ => {}
        }
        play.after(2_000).await;
        assert_eq!(play.state(), begin);

        assert_eq!(play.execute(command).await.state.name(), state, "{command:?} when {begin}");
        assert_eq!(play.state(), state);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_a_feed_cannot_execute_is_an_error_and_the_feed_goes_on() {
    let simulated = Playing::start("kind = \"simulated\"");
    for repeats in [true, false] {
        let error = simulated.control.send(FeedCommand::Loop(repeats)).await.unwrap_err();
        assert_eq!(error, ControlError::NoLoop);
    }
    let live = Playing::start("kind = \"stdin\"");
    for command in [FeedCommand::Pause, FeedCommand::Resume, step(1)] {
        assert_eq!(live.control.send(command).await, Err(ControlError::Live));
    }
    simulated.send([0]).await;
    live.send([0]).await;

    assert_eq!((simulated.after(10).await, live.after(10).await), (1, 1));

    let latest = trade(0).time.later(Duration::from_hours(3653 * 24));
    let too_far = FeedCommand::Seek(latest.later(Duration::from_nanos(1)));
    assert_eq!(simulated.control.send(too_far).await, Err(ControlError::TooFar { latest }));
    simulated.send([0]).await;
    assert_eq!(simulated.after(10).await, 2);
}
