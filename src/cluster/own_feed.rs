//! The node's own feed: a standby while another node leads, a running feed while this node leads.
//!
//! One task owns the feed. The task takes orders from the node, and reports the place of the standby.

use std::sync::Arc;

use tokio::select;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::entry::{Origin, fingerprint};
use crate::bus::Bus;
use crate::feed::{self, Config, Control, Pace, Place, Standby};
use crate::market::{Event, FeedState};

/// The number of orders that may wait. If more come, the standby misses steps, and skips their events later.
const ORDERS: usize = 256;

/// The node's own feed, as the node sees it.
#[derive(Debug)]
pub struct OwnFeed {
    orders: mpsc::Sender<Order>,
    reports: watch::Receiver<Report>,
    /// What determines the events of the own feed.
    origin: Origin,
    /// The configured pace.
    pace: Pace,
}

/// What the task reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The origin and the place of the standby; `None` while the standby does not follow the feed.
    pub follows: Option<(Arc<Origin>, Place)>,
}

/// A step of the published feed.
#[derive(Clone, Debug)]
pub struct Step {
    /// What determines the events of the published feed.
    pub origin: Arc<Origin>,
    /// The place before the events.
    pub place: Place,
    /// The pace.
    pub pace: Pace,
    /// The published events.
    pub events: Vec<Event>,
}

/// The order to lead.
#[derive(Debug)]
pub struct Leading {
    /// The place at which the feed continues.
    pub place: Place,
    /// The bus on which the feed publishes.
    pub bus: Arc<Bus>,
    /// The pace at which the feed continues.
    pub pace: Pace,
    /// The state in which the feed continues.
    pub state: FeedState,
    /// Ends the feed.
    pub stop: CancellationToken,
    /// Gets the control of the running feed.
    pub control: oneshot::Sender<Control>,
}

#[derive(Debug)]
enum Order {
    Follow(Step),
    Lead(Leading),
}

impl OwnFeed {
    /// Returns the node's own feed, and the task that owns it.
    pub fn new(standby: Standby) -> (Self, impl Future<Output = ()> + Send) {
        let (orders, waiting) = mpsc::channel(ORDERS);
        let (reporter, reports) = watch::channel(Report { follows: None });
        let (origin, pace) = (origin(standby.config()), standby.config().pace());
        (Self { orders, reports, origin, pace }, run(standby, waiting, reporter))
    }

    /// Returns what determines the events of the own feed.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the configured pace of the feed.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Lets the standby follow a step. If too many steps wait, the step is left out, and the standby later skips
    /// its events.
    pub fn follow(&self, step: Step) {
        // The task ends only after the node.
        let _ = self.orders.try_send(Order::Follow(step));
    }

    /// Lets the feed lead. Returns false if the task is too busy.
    pub fn lead(&self, leading: Leading) -> bool {
        self.orders.try_send(Order::Lead(leading)).is_ok()
    }

    /// Returns whether the standby stands at this place of a feed with this origin.
    #[must_use]
    pub fn is_at(&self, origin: &Origin, place: Place) -> bool {
        let report = self.reports.borrow();
        report.follows.as_ref().is_some_and(|(own, at)| **own == *origin && *at == place)
    }

    /// Waits until the task reports something.
    ///
    /// Cancel safe: the wait takes nothing but the notice.
    pub async fn changed(&mut self) {
        if self.reports.changed().await.is_err() {
            // The task has ended, and reports nothing any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Returns what determines the events of a feed with these settings.
fn origin(config: &Config) -> Origin {
    let (seed, start) = config.origin();
    Origin { kind: config.kind, fingerprint: fingerprint(config.determinants().as_bytes()), seed, start }
}

/// Returns the first difference between a node's own origin and that of the published feed, in words.
#[must_use]
pub fn difference(own: &Origin, published: &Origin) -> Option<String> {
    if own.kind != published.kind {
        return Some(format!("this node has the feed {}, the leader has {}", own.kind, published.kind));
    }
    if own.fingerprint != published.fingerprint {
        return Some(format!(
            "the settings or the files of this node's feed ({}) are not the leader's",
            own.kind
        ));
    }
    let differs = |own: Option<String>, published: Option<String>| own.is_some() && own != published;
    let seed = |origin: &Origin| origin.seed.map(|seed| seed.to_string());
    let start = |origin: &Origin| origin.start.map(|start| start.to_string());
    if differs(seed(own), seed(published)) {
        let text =
            |origin| seed(origin).map_or_else(|| "no seed".to_owned(), |seed| format!("the seed {seed}"));
        return Some(format!("this node has {}, the leader has {}", text(own), text(published)));
    }
    if differs(start(own), start(published)) {
        return Some("this node's simulation starts at another time than the leader's".to_owned());
    }
    None
}

async fn run(mut standby: Standby, mut orders: mpsc::Receiver<Order>, reporter: watch::Sender<Report>) {
    // What the configuration does not give is taken from the published feed.
    let (seed, start) = standby.given();
    let own = Origin { seed, start, ..origin(standby.config()) };
    let mut known: Option<Arc<Origin>> = None;
    let mut differs = false;
    loop {
        let order = select! {
            biased;
            order = orders.recv() => order,
            () = standby.drop_input() => continue,
        };
        match order {
            None => return,
            Some(Order::Lead(Leading { place, bus, pace, state, stop, control })) => {
                // A step that waited may have moved the standby. If there is no way back, the node learns that
                // the feed does not run.
                if let Err(difference) = standby.go_to(place, pace.repeats).await {
                    warn!(%difference, "this node cannot continue the feed");
                    continue;
                }
                let feed = standby.lead(pace, &state);
                // The node may have ended meanwhile.
                let _ = control.send(feed.control().clone());
                reporter.send_replace(Report { follows: None });
                standby = feed::pump(feed, bus, stop).await;
            }
            Some(Order::Follow(step)) => {
                if known.as_ref() != Some(&step.origin) {
                    differs = false;
                    if let Some(difference) = difference(&own, &step.origin) {
                        warn!(difference, "this node serves the feed, but cannot lead");
                        differs = true;
                    } else {
                        standby.set_origin(step.origin.seed, step.origin.start);
                    }
                    known = Some(Arc::clone(&step.origin));
                }
                if differs {
                    continue;
                }
                let followed = standby.follow(step.place, step.pace.repeats, &step.events).await;
                if let Err(difference) = followed {
                    warn!(%difference, "this node serves the feed, but cannot lead");
                    differs = true;
                    reporter.send_replace(Report { follows: None });
                    continue;
                }
                reporter.send_replace(Report { follows: Some((step.origin, standby.place())) });
            }
        }
    }
}
