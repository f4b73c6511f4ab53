//! Runs the whole server with one worker, for any kind of listener. The server runs in the caller's runtime.

use std::sync::Arc;

use tickerplant::app::Wiring;
use tickerplant::bus::Bus;
use tickerplant::config::Config;
use tickerplant::server::{self, Listener};
use tokio::join;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

/// Serves clients until the token `stop` is cancelled. The test publishes its events on `bus`.
pub async fn serve<L: Listener>(config: Config, bus: Arc<Bus>, listener: L, stop: CancellationToken) {
    let Wiring { admission, handles, workers, bars, failures: _failures, .. } =
        Wiring::new(&config, &bus, None, None, false, 1, None);
    let accepting = server::accept(listener, handles, admission, stop.clone());
    let working = async {
        for worker in workers {
            worker.run(stop.clone()).await;
        }
    };
    let folding = stop.run_until_cancelled(bars.run());
    LocalSet::new().run_until(async { join!(accepting, working, folding) }).await;
}
