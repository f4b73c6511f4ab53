//! Admission: limits the number of connections, in total and per address. Also limits how often one address
//! may connect.
//!
//! A connection that exceeds a limit gets an error response and is closed. The number of connections that
//! wait for an error response is also limited. Further connections that exceed a limit are closed without an
//! answer.
//!
//! Behind a trusted proxy, the client's address is the last address in `X-Forwarded-For` that is not a
//! trusted proxy. The server learns this address from the first request on the connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use ipnet::IpNet;

use crate::bus::Bus;
use crate::counters::Limit;
use crate::hub::{Limiter, Moment, TokioClock, limiter};
use crate::session::Limits;

/// The maximum number of rejected connections that wait for an error response at the same time.
const MAX_ANSWERED: usize = 256;

/// The maximum number of 429 responses per second, after an initial burst. Rejected connections beyond this
/// rate are closed without an answer, because an answer may cost a TLS handshake.
const REJECTIONS_PER_SECOND: u32 = 50;
const REJECTIONS_BURST: NonZeroU32 = NonZeroU32::new(256).expect("it is not zero");

/// When this many addresses have a rate limiter, the limiters of idle addresses are removed. The next removal
/// starts when twice as many addresses have a rate limiter as after this removal.
const MIN_PRUNE_AT: usize = 1024;

/// The header in which a proxy passes the client's address.
const FORWARDED: &str = "x-forwarded-for";

type Rates = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, TokioClock, NoOpMiddleware<Moment>>;

/// Counts the connections, and enforces the limits on connections.
#[derive(Debug)]
pub struct Admission {
    bus: Arc<Bus>,
    connections: usize,
    per_address: usize,
    loopback: bool,
    proxies: Vec<IpNet>,
    admitted: AtomicUsize,
    answered: AtomicUsize,
    rejections: Limiter,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    rates: Option<Rates>,
    prune_at: AtomicUsize,
}

/// The permit of a connection. The connection counts against the limits until its permit is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    /// Whether the connection is admitted. A connection that is not admitted only gets an error response.
    is_admitted: bool,
    /// The limit that the connection exceeds, if any.
    exceeded: Option<Limit>,
    /// Whether the limits per address count this connection under its client's address or IPv6 network.
    is_counted: bool,
    /// The trusted proxy that forwards the connection.
    proxy: Option<IpAddr>,
    /// The address of the client. Until the first request on the connection, this may be the address of a
    /// proxy.
    client: IpAddr,
    /// A clone of the `load` in the worker's handle. This clone adds the connection to the load of its
    /// worker.
    worker: Option<Arc<()>>,
}

impl Admission {
    /// Returns an admission that has no connections yet.
    #[must_use]
    pub fn new(limits: &Limits, proxies: Vec<IpNet>, bus: Arc<Bus>) -> Arc<Self> {
        let rate = NonZeroU32::new(limits.new_per_second);
        let quota = rate.map(|rate| Quota::per_second(rate).allow_burst(limits.new_burst));
        Arc::new(Self {
            bus,
            connections: limits.connections,
            per_address: limits.per_address,
            loopback: limits.loopback,
            proxies,
            admitted: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            rejections: limiter(REJECTIONS_PER_SECOND, REJECTIONS_BURST).expect("the rate is not zero"),
            addresses: Mutex::default(),
            rates: quota.map(|quota| Rates::hashmap_with_clock(quota, TokioClock)),
            prune_at: AtomicUsize::new(MIN_PRUNE_AT),
        })
    }

