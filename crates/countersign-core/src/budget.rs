//! Limits: how often something may happen, counted on rows in the database (docs/decisions/0006).
//!
//! The generic cell rate algorithm: a budget remembers one point in time, at which it will be full again.

use std::time::Duration;

use crate::{SubjectHash, Timestamp};

/// What a budget limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetKind {
    /// Messages to an address, by the hour.
    MessagesHourly,
    /// Messages to an address, by the day.
    MessagesDaily,
    /// Requests for tokens from a network.
    Requests,
    /// Wrong tokens for an address.
    AddressMisses,
    /// Wrong tokens from a network.
    NetworkMisses,
    /// Logins from a network.
    NetworkLogins,
    /// Wrong passwords for what names an account.
    AccountMisses,
    /// Wrong passwords for what names an account, from a network.
    AccountNetworkMisses,
    /// Registrations from a network.
    Registrations,
    /// Questions from a network whether a name is free.
    NameChecks,
    /// Sessions of user-interactive authentication that a network begins without an access token.
    UiaSessions,
    /// Questions from a network whether a registration token is good.
    TokenChecks,
    /// Refreshes from a network.
    Refreshes,
    /// Access tokens of the identity API that a network asks for.
    IdentityRegistrations,
    /// Addresses that a user looks up.
    Lookups,
    /// Invitations that a user sends.
    Invitations,
    /// Keys of other servers that a network has us fetch.
    ServerKeys,
    /// Tokens that prove a user to another service.
    OpenIdTokens,
    /// Calls of identity servers that a user names.
    IdentityServerCalls,
}

impl BudgetKind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::MessagesHourly,
        Self::MessagesDaily,
        Self::Requests,
        Self::AddressMisses,
        Self::NetworkMisses,
        Self::NetworkLogins,
        Self::AccountMisses,
        Self::AccountNetworkMisses,
        Self::Registrations,
        Self::NameChecks,
        Self::UiaSessions,
        Self::TokenChecks,
        Self::Refreshes,
        Self::IdentityRegistrations,
        Self::Lookups,
        Self::Invitations,
        Self::ServerKeys,
        Self::OpenIdTokens,
        Self::IdentityServerCalls,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessagesHourly => "messages_hourly",
            Self::MessagesDaily => "messages_daily",
            Self::Requests => "requests",
            Self::AddressMisses => "address_misses",
            Self::NetworkMisses => "network_misses",
            Self::NetworkLogins => "network_logins",
            Self::AccountMisses => "account_misses",
            Self::AccountNetworkMisses => "account_network_misses",
            Self::Registrations => "registrations",
            Self::NameChecks => "name_checks",
            Self::UiaSessions => "uia_sessions",
            Self::TokenChecks => "token_checks",
            Self::Refreshes => "refreshes",
            Self::IdentityRegistrations => "identity_registrations",
            Self::Lookups => "lookups",
            Self::Invitations => "invitations",
            Self::ServerKeys => "server_keys",
            Self::OpenIdTokens => "openid_tokens",
            Self::IdentityServerCalls => "identity_server_calls",
        }
    }
}

/// How fast a budget fills up again, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many may happen at once. At least 1.
    pub burst: u32,
    /// The time after which one more may happen.
    pub interval: Duration,
}

impl Rate {
    /// `count` in each `period`, all of which may come at once. A count of 0 is read as 1.
    pub fn per(count: u32, period: Duration) -> Self {
        let count = count.max(1);
        Self { burst: count, interval: period / count }
    }

    /// The same rate, of which at most `burst` may come at once.
    #[must_use]
    pub fn with_burst(self, burst: u32) -> Self {
        Self { burst: burst.max(1), ..self }
    }

    /// The same rate for something that counts as `units`. The burst is rounded down, but one may always come.
    #[must_use]
    pub fn for_units(self, units: u32) -> Self {
        let units = units.max(1);
        Self { burst: (self.burst / units).max(1), interval: self.interval.saturating_mul(units) }
    }
}

/// Names a row in `budgets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BudgetKey {
    /// What is limited.
    pub kind: BudgetKind,
    /// Whom it is limited for.
    pub subject: SubjectHash,
}

/// One unit to take from one budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The budget.
    pub key: BudgetKey,
    /// Its rate.
    pub rate: Rate,
}

/// A budget's row as it should be: it is full again at that time, and can be forgotten then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUpdate {
    /// The budget.
    pub key: BudgetKey,
    /// When it is full again.
    pub full_at: Timestamp,
}

/// A budget is spent: the same may be tried again after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Never zero.
    pub retry_after: Duration,
}

/// Takes one unit from each budget, or from none if one of them is spent.
///
/// `full_at` holds, for each charge, the row's value if there is a row. What it does not reach to counts as no row, so
/// that a charge is never forgotten.
///
/// # Errors
/// The longest wait among the spent ones.
pub fn charge(
    charges: &[Charge],
    full_at: &[Option<Timestamp>],
    now: Timestamp,
) -> Result<Vec<BudgetUpdate>, Limited> {
    let mut updates = Vec::with_capacity(charges.len());
    let mut wait = Duration::ZERO;
    let full_at = full_at.iter().copied().chain(std::iter::repeat(None));
    for (charge, full_at) in charges.iter().zip(full_at) {
        let next = full_at.unwrap_or(now).max(now).after(charge.rate.interval);
        let ahead = charge.rate.interval.saturating_mul(charge.rate.burst);
        wait = wait.max(next.since(now.after(ahead)));
        updates.push(BudgetUpdate { key: charge.key, full_at: next });
    }
    if wait.is_zero() { Ok(updates) } else { Err(Limited { retry_after: wait }) }
}

