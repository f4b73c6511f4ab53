//! The networks in `server.trusted_proxies`. In this list, a single address counts as a network.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serializer, de};

use super::host::{Host, HostPort};

/// Serializes a list of networks.
pub fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(networks)
}

/// Deserializes a list of networks.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| parse(text).map_err(de::Error::custom)).collect()
}

/// Parses a network.
///
/// # Errors
///
/// - Returns an error if the text is not a network.
/// - Returns an error if the address has bits outside the mask.
/// - Returns an error if the network contains IPv4 addresses in IPv6 form. Such a network never matches a
///   client, because the server converts client addresses of this form to IPv4.
fn parse(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        let advice = bare(text).map_or_else(String::new, |network| format!("; write `{network}`"));
        format!("`{text}` is neither an address nor a network such as 10.0.0.0/8{advice}")
    })?;
    if network.addr() != network.network() {
        let (whole, address) = (network.trunc(), network.addr());
        return Err(format!(
            "`{text}` has bits outside its mask; write `{whole}` for the network, or `{address}` for one address"
        ));
    }
    match as_ipv4(network) {
        Some(short) => Err(format!("`{text}` is in IPv6 form and never matches; write `{short}`")),
        None => Ok(network),
    }
}

/// Removes brackets, a port and final slashes from a text. Returns the rest if the rest is an address or a
/// network.
fn bare(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    if let Some(HostPort { host: Host::Address(address), .. }) = HostPort::parse(text) {
        return Some(address.to_string());
    }
    let network: IpNet = text.replace(['[', ']'], "").parse().ok()?;
    Some(network.to_string())
}

/// Converts a network of IPv4 addresses in IPv6 form (`::ffff:10.0.0.0`) to IPv4. Returns `None` for any
/// other network.
fn as_ipv4(network: IpNet) -> Option<Ipv4Net> {
    const PREFIX_BITS: u8 = 96;
    let IpNet::V6(network) = network else { return None };
    let address = Ipv6Addr::to_ipv4_mapped(&network.addr())?;
    Ipv4Net::new(address, network.prefix_len().checked_sub(PREFIX_BITS)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_with_or_without_a_mask() {
        for (text, network) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::/8", "fd00::/8"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(parse(text).map(|network| network.to_string()), Ok(network.to_owned()));
        }
    }

    #[test]
    fn a_network_that_is_not_one_or_never_matches_is_an_error_with_the_right_form() {
        for (text, part) in [
            (
                "10.1.2.3/8",
                "bits outside its mask; write `10.0.0.0/8` for the network, or `10.1.2.3` for one address",
            ),
            ("fd00::1/8", "write `fd00::/8` for the network, or `fd00::1` for one address"),
            ("::ffff:10.0.0.1", "is in IPv6 form and never matches; write `10.0.0.1/32`"),
            ("::ffff:10.0.0.0/104", "write `10.0.0.0/8`"),
            ("10.0.0.0/33", "is neither an address nor a network"),
            ("10.0.0.1:80", "is neither an address nor a network such as 10.0.0.0/8; write `10.0.0.1`"),
            ("10.0.0.1/", "; write `10.0.0.1`"),
            ("[::1]", "; write `::1`"),
            ("[::1]:80", "; write `::1`"),
            ("[fd00::]/8", "; write `fd00::/8`"),
            ("proxy.example", "is neither an address nor a network"),
            ("*", "is neither an address nor a network"),
            ("", "is neither an address nor a network"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` ")) && error.contains(part), "{error}");
        }
    }
}
