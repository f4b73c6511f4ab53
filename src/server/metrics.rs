//! The page `/metrics`: the server's metrics in the text format of Prometheus (`OpenMetrics` 1.0).

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::admission::Admission;
use crate::bars::{Bars, Evicted};
use crate::bus::Bus;
use crate::cluster::View;
use crate::feed::RejectCounters;
use crate::hub::Relay;

/// The content type of the response to a request for `/metrics`.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of the server.
#[derive(Debug)]
pub struct Metrics(Registry);

impl Metrics {
    /// Creates the metrics of all parts of the server.
    #[must_use]
    pub fn new(
        bus: Arc<Bus>,
        bars: Arc<Bars>,
        relay: Arc<Relay>,
        admission: Arc<Admission>,
        cluster: Option<watch::Receiver<View>>,
        reject_counters: &RejectCounters,
    ) -> Self {
        let mut registry = Registry::with_prefix("tickerplant");
        bus.counters().register(&mut registry);
        reject_counters.register(&mut registry);
        registry.register_collector(Box::new(CurrentValues { bus, bars, relay, admission, cluster }));
        Self(registry)
    }

    /// Returns the metrics in the text format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0).expect("writing to a string never fails");
        text
    }
}

/// The metrics whose values the server reads anew at each request to `/metrics`.
#[derive(Debug)]
struct CurrentValues {
    bus: Arc<Bus>,
    bars: Arc<Bars>,
    relay: Arc<Relay>,
    admission: Arc<Admission>,
    cluster: Option<watch::Receiver<View>>,
}

impl Collector for CurrentValues {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut write = |name, help, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let gauge = |value: usize| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        write("events", "Events published", &ConstCounter::new(self.bus.head()))?;
        write(
            "connections",
            "Connections, those that ask for a page included",
            &gauge(self.admission.admitted()),
        )?;
        write("peers", "Clients of WebSockets and streams", &gauge(self.relay.peers() as usize))?;
        let bars = self.bars.figures();
        write("bars_bytes", "Memory of the bars, in bytes", &gauge(bars.bytes))?;
        let help = "How often the history has passed the reader of the bars";
        write("bars_lags", help, &ConstCounter::new(bars.lags))?;
        let help = "Events that are missing in the bars, because the history passed the reader of the bars";
        write("bars_missed", help, &ConstCounter::new(bars.missed))?;
        let help = "Bars that were evicted, by the limit of [bars]";
        let mut family = encoder.encode_descriptor("bars_evicted", help, None, MetricType::Counter)?;
        let Evicted { seconds, minutes, bytes } = bars.evicted;
        for (limit, count) in [("seconds", seconds), ("minutes", minutes), ("bytes", bytes)] {
            ConstCounter::new(count).encode(family.encode_family(&[("limit", limit)])?)?;
        }
        let Some(cluster) = &self.cluster else { return Ok(()) };
        let view = cluster.borrow().clone();
        let mut write = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let is_leader = view.leader.as_ref() == Some(&view.node);
        write("cluster_leading", "Whether this node leads", &gauge(is_leader.into()))?;
        write("cluster_term", "The term of the leader", &ConstGauge::new(view.term))?;
        let help = "How long ago the newest entry of the log was read, in seconds";
        write("cluster_silence_seconds", help, &ConstGauge::new(view.lag().as_secs_f64()))?;
        write("cluster_takeovers", "Terms that have begun", &ConstCounter::new(view.takeovers))?;
        write("cluster_appends", "Entries that this node has appended", &ConstCounter::new(view.appends))?;
        let help = "Time from sending an entry until the log has acknowledged it, in all";
        write("cluster_append_seconds", help, &ConstCounter::new(view.append_time.as_secs_f64()))?;
        let help = "Entries of the log that were skipped, because they do not follow from the one before";
        write("cluster_skipped", help, &ConstCounter::new(view.skipped))?;
        Ok(())
    }
}
