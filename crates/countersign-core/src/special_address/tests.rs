//! Every special range by its first and last address, and the neighbors outside.

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// First and last address of each range of the registries, as they are written there, and what is outside of it on either
/// side, unless that is special too.
#[test]
fn every_special_range_is_special_up_to_its_edges_and_not_beyond() {
    for (below, first, last, above) in [
        ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
        ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
        ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
        ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
        ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
        ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
        ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
        ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
        ("192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0"),
        ("192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0"),
        ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
        ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
        ("192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0"),
        ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
        ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
        ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
        ("223.255.255.255", "224.0.0.0", "239.255.255.255", ""),
        ("", "240.0.0.0", "255.255.255.255", ""),
        ("", "::", "::", ""),
        ("", "::1", "::1", ""),
        ("", "::2", "::fffe:ffff:ffff", ""),
        ("", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "64:ff9b::1:0:0", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "100::", "100::ffff:ffff:ffff:ffff", ""),
        ("", "100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", ""),
        ("", "1fff::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"),
        (
            "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001::",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:200::",
        ),
        (
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
        ),
        (
            "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2002::",
            "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2003::",
        ),
        (
            "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
            "2620:4f:8000::",
            "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
            "2620:4f:8001::",
        ),
        (
            "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff::",
            "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff:1000::",
        ),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "4000::", ""),
        ("", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
        ("", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""),
    ] {
        for special in [first, last] {
            assert!(is_special_address(ip(special)), "{special}");
        }
        for ordinary in [below, above].into_iter().filter(|text| !text.is_empty()) {
            assert!(!is_special_address(ip(ordinary)), "{ordinary}");
        }
    }
}

#[test]
fn hosts_on_the_internet_are_not_special() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "192.0.1.1",
        "2606:4700::1111",
        "2a00:1450:4001:830::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ] {
        assert!(!is_special_address(ip(address)), "{address}");
    }
}

#[test]
fn an_ipv4_address_within_is_seen() {
    for address in [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::8.8.8.8",
        "2001:0:7f00:1::",
        "2001:0:808:808::80ff:fffe",
    ] {
        assert!(is_special_address(ip(address)), "{address}");
    }
}

#[test]
fn an_allowed_network_opens_nothing_but_itself() {
    let allow = |networks: &[&str]| {
        DialableAddresses::new(networks.iter().map(|network| network.parse().unwrap()).collect())
    };
    for (networks, address, is_allowed) in [
        (&[][..], "8.8.8.8", true),
        (&[], "127.0.0.1", false),
        (&["127.0.0.0/8"], "127.0.0.1", true),
        (&["127.0.0.0/8"], "::ffff:127.0.0.1", true),
        (&["127.0.0.0/8"], "::1", false),
        (&["127.0.0.0/8"], "10.0.0.1", false),
        (&["127.0.0.0/8"], "8.8.8.8", true),
        (&["::1/128"], "::1", true),
        (&["::1/128"], "127.0.0.1", false),
        (&["::/0"], "::1", true),
        (&["::/0"], "::ffff:127.0.0.1", false),
        (&["::/0"], "::127.0.0.1", false),
        (&["::/0"], "64:ff9b::127.0.0.1", false),
        (&["::/0"], "64:ff9b:1::127.0.0.1", false),
        (&["::/0"], "64:ff9b:1::8.8.8.8", true),
        (&["2002::/16"], "2002:7f00:1::", false),
        (&["2002::/16"], "2002:808:808::", true),
        (&["2001::/32"], "2001:0:7f00:1::f7f7:f7f7", false),
        (&["2001::/32"], "2001:0:808:808::80ff:fffe", false),
        (&["2001::/32"], "2001:0:808:808::f7f7:f7f7", true),
        (&["127.0.0.0/8"], "64:ff9b::127.0.0.1", true),
        (&["127.0.0.0/8"], "2002:7f00:1::", false),
        (&["127.0.0.0/8", "2002::/16"], "2002:7f00:1::", true),
    ] {
        assert_eq!(allow(networks).allow(ip(address)), is_allowed, "{networks:?} {address}");
    }
}

proptest! {
    #[test]
    fn what_wraps_a_special_address_is_special(bits: u32, low: u32) {
        let inner = Ipv4Addr::from_bits(bits);
        let bits = u128::from(bits);
        let wrapped = [
            0xffff_0000_0000 | bits,
            0x64_ff9b << 96 | bits,
            0x2002 << 112 | bits << 80 | u128::from(low),
            0x2001 << 112 | bits << 64 | u128::from(low),
            0x2001 << 112 | u128::from(low) << 64 | u128::from(!(bits as u32)),
        ];
        for wrapped in wrapped.map(Ipv6Addr::from_bits) {
            prop_assert!(!is_special_address(inner.into()) || is_special_address(wrapped.into()), "{wrapped}");
        }
    }

    #[test]
    fn without_a_list_exactly_what_is_not_special_may_be_dialed(bits: u128, short: u32) {
        for address in [IpAddr::from(Ipv6Addr::from_bits(bits)), Ipv4Addr::from_bits(short).into()] {
            prop_assert_eq!(DialableAddresses::default().allow(address), !is_special_address(address));
        }
    }
}