/// Gives one unit back to each budget that one was taken from. A budget that is full stays as it is.
pub fn refund(charges: &[Charge], full_at: &[Option<Timestamp>], now: Timestamp) -> Vec<BudgetUpdate> {
    let given_back = |(charge, full_at): (&Charge, &Option<Timestamp>)| {
        let full_at = full_at.filter(|full_at| now < *full_at)?.before(charge.rate.interval).max(now);
        Some(BudgetUpdate { key: charge.key, full_at })
    };
    charges.iter().zip(full_at).filter_map(given_back).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn hourly(count: u32) -> Charge {
        let key = BudgetKey { kind: BudgetKind::MessagesHourly, subject: SubjectHash::from_bytes([1; 32]) };
        Charge { key, rate: Rate::per(count, Duration::from_secs(3600)) }
    }

    #[test]
    fn five_an_hour_means_five_at_once_then_one_each_twelve_minutes() {
        let mut full_at = None;
        for _ in 0..5 {
            full_at = Some(charge(&[hourly(5)], &[full_at], START).unwrap()[0].full_at);
        }
        let limited = charge(&[hourly(5)], &[full_at], START).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(720));
        let later = START.after(limited.retry_after);
        assert!(charge(&[hourly(5)], &[full_at], later.before(Duration::from_millis(1))).is_err());
        assert!(charge(&[hourly(5)], &[full_at], later).is_ok());
    }

    #[test]
    fn one_spent_budget_spares_the_others() {
        let spent = Some(START.after(Duration::from_secs(3600)));
        assert!(charge(&[hourly(5), hourly(5)], &[None, spent], START).is_err());
    }

    #[test]
    fn a_charge_without_a_row_is_never_forgotten() {
        let updates = charge(&[hourly(5), hourly(5)], &[], START).unwrap();
        assert_eq!(updates.len(), 2);
        assert_eq!(updates[0].full_at, START.after(Duration::from_secs(720)));
    }

    #[test]
    fn a_refund_undoes_a_charge_and_never_fills_over_the_brim() {
        let first = charge(&[hourly(5)], &[None], START).unwrap()[0].full_at;
        let second = charge(&[hourly(5)], &[Some(first)], START).unwrap()[0].full_at;
        let refunded =
            |full_at, now| refund(&[hourly(5)], &[full_at], now).first().map(|update| update.full_at);
        assert_eq!(refunded(Some(second), START), Some(first));
        assert_eq!(refunded(Some(first), START), Some(START));
        let later = START.after(Duration::from_secs(60));
        assert_eq!(refunded(Some(first), later), Some(later));
        assert_eq!(refunded(Some(START), START), None);
        assert_eq!(refunded(None, START), None);
    }

    #[test]
    fn the_longest_wait_is_the_answer() {
        let spent = |seconds| Some(START.after(Duration::from_secs(seconds)));
        let limited = charge(&[hourly(1), hourly(1)], &[spent(100), spent(200)], START).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(200));
    }

    #[test]
    fn a_rate_never_stands_still() {
        let hour = Duration::from_secs(3600);
        assert_eq!(Rate::per(0, hour), Rate::per(1, hour));
        assert_eq!(Rate::per(30, hour).with_burst(0), Rate { burst: 1, interval: Duration::from_secs(120) });
        assert_eq!(
            Rate::per(30, hour).with_burst(10),
            Rate { burst: 10, interval: Duration::from_secs(120) }
        );
    }

    #[test]
    fn what_counts_as_many_takes_as_much() {
        let ten = |units| Charge { rate: hourly(10).rate.for_units(units), ..hourly(10) };
        let full_at = Some(charge(&[ten(4)], &[None], START).unwrap()[0].full_at);
        assert_eq!(full_at, Some(START.after(Duration::from_secs(4 * 360))));
        let full_at = Some(charge(&[ten(4)], &[full_at], START).unwrap()[0].full_at);
        assert!(charge(&[ten(4)], &[full_at], START).is_err());
        assert!(charge(&[ten(1)], &[full_at], START).is_ok());
        assert!(charge(&[ten(11)], &[None], START).is_ok());
        assert_eq!(ten(0).rate, hourly(10).rate);
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_burst_and_refill(
            steps in proptest::collection::vec(0u64..2_000_000, 1..200),
            burst in 1u32..20,
        ) {
            let rate = Rate::per(burst, Duration::from_secs(3600));
            let charge_one = Charge { rate, ..hourly(1) };
            let (mut now, mut full_at, mut passed) = (START, None, Vec::new());
            for step in steps {
                now = now.after(Duration::from_millis(step));
                match charge(&[charge_one], &[full_at], now) {
                    Ok(updates) => {
                        full_at = Some(updates[0].full_at);
                        passed.push(now);
                    }
                    Err(limited) => prop_assert!(!limited.retry_after.is_zero()),
                }
            }
            for (index, first) in passed.iter().enumerate() {
                let in_hour = passed[index..].iter().filter(|at| at.since(*first) < Duration::from_secs(3600)).count();
                prop_assert!(in_hour <= 2 * burst as usize);
            }
        }
    }
}
