//! Binds listening sockets to the addresses in `server.listen`.
//!
//! A host name can have several addresses, and the server listens on each of these addresses. `localhost`
//! always stands for both loopback addresses, because browsers do not resolve this name through the system
//! (RFC 6761). If this machine lacks IPv4 or IPv6, the server skips the addresses of this family.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, lookup_host};
use tracing::debug;

use super::host::{Host, Hosts};

/// The maximum number of attempts to find a port that is free on all addresses.
const PORT_ATTEMPTS: usize = 16;

const LOCALHOST: &str = "localhost";

/// The error when the server cannot bind an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// The address that cannot be bound, or the configured text if this text does not resolve to an address.
    pub address: String,
    /// The system's error.
    pub source: io::Error,
}

/// Binds one listening socket to each address that `listen` (e.g. `localhost:8000`) resolves to. With port 0,
/// the system picks one free port for all addresses.
///
/// # Errors
///
/// - Returns an error if `listen` does not resolve to an address.
/// - Returns an error if an address is in use, or does not belong to this machine.
/// - Returns an error if this machine lacks the family (IPv4 or IPv6) of every address.
pub async fn bind(listen: &str) -> Result<Vec<TcpListener>, ListenError> {
    let addresses = resolve(listen).await?;
    let mut attempts = 1;
    loop {
        match bind_all(&addresses).await {
            // The port that the system picked for the first address is in use on another address.
            Err(error) if is_taken(&error) && addresses[0].port() == 0 && attempts < PORT_ATTEMPTS => {
                attempts += 1;
            }
            bound => return bound,
        }
    }
}

/// Returns a URL of the server that a browser on this machine can open. `listen` is the text of the setting
/// `server.listen`. `address` is the first address that the server has bound.
///
/// The candidates for the host of the URL are, in this order: the name in `listen`, the address, and the
/// allowed hosts. Among the allowed hosts, a loopback host comes first if the address is reached through
/// loopback. The first candidate that the Host rule accepts becomes the host.
#[must_use]
pub fn browser_url(listen: &str, address: SocketAddr, hosts: &Hosts, has_tls: bool) -> String {
    let scheme = if has_tls { "https" } else { "http" };
    let port = address.port();
    let name = listen.rsplit_once(':').and_then(|(name, _)| name.parse().ok());
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let (near, far): (Vec<Host>, Vec<Host>) =
        hosts.allowed.iter().cloned().partition(|host| host.is_loopback() == ip.is_loopback());
    let name = name.filter(|name| matches!(name, Host::Name(_)));
    let mut candidates = name.into_iter().chain([Host::Address(ip)]).chain(near).chain(far);
    let host = candidates.find(|host| hosts.admits(host)).unwrap_or(Host::Address(ip));
    format!("{scheme}://{host}:{port}")
}

