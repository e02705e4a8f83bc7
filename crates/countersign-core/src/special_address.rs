//! Which addresses a host on the internet can have, and which lead to this machine, its neighbors or nowhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The [IANA IPv4 special-purpose registry](https://www.iana.org/assignments/iana-ipv4-special-registry), and multicast.
const SPECIAL_V4: [Ipv4Net; 17] = [
    v4([0, 0, 0, 0], 8),       // "this network"; the machine itself on many systems
    v4([10, 0, 0, 0], 8),      // private use
    v4([100, 64, 0, 0], 10),   // shared by customers of a carrier
    v4([127, 0, 0, 0], 8),     // loopback
    v4([169, 254, 0, 0], 16),  // link-local: metadata services of clouds
    v4([172, 16, 0, 0], 12),   // private use
    v4([192, 0, 0, 0], 24),    // protocol assignments
    v4([192, 0, 2, 0], 24),    // documentation
    v4([192, 31, 196, 0], 24), // AS112
    v4([192, 52, 193, 0], 24), // AMT
    v4([192, 88, 99, 0], 24),  // relays of 6to4
    v4([192, 168, 0, 0], 16),  // private use
    v4([192, 175, 48, 0], 24), // AS112
    v4([198, 18, 0, 0], 15),   // benchmarks
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
    v4([224, 0, 0, 0], 3),     // multicast, reserved, broadcast
];

/// All global unicast addresses that are assigned. Whatever is outside is local, multicast, of some protocol or reserved.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// What the [IANA IPv6 special-purpose registry](https://www.iana.org/assignments/iana-ipv6-special-registry) has within.
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6([0x2001, 0, 0], 23),         // protocol assignments: Teredo, benchmarks, ORCHID
    v6([0x2001, 0xdb8, 0], 32),     // documentation
    SIX_TO_FOUR,                    // 6to4
    v6([0x2620, 0x4f, 0x8000], 48), // AS112
    v6([0x3fff, 0, 0], 20),         // documentation
];

/// NAT64: where a network has IPv6 only, every IPv4 host is reached by such an address, so they can't be refused as such.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0], 96);
const LOCAL_NAT64: Ipv6Net = v6([0x64, 0xff9b, 1], 48);
const IPV4_COMPATIBLE: Ipv6Net = v6([0, 0, 0], 96);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0], 16);
const TEREDO: Ipv6Net = v6([0x2001, 0, 0], 32);

/// Whether an address is special: private, shared, loopback, link-local, multicast, for documentation, for a protocol, or
/// reserved. An IPv4 address within an IPv6 one counts too: the whole is special if either is.
pub fn is_special_address(address: IpAddr) -> bool {
    forms(address).any(is_special_form)
}

/// The addresses that may be dialed for a host that somebody else named.
#[derive(Clone, Debug, Default)]
pub struct DialableAddresses {
    allow_networks: Vec<IpNet>,
}

impl DialableAddresses {
    /// All that are not special, and of the special ones those in `allow_networks`.
    pub fn new(allow_networks: Vec<IpNet>) -> Self {
        Self { allow_networks }
    }

    /// Whether the address may be dialed. One that holds an IPv4 address needs that one to be allowed too.
    pub fn allow(&self, address: IpAddr) -> bool {
        let is_listed = |form: IpAddr| self.allow_networks.iter().any(|network| network.contains(&form));
        forms(address).all(|form| !is_special_form(form) || is_listed(form))
    }
}

fn is_special_form(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            !(GLOBAL_V6.contains(&address) || NAT64.contains(&address))
                || SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// The address, and the IPv4 addresses in it that a packet may end at. A mapped address is that IPv4 address and no other:
/// the system dials it so.
fn forms(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let address = address.to_canonical();
    let embedded = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(address) => embedded(address),
    };
    std::iter::once(address).chain(embedded.into_iter().flatten().map(IpAddr::V4))
}

fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let octets = address.octets();
    let at =
        |start: usize| Ipv4Addr::new(octets[start], octets[start + 1], octets[start + 2], octets[start + 3]);
    let is_own_form = address.is_unspecified() || address.is_loopback();
    if SIX_TO_FOUR.contains(&address) {
        [Some(at(2)), None]
    } else if TEREDO.contains(&address) {
        // The server, and the client with all bits turned round.
        [Some(at(4)), Some(Ipv4Addr::from_bits(!at(12).to_bits()))]
    } else if NAT64.contains(&address)
        || LOCAL_NAT64.contains(&address)
        || (IPV4_COMPATIBLE.contains(&address) && !is_own_form)
    {
        [Some(at(12)), None]
    } else {
        [None, None]
    }
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests;
