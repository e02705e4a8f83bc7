//! Locks on what no row stands for: an address that nobody has yet, and the first of its kind. They are held until the end of
//! the transaction. Two that share a number by chance only wait for each other.

use countersign_core::AddressHash;

use super::parameter::Query;

const PEPPERS: i64 = i64::from_be_bytes(*b"cspepper");
const LOOKUP_KEYS: i64 = i64::from_be_bytes(*b"cslookup");
const SIGNING_KEYS: i64 = i64::from_be_bytes(*b"cssigner");

/// What is bound to an address and what waits for it change one after the other.
pub(super) fn lock_address(address: &AddressHash) -> Query<'static> {
    lock(number(address))
}

/// The same for many, in one order whatever theirs is.
pub(super) fn lock_addresses(addresses: &[AddressHash]) -> Query<'static> {
    let mut numbers: Vec<_> = addresses.iter().map(number).collect();
    numbers.sort_unstable();
    Query::new("select pg_advisory_xact_lock(number) from unnest($1::bigint[]) as n (number)").with(numbers)
}

fn number(address: &AddressHash) -> i64 {
    i64::from_be_bytes(*address.as_bytes().first_chunk().expect("a hash has more bytes"))
}

/// Waits until nobody needs peppers to stay as they are, and keeps everyone else from changing them.
pub(super) fn lock_peppers() -> Query<'static> {
    lock(PEPPERS)
}

/// Keeps peppers as they are. Which they are, only a later statement can tell: this one does not see what came while it waited.
pub(super) fn share_peppers() -> Query<'static> {
    Query::new("select pg_advisory_xact_lock_shared($1)").with(PEPPERS)
}

/// Lookup keys come one after the other, so that their numbers keep the order in which others see them. Whoever holds it waits
/// for nobody.
pub(super) fn lock_lookup_keys() -> Query<'static> {
    lock(LOOKUP_KEYS)
}

/// Signing keys come one after the other.
pub(super) fn lock_signing_keys() -> Query<'static> {
    lock(SIGNING_KEYS)
}

fn lock(number: i64) -> Query<'static> {
    Query::new("select pg_advisory_xact_lock($1)").with(number)
}
