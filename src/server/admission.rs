//! Who may connect: how many in all, how many from one address, and how many new ones a second.
//!
//! A connection that may not is answered and closed; so that those who are answered keep nobody out, they have
//! permits of their own, and when these are taken it is closed unanswered. Behind a trusted proxy the
//! address is the last one of `X-Forwarded-For` that is no trusted proxy's, and is known with the first request.

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

/// So many connections that may not be here are answered at a time.
const ANSWERED: usize = 256;

/// At most this many 429 responses a second, after a first burst. Further connections are closed without an answer, because
/// one may cost a TLS handshake.
const REFUSALS: u32 = 50;
const REFUSALS_AT_ONCE: NonZeroU32 = NonZeroU32::new(256).expect("it is not zero");

/// The addresses that have come lately are sorted out when they are so many, and whenever they have doubled since.
const SORTED_OUT: usize = 1024;

/// The header in which a proxy says whom it speaks for.
const FORWARDED: &str = "x-forwarded-for";

type Rates = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, TokioClock, NoOpMiddleware<Moment>>;

/// Who is here, and who may come.
#[derive(Debug)]
pub struct Admission {
    bus: Arc<Bus>,
    connections: usize,
    per_address: usize,
    loopback: bool,
    proxies: Vec<IpNet>,
    here: AtomicUsize,
    refused: AtomicUsize,
    refusals: Limiter,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    rates: Option<Rates>,
    sort_out_at: AtomicUsize,
}

/// A connection's permit under the limits. Dropped, it is free again.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    /// Whether the connection is admitted; otherwise it is only answered that it is not.
    is_here: bool,
    /// Which limit it is over, where it may not be here.
    over: Option<Limit>,
    /// The address that it counts for, where it counts for one.
    address: Option<IpAddr>,
    /// The proxy that it comes through.
    proxy: Option<IpAddr>,
    /// Counts for the worker that serves it.
    worker: Option<Arc<()>>,
}