    /// Returns the number of admitted connections.
    #[must_use]
    pub fn admitted(&self) -> usize {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Returns a permit for a connection from `peer`. Returns `None` if the caller must close the connection
    /// without an answer.
    pub fn permit(self: &Arc<Self>, peer: IpAddr) -> Option<Permit> {
        let peer = peer.to_canonical();
        let proxy = self.is_proxy(peer).then_some(peer);
        let mut permit = Permit {
            admission: Arc::clone(self),
            is_admitted: false,
            exceeded: None,
            is_counted: false,
            proxy,
            client: peer,
            worker: None,
        };
        if proxy.is_none() {
            permit.count_address();
        }
        let is_full = self.connections > 0 && self.admitted() >= self.connections;
        if is_full && permit.exceeded.is_none() {
            permit.exceeded = Some(Limit::Connections);
            permit.leave_address();
        }
        permit.is_admitted = permit.exceeded.is_none();
        let before = self.count(permit.is_admitted).fetch_add(1, Ordering::Relaxed);
        let is_answered = match permit.exceeded {
            None => true,
            Some(Limit::Connections) => before < MAX_ANSWERED,
            Some(_) => before < MAX_ANSWERED && self.rejections.check().is_ok(),
        };
        if !is_answered && permit.exceeded == Some(Limit::Connections) {
            self.bus.counters().increment(Limit::Connections);
        }
        is_answered.then_some(permit)
    }

    fn count(&self, is_admitted: bool) -> &AtomicUsize {
        if is_admitted { &self.admitted } else { &self.answered }
    }

    /// Returns the last address in `X-Forwarded-For` that is not a trusted proxy. Returns `None` if the
    /// header has no such address, or if an invalid entry comes after this address.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lists = headers.get_all(FORWARDED).iter().rev();
        let entries = lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(','));
        for entry in entries {
            // A trusted proxy writes only valid addresses. Entries before an invalid entry may be forged.
            let address = parse(entry.trim())?;
            if !self.is_proxy(address) {
                return Some(address);
            }
        }
        None
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }

    /// Counts a new connection from this address. If the connection would exceed a limit, returns an error
    /// that states this limit.
    fn count_address(&self, address: IpAddr) -> Result<(), Limit> {
        if let Some(rates) = &self.rates {
            if rates.check_key(&address).is_err() {
                return Err(Limit::NewPerSecond);
            }
            let len = rates.len();
            if len >= self.prune_at.load(Ordering::Relaxed) {
                rates.retain_recent();
                self.prune_at.store((2 * rates.len()).max(MIN_PRUNE_AT), Ordering::Relaxed);
            }
        }
        let mut addresses = self.addresses();
        let count = addresses.entry(address).or_default();
        if self.per_address > 0 && *count >= self.per_address {
            return Err(Limit::PerAddress);
        }
        *count += 1;
        Ok(())
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses.lock().expect("nothing panics while it holds the addresses")
    }
}

impl Permit {
    /// Returns the limit that the connection exceeds, if any.
    #[must_use]
    pub const fn exceeded(&self) -> Option<Limit> {
        self.exceeded
    }

    /// Returns the address of the client. Until the first request on the connection, this may be the address
    /// of a proxy.
    #[must_use]
    pub const fn client(&self) -> IpAddr {
        self.client
    }

    /// Adds the connection to the load of a worker.
    pub(super) fn count_for_worker(&mut self, load: &Arc<()>) {
        self.worker = Some(Arc::clone(load));
    }

    /// If the connection comes through a trusted proxy, counts the connection under the client's address in
    /// `headers`.
    pub fn forwarded(&mut self, headers: &HeaderMap) {
        if let (Some(proxy), None) = (self.proxy, self.exceeded) {
            let client = self.admission.client(headers).unwrap_or(proxy);
            if network(client) != network(self.client) {
                self.leave_address();
            }
            self.client = client;
            self.count_address();
        }
    }

    /// Counts the connection under its client's address, unless it is already counted there.
    fn count_address(&mut self) {
        let address = network(self.client);
        if self.is_counted || address.is_loopback() && !self.admission.loopback {
            return;
        }
        match self.admission.count_address(address) {
            Ok(()) => self.is_counted = true,
            Err(limit) => {
                self.admission.bus.counters().increment(limit);
                self.exceeded = Some(limit);
            }
        }
    }

    fn leave_address(&mut self) {
        if !std::mem::take(&mut self.is_counted) {
            return;
        }
        let address = network(self.client);
        let mut addresses = self.admission.addresses();
        if let Some(count) = addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&address);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.leave_address();
        self.admission.count(self.is_admitted).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Parses an address in the forms that proxies write: with or without a port and brackets.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

/// Returns the address under which a connection from this address is counted. IPv6 addresses of one /64
/// network count as one address, because the network usually belongs to one client.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bus;
    use crate::market::FeedKind;

    fn admission(limits: &Limits) -> Arc<Admission> {
        let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "test".to_owned());
        Admission::new(limits, vec!["10.0.0.0/8".parse().unwrap()], bus)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Returns the limit that a connection exceeds; `None` if the connection exceeds no limit.
    fn exceeded(permit: Option<&Permit>) -> Option<Limit> {
        permit.expect("it is answered").exceeded()
    }

