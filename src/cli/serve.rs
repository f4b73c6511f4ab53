//! `serve`: runs a server with its feed, its log and its progress bar until a signal stops it.

use std::io::Write;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{Level, enabled};

use super::progress_bar::Bar;
use super::{CliError, ServeArgs, block_on, load_config, log, reload};
use crate::app::App;
use crate::feed::{self, Control};

/// Runs a server until a signal shuts it down, or until the end of its feed if the setting `feed.exit_at_end`
/// is on. A second signal stops the program at once. SIGHUP does not end
/// the program.
pub fn serve(args: &ServeArgs) -> Result<(), CliError> {
    let loaded = load_config::for_server(args)?;
    let bar = Bar::new(loaded.config.feed.kind);
    let writer = bar.writer();
    log::log_to(move || writer.clone(), &loaded.config.log, &loaded.warnings);
    // A failure is ignored, because it only means that fewer clients can connect. The accept loop logs when
    // file descriptors run out.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    block_on(async {
        let stop = CancellationToken::new();
        let listen_for = |kind| signal(kind).map_err(CliError::System);
        // SIGHUP is handled before the feed reads its files, so that a closed terminal never ends the server.
        let hangups = listen_for(SignalKind::hangup())?;
        // An edge of a cluster has no feed of its own.
        let has_feed = !loaded.config.cluster.is_edge();
        let opened = has_feed.then(|| feed::open(&loaded.config.feed)).transpose();
        let feed = load_config::located(&loaded, opened)?;
        let none = || Control::of_nothing(loaded.config.feed.kind);
        let control = feed.as_ref().map_or_else(none, |feed| feed.control().clone());
        let signals = [listen_for(SignalKind::interrupt())?, listen_for(SignalKind::terminate())?];
        let mut config = loaded.config.clone();
        config.cluster.restarts = args.cluster.restart;
        let app = load_config::started(&loaded, App::start(config.clone(), feed).await)?;
        if enabled!(Level::INFO) {
            // A failed write is ignored, like a failed write of a log line.
            // The seed of a cluster is that of its log, which this node has not read yet.
            let simulation = control.status().simulation.filter(|_| !loaded.config.cluster.is_on());
            if let Some(simulation) = simulation {
                let _ = writeln!(bar.writer(), "Repeat this market with: {}", simulation.command());
            }
            let _ = writeln!(bar.writer(), "Open {}", app.url());
        }
        let sources = load_config::sources(args);
        let reloading = reload::on_hangups(hangups, sources, config, app.reloader(), stop.clone());
        tokio::select! {
            ended = app.run(stop.clone()) => Ok(ended?),
            never = bar.show(&control) => match never {},
            never = reloading => match never {},
            () = stop_on_signals(signals, stop.clone()) => Err(CliError::Stopped),
        }
    })
}

/// Fires `stop` at the first signal, and completes at the second signal.
async fn stop_on_signals(mut signals: [Signal; 2], stop: CancellationToken) {
    for _ in 0..2 {
        let [interrupt, terminate] = &mut signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    }
}