impl Admission {
    /// Nobody is here yet.
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
            here: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            refusals: limiter(REFUSALS, REFUSALS_AT_ONCE).expect("the rate is not zero"),
            addresses: Mutex::default(),
            rates: quota.map(|quota| Rates::hashmap_with_clock(quota, TokioClock)),
            sort_out_at: AtomicUsize::new(SORTED_OUT),
        })
    }

    /// How many connections are here.
    #[must_use]
    pub fn here(&self) -> usize {
        self.here.load(Ordering::Relaxed)
    }

    /// A permit for a connection from this address; `None` where it is not even to be answered.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Permit> {
        let peer = peer.to_canonical();
        let proxy = self.is_proxy(peer).then_some(peer);
        let mut permit = Permit {
            admission: Arc::clone(self),
            is_here: false,
            over: None,
            address: None,
            proxy,
            worker: None,
        };
        if proxy.is_none() {
            permit.count_for(peer);
        }
        let is_full = self.connections > 0 && self.here() >= self.connections;
        if is_full && permit.over.is_none() {
            permit.over = Some(Limit::Connections);
            permit.leave_address();
        }
        permit.is_here = permit.over.is_none();
        let before = self.count(permit.is_here).fetch_add(1, Ordering::Relaxed);
        let is_answered = match permit.over {
            None => true,
            Some(Limit::Connections) => before < ANSWERED,
            Some(_) => before < ANSWERED && self.refusals.check().is_ok(),
        };
        if !is_answered && permit.over == Some(Limit::Connections) {
            self.bus.counters().increment(Limit::Connections);
        }
        is_answered.then_some(permit)
    }

    fn count(&self, is_here: bool) -> &AtomicUsize {
        if is_here { &self.here } else { &self.refused }
    }

    /// The last address that proxies forward for and that is none of theirs; `None` where they name none.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lists = headers.get_all(FORWARDED).iter().rev();
        let entries = lists.flat_map(|list| list.to_str().unwrap_or_default().rsplit(','));
        for entry in entries {
            // What cannot be read was not written by a proxy that we trust: whoever comes before it may be made up.
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

    /// Whether the address may have one connection more, which is counted.
    fn admit(&self, address: IpAddr) -> Result<(), Limit> {
        if let Some(rates) = &self.rates {
            if rates.check_key(&address).is_err() {
                return Err(Limit::NewPerSecond);
            }
            let len = rates.len();
            if len >= self.sort_out_at.load(Ordering::Relaxed) {
                rates.retain_recent();
                self.sort_out_at.store((2 * rates.len()).max(SORTED_OUT), Ordering::Relaxed);
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
    /// Which limit the connection is over, where it may not be here.
    #[must_use]
    pub const fn over(&self) -> Option<Limit> {
        self.over
    }

    /// Has it count for a worker as well, whose load is the number of these.
    pub(super) fn count_for_worker(&mut self, load: &Arc<()>) {
        self.worker = Some(Arc::clone(load));
    }

    /// Takes in what a proxy says of a request: whose it is.
    pub fn forwarded(&mut self, headers: &HeaderMap) {
        if let (Some(proxy), None) = (self.proxy, self.over) {
            let address = self.admission.client(headers).unwrap_or(proxy);
            self.count_for(address);
        }
    }

    /// Counts the connection for an address, and no longer for another.
    fn count_for(&mut self, address: IpAddr) {
        let address = network(address);
        if self.address == Some(address) || address.is_loopback() && !self.admission.loopback {
            return;
        }
        self.leave_address();
        match self.admission.admit(address) {
            Ok(()) => self.address = Some(address),
            Err(limit) => {
                self.admission.bus.counters().increment(limit);
                self.over = Some(limit);
            }
        }
    }

    fn leave_address(&mut self) {
        let Some(address) = self.address.take() else { return };
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
        self.admission.count(self.is_here).fetch_sub(1, Ordering::Relaxed);
    }
}

/// An address as proxies write it: with a port or without, in brackets or not.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

/// What counts as one address: of IPv6 a network of 64 bits, which is what one client has.
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

    /// What becomes of a connection: `None` where it may stay.
    fn over(permit: Option<&Permit>) -> Option<Limit> {
        permit.expect("it is answered").over()
    }

    #[test]
    fn an_address_has_as_many_connections_as_it_may_and_one_more_when_one_is_gone() {
        let admission = admission(&Limits { per_address: 2, ..Limits::default() });
        let mut permits: Vec<_> = (0..2).map(|_| admission.enter(ip("192.0.2.1"))).collect();
        assert!(permits.iter().all(|permit| over(permit.as_ref()).is_none()));

        assert_eq!(over(admission.enter(ip("192.0.2.1")).as_ref()), Some(Limit::PerAddress));
        assert_eq!(over(admission.enter(ip("192.0.2.2")).as_ref()), None);
        permits.pop();
        assert_eq!(over(admission.enter(ip("192.0.2.1")).as_ref()), None);
        assert_eq!(admission.bus.counters().count_of(Limit::PerAddress), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_begins_so_many_connections_at_once_and_then_so_many_a_second() {
        let limits =
            Limits { new_per_second: 2, new_burst: NonZeroU32::new(3).unwrap(), ..Limits::default() };
        let admission = admission(&limits);
        let enter = || over(admission.enter(ip("192.0.2.1")).as_ref());

        assert_eq!([enter(), enter(), enter(), enter()], [None, None, None, Some(Limit::NewPerSecond)]);
        tokio::time::advance(Duration::from_millis(501)).await;
        assert_eq!([enter(), enter()], [None, Some(Limit::NewPerSecond)]);
        assert_eq!(over(admission.enter(ip("192.0.2.2")).as_ref()), None);
    }

    #[test]
    fn loopback_counts_where_it_is_said_and_else_only_in_all() {
        let one = Limits { per_address: 1, connections: 3, ..Limits::default() };
        let counting = admission(&Limits { loopback: true, ..one.clone() });
        let not_counting = admission(&one);

        let _first = counting.enter(ip("127.0.0.1"));
        assert_eq!(over(counting.enter(ip("::ffff:127.0.0.1")).as_ref()), Some(Limit::PerAddress));
        let permits: Vec<_> = (0..4).map(|_| not_counting.enter(ip("127.0.0.1"))).collect();
        assert_eq!(
            permits.iter().map(|permit| over(permit.as_ref())).collect::<Vec<_>>(),
            [None, None, None, Some(Limit::Connections)]
        );
        drop(permits);
        assert_eq!(not_counting.here(), 0);
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_address() {
        let admission = admission(&Limits { per_address: 1, ..Limits::default() });
        let _place = admission.enter(ip("2001:db8:1:2::1"));

        assert_eq!(over(admission.enter(ip("2001:db8:1:2:ffff::9")).as_ref()), Some(Limit::PerAddress));
        assert_eq!(over(admission.enter(ip("2001:db8:1:3::1")).as_ref()), None);
    }

    #[test]
    fn behind_a_proxy_the_address_is_the_last_that_is_no_proxys() {
        let admission = admission(&Limits { per_address: 1, ..Limits::default() });
        let through = |forwarded: &str| {
            let mut permit = admission.enter(ip("10.0.0.1")).unwrap();
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
        let addresses = permits.each_ref().map(|permit| permit.address.unwrap());
        assert_eq!(addresses, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::"].map(ip));
        assert_eq!(through("203.0.113.7, 192.0.2.2").over(), Some(Limit::PerAddress));
        assert_eq!(through("192.0.2.1, made up").address, Some(ip("10.0.0.1")));
    }

    #[test]
    fn an_address_that_is_no_proxys_speaks_for_itself() {
        let admission = admission(&Limits::default());
        let mut permit = admission.enter(ip("192.0.2.1")).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED, "203.0.113.7".parse().unwrap());

        permit.forwarded(&headers);

        assert_eq!(permit.address, Some(ip("192.0.2.1")));
    }

    #[test]
    fn those_who_may_not_be_here_are_answered_but_not_in_any_number() {
        let admission = admission(&Limits { connections: 1, new_per_second: 0, ..Limits::default() });
        let _only = admission.enter(ip("192.0.2.1"));

        let answered: Vec<_> = (0..=ANSWERED).map(|_| admission.enter(ip("192.0.2.1"))).collect();

        assert!(answered[..ANSWERED].iter().all(|permit| over(permit.as_ref()) == Some(Limit::Connections)));
        assert!(answered[ANSWERED].is_none());
    }
}