    #[test]
    fn an_address_at_its_limit_may_connect_again_when_a_connection_has_ended() {
        let admission = admission(&Limits { per_address: 2, ..Limits::default() });
        let mut permits: Vec<_> = (0..2).map(|_| admission.permit(ip("192.0.2.1"))).collect();
        assert!(permits.iter().all(|permit| exceeded(permit.as_ref()).is_none()));

        assert_eq!(exceeded(admission.permit(ip("192.0.2.1")).as_ref()), Some(Limit::PerAddress));
        assert_eq!(exceeded(admission.permit(ip("192.0.2.2")).as_ref()), None);
        permits.pop();
        assert_eq!(exceeded(admission.permit(ip("192.0.2.1")).as_ref()), None);
        assert_eq!(admission.bus.counters().count_of(Limit::PerAddress), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_may_connect_in_a_burst_and_then_at_the_rate() {
        let limits =
            Limits { new_per_second: 2, new_burst: NonZeroU32::new(3).unwrap(), ..Limits::default() };
        let admission = admission(&limits);
        let enter = || exceeded(admission.permit(ip("192.0.2.1")).as_ref());

        assert_eq!([enter(), enter(), enter(), enter()], [None, None, None, Some(Limit::NewPerSecond)]);
        tokio::time::advance(Duration::from_millis(501)).await;
        assert_eq!([enter(), enter()], [None, Some(Limit::NewPerSecond)]);
        assert_eq!(exceeded(admission.permit(ip("192.0.2.2")).as_ref()), None);
    }

    #[test]
    fn loopback_counts_by_address_only_when_configured() {
        let one = Limits { per_address: 1, connections: 3, ..Limits::default() };
        let counting = admission(&Limits { loopback: true, ..one.clone() });
        let not_counting = admission(&one);

        let _first = counting.permit(ip("127.0.0.1"));
        assert_eq!(exceeded(counting.permit(ip("::ffff:127.0.0.1")).as_ref()), Some(Limit::PerAddress));
        let permits: Vec<_> = (0..4).map(|_| not_counting.permit(ip("127.0.0.1"))).collect();
        assert_eq!(
            permits.iter().map(|permit| exceeded(permit.as_ref())).collect::<Vec<_>>(),
            [None, None, None, Some(Limit::Connections)]
        );
        drop(permits);
        assert_eq!(not_counting.admitted(), 0);
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_address() {
        let admission = admission(&Limits { per_address: 1, ..Limits::default() });
        let _permit = admission.permit(ip("2001:db8:1:2::1"));

        assert_eq!(exceeded(admission.permit(ip("2001:db8:1:2:ffff::9")).as_ref()), Some(Limit::PerAddress));
        assert_eq!(exceeded(admission.permit(ip("2001:db8:1:3::1")).as_ref()), None);
    }

    #[test]
    fn behind_a_proxy_the_last_address_that_is_not_a_proxys_counts() {
        let admission = admission(&Limits { per_address: 1, ..Limits::default() });
        let through = |forwarded: &str| {
            let mut permit = admission.permit(ip("10.0.0.1")).unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED, forwarded.parse().unwrap());
            permit.forwarded(&headers);
            permit
        };

        let permits = [
            through("192.0.2.1"),
            through("192.0.2.1, 192.0.2.2"),
            through("192.0.2.1, 192.0.2.3:4711, 10.9.9.9"),
            through("[2001:db8::1]:443"),
        ];
        let addresses = permits.each_ref().map(|permit| network(permit.client()));
        assert!(permits.iter().all(|permit| permit.is_counted));
        assert_eq!(addresses, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::"].map(ip));
        assert_eq!(through("203.0.113.7, 192.0.2.2").exceeded(), Some(Limit::PerAddress));
        assert_eq!(through("192.0.2.1, made up").client(), ip("10.0.0.1"));
    }

    #[test]
    fn the_forwarded_header_of_a_client_that_is_not_a_proxy_is_ignored() {
        let admission = admission(&Limits::default());
        let mut permit = admission.permit(ip("192.0.2.1")).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED, "203.0.113.7".parse().unwrap());

        permit.forwarded(&headers);

        assert_eq!(permit.client(), ip("192.0.2.1"));
    }

    #[test]
    fn only_a_limited_number_of_connections_over_the_limit_are_answered() {
        let admission = admission(&Limits { connections: 1, new_per_second: 0, ..Limits::default() });
        let _only = admission.permit(ip("192.0.2.1"));

        let answered: Vec<_> = (0..=MAX_ANSWERED).map(|_| admission.permit(ip("192.0.2.1"))).collect();

        assert!(
            answered[..MAX_ANSWERED]
                .iter()
                .all(|permit| exceeded(permit.as_ref()) == Some(Limit::Connections))
        );
        assert!(answered[MAX_ANSWERED].is_none());
    }
}
