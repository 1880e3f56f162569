//! The addresses of a cluster: pure arithmetic.
//!
//! All lie in 198.18.0.0/15, which RFC 2544 reserves for benchmarks, so that they collide with no network that a
//! machine is likely to be in. Each cluster has one range of 4096 addresses:
//!
//! ```text
//! +0     host end of the veth pair (.1), node (.2)     /30
//! +1024  services: kubernetes (.1), DNS (.10)          /22
//! +2048  pods                                          /21
//! ```

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The first address of 198.18.0.0/15.
const BASE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);

/// Addresses of one cluster.
const SIZE: u32 = 4096;
const BITS: u8 = 20;

const SERVICES: u32 = 1024;
const PODS: u32 = 2048;

/// One of the ranges that a cluster can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range(u8);

impl Range {
    /// How many there are. The last of the thirty-two that fit is left to control planes without a node.
    pub(crate) const COUNT: u8 = 31;

    /// All of them, the lowest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The network interface of the host that leads to the cluster. While it exists, the range is taken: two starts
    /// cannot both create it.
    pub(crate) fn interface(self) -> String {
        format!("broadside{}", self.0)
    }

    /// All of its addresses, as `address/bits`.
    pub(crate) fn whole(self) -> String {
        format!("{}/{BITS}", self.at(0))
    }

    /// The host's end of the veth pair.
    pub(crate) fn host(self) -> Ipv4Addr {
        self.at(1)
    }

    /// The node.
    pub(crate) fn node(self) -> Ipv4Addr {
        self.at(2)
    }

    /// Where services get their addresses.
    pub(crate) fn services(self) -> String {
        format!("{}/22", self.at(SERVICES))
    }

    /// The `kubernetes` service, always the first.
    pub(crate) fn first_service(self) -> Ipv4Addr {
        self.at(SERVICES + 1)
    }

    /// The DNS service.
    pub(crate) fn dns(self) -> Ipv4Addr {
        self.at(SERVICES + 10)
    }

    /// Where pods get their addresses.
    pub(crate) fn pods(self) -> String {
        format!("{}/21", self.at(PODS))
    }

    fn at(self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(BASE) + u32::from(self.0) * SIZE + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_disjoint_and_stay_in_the_reserved_network() {
        let last = u32::from(Ipv4Addr::new(198, 19, 255, 255));
        for (one, next) in Range::all().zip(Range::all().skip(1)) {
            assert_eq!(u32::from(next.at(0)) - u32::from(one.at(0)), SIZE);
            assert!(u32::from(next.at(SIZE - 1)) <= last);
        }
    }

    #[test]
    fn parts_of_a_range_are_aligned_to_their_size() {
        for range in Range::all() {
            assert_eq!(u32::from(range.at(SERVICES)) % 1024, 0);
            assert_eq!(u32::from(range.at(PODS)) % 2048, 0);
        }
    }

    #[test]
    fn the_second_cluster_lies_behind_the_first() {
        let second = Range::all().nth(1).unwrap();
        assert_eq!(second.node().to_string(), "198.18.16.2");
        assert_eq!(second.services(), "198.18.20.0/22");
        assert_eq!(second.dns().to_string(), "198.18.20.10");
        assert_eq!(second.pods(), "198.18.24.0/21");
        assert_eq!(second.interface(), "broadside1");
    }
}