/// Resolves the text of the setting `server.listen` to addresses. Returns each address once, with IPv4
/// addresses first.
async fn resolve(listen: &str) -> Result<Vec<SocketAddr>, ListenError> {
    let failed = |source| ListenError { address: listen.to_owned(), source };
    let localhost = listen.rsplit_once(':').filter(|(host, _)| host.eq_ignore_ascii_case(LOCALHOST));
    if let Some(port) = localhost.and_then(|(_, port)| port.parse().ok()) {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    let mut addresses: Vec<_> = lookup_host(listen).await.map_err(failed)?.collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(addresses)
}

/// Binds one listening socket to each address; all sockets get the same port. Skips addresses of a family
/// that this machine lacks.
async fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    let mut port = addresses[0].port();
    let mut skipped = None;
    for address in addresses {
        let address = SocketAddr::new(address.ip(), port);
        let bound = TcpListener::bind(address).await.and_then(|listener| {
            port = listener.local_addr()?.port();
            Ok(listener)
        });
        match bound.map_err(|source| ListenError { address: address.to_string(), source }) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_taken(&error) || has_family_of(address).await => return Err(error),
            Err(error) => {
                debug!(%address, error = %error.source, "this machine lacks the family of an address");
                skipped = Some(error);
            }
        }
    }
    match skipped {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn is_taken(error: &ListenError) -> bool {
    error.source.kind() == io::ErrorKind::AddrInUse
}

/// Returns whether this machine supports the family (IPv4 or IPv6) of an address.
async fn has_family_of(address: SocketAddr) -> bool {
    let loopback: IpAddr =
        if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    TcpListener::bind((loopback, 0)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the Host rule of a server that has bound this address, with these allowed hosts.
    fn hosts(address: SocketAddr, allowed: &[&str]) -> Hosts {
        let allowed = allowed.iter().map(|host| host.parse().unwrap()).collect();
        Hosts { allowed, loopback: address.ip().is_loopback() }
    }

    #[test]
    fn the_url_has_a_host_that_a_browser_on_this_machine_reaches() {
        for (listen, address, url) in [
            ("127.0.0.1:0", "127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("0.0.0.0:8000", "0.0.0.0:8000", "http://127.0.0.1:8000"),
            ("[::]:8000", "[::]:8000", "http://[::1]:8000"),
            ("[::1]:0", "[::1]:8000", "http://[::1]:8000"),
            ("192.0.2.7:8000", "192.0.2.7:8000", "http://192.0.2.7:8000"),
            ("localhost:0", "127.0.0.1:8000", "http://localhost:8000"),
            ("ticks.example:8000", "192.0.2.7:8000", "http://ticks.example:8000"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(browser_url(listen, address, &hosts(address, &[]), false), url);
        }
        let address = "127.0.0.1:8443".parse().unwrap();
        let hosts = hosts(address, &[]);
        assert_eq!(browser_url("127.0.0.1:8443", address, &hosts, true), "https://127.0.0.1:8443");
    }

    #[test]
    fn the_url_has_a_host_that_the_server_accepts() {
        for (listen, address, allowed, host) in [
            ("vm:8000", "127.0.0.1:8000", &[][..], "127.0.0.1"),
            ("vm:8000", "127.0.0.1:8000", &["ticks.example"], "127.0.0.1"),
            ("vm:8000", "127.0.0.1:8000", &["vm"], "vm"),
            ("0.0.0.0:8000", "0.0.0.0:8000", &["ticks.example"], "ticks.example"),
            ("0.0.0.0:8000", "0.0.0.0:8000", &["ticks.example", "localhost"], "localhost"),
            ("[::]:8000", "[::]:8000", &["ticks.example", "[::1]"], "[::1]"),
            ("192.0.2.7:8000", "192.0.2.7:8000", &["localhost", "ticks.example"], "ticks.example"),
            ("vm:8000", "192.0.2.7:8000", &["192.0.2.7"], "192.0.2.7"),
        ] {
            let address = address.parse().unwrap();
            let hosts = hosts(address, allowed);

            let url = browser_url(listen, address, &hosts, false);

            assert_eq!(url, format!("http://{host}:8000"), "{listen} {allowed:?}");
            assert!(hosts.admits(&host.parse().unwrap()));
        }
    }

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses_on_one_port() {
        let listeners = bind("localhost:0").await.unwrap();

        let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
        assert!(addresses.iter().all(|address| address.port() == addresses[0].port()), "{addresses:?}");
        let has_ipv6 = has_family_of((Ipv6Addr::LOCALHOST, 0).into()).await;
        assert_eq!(addresses.len(), if has_ipv6 { 2 } else { 1 });
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_an_error_that_names_it() {
        let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            eprintln!("skipped, this machine has no IPv6: an address that is taken");
            return;
        };
        let address = taken.local_addr().unwrap();

        let error = bind(&format!("LocalHost:{}", address.port())).await.unwrap_err();

        // The error may name 127.0.0.1, because another program may use the port on this address.
        let address = [address.to_string(), format!("127.0.0.1:{}", address.port())];
        assert!(address.contains(&error.address), "{error}");
        assert!(is_taken(&error));
    }

    #[tokio::test]
    async fn an_address_of_another_machine_and_a_text_without_a_port_are_errors() {
        for listen in ["192.0.2.7:0", "localhost", "localhost:http", ""] {
            let error = bind(listen).await.unwrap_err();
            assert_eq!(error.address, listen, "{error}");
        }
    }
}
