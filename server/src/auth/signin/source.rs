//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::app::App;
use crate::problem::Problem;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The network that a request comes from: an IPv4 address, or the first 64 bits of an IPv6 address,
/// which is what one customer gets. `Debug` shows none: log lines hold no addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Source(IpAddr);

impl Source {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.into()),
            IpAddr::V6(v6) => {
                let bits = v6.to_bits() >> 64 << 64;
                Self(Ipv6Addr::from_bits(bits).into())
            }
        }
    }

    /// As it is counted.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source(…)")
    }
}

/// The nearest address that is none of our proxies. A proxy adds the address that it was called from
/// at the end of the list; what stands before is the caller's own word.
fn caller(peer: IpAddr, forwarded: &[&str], proxies: &[IpAddr]) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.contains(&address.to_canonical());
    let mut nearest = peer;
    for hop in forwarded.iter().flat_map(|line| line.split(',')).rev() {
        if !is_proxy(&nearest) {
            break;
        }
        let Ok(address) = hop.trim().parse() else { break };
        nearest = address;
    }
    nearest
}

impl crate::describe::Input for Source {}

impl FromRequestParts<App> for Source {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        // A request without a connection comes from within this process.
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
        let lines = parts.headers.get_all(FORWARDED_FOR).iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        Ok(Self::of(caller(peer, &lines, &app.config.sign_in.trusted_proxies)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_caller_cannot_choose_where_it_comes_from() {
        let proxies = [ip("127.0.0.1"), ip("10.0.0.1")];
        let seen = |peer: &str, lines: &[&str]| caller(ip(peer), lines, &proxies).to_string();
        assert_eq!(seen("203.0.113.9", &["1.2.3.4"]), "203.0.113.9", "no proxy of ours");
        assert_eq!(seen("127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["1.2.3.4, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &["1.2.3.4", "203.0.113.9, 10.0.0.1"]), "203.0.113.9");
        assert_eq!(seen("::ffff:127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &["nonsense"]), "127.0.0.1");
    }

    #[test]
    fn one_customers_ipv6_addresses_count_as_one() {
        assert_eq!(Source::of(ip("2001:db8:1:2::1")), Source::of(ip("2001:db8:1:2:ffff::9")));
        assert_ne!(Source::of(ip("2001:db8:1:2::1")), Source::of(ip("2001:db8:1:3::1")));
        assert_eq!(Source::of(ip("::ffff:1.2.3.4")), Source::of(ip("1.2.3.4")));
        assert_ne!(Source::of(ip("1.2.3.4")), Source::of(ip("1.2.3.5")));
    }
}
