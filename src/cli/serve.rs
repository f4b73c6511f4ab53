//! `serve`: a server with its feed, its log and its progress bar, until a signal ends it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::progress::Bar;
use super::{CliError, ServeArgs, block_on, load, log};
use crate::app::App;
use crate::feed;

/// Serves until the first signal has ended everything in order, or the second comes.
pub fn serve(args: &ServeArgs) -> Result<(), CliError> {
    let config = load::to_serve(args)?;
    let bar = Bar::new(config.feed.kind);
    let around = bar.writer();
    log::log_to(move || around.clone(), log::filter(&config.log)?);
    let feed = feed::open(&config.feed)?;
    let control = feed.control().clone();
    // Best effort: where the limit stays low, fewer clients can connect, and the accept loop says so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    block_on(async {
        let stop = CancellationToken::new();
        let listen_for = |kind| signal(kind).map_err(CliError::System);
        let signals = [listen_for(SignalKind::interrupt())?, listen_for(SignalKind::terminate())?];
        let app = App::start(config, Some(feed)).await?;
        tokio::select! {
            ended = app.run(stop.clone()) => Ok(ended?),
            never = bar.show(&control) => match never {},
            () = told_twice(signals, stop.clone()) => Err(CliError::Stopped),
        }
    })
}

/// Fires `stop` at the first signal and completes at the second.
async fn told_twice(mut signals: [Signal; 2], stop: CancellationToken) {
    for _ in 0..2 {
        let [interrupt, terminate] = &mut signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    }
}
