//! A cheap shield in front of everything: requests from one network, counted in this process only.
//!
//! The limits that matter are decided in the database; this one only keeps a flood from getting there.

use std::{num::NonZeroU32, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use countersign_core::ClientNetwork;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::DefaultKeyedStateStore,
};

use super::{AppState, answer::ErrorAnswer, extract::network};

/// Requests between two sweeps of networks that were not seen for a while.
const SWEEP_EVERY: usize = 10_000;

/// How much one network may ask.
#[derive(Clone, Copy, Debug)]
pub struct ShieldSettings {
    /// In a second.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

/// Counts requests by network.
pub struct Shield {
    limiter: RateLimiter<ClientNetwork, DefaultKeyedStateStore<ClientNetwork>, DefaultClock>,
    clock: DefaultClock,
    requests: std::sync::atomic::AtomicUsize,
}

impl Shield {
    /// An empty one.
    pub fn new(settings: ShieldSettings) -> Self {
        let quota = Quota::per_second(settings.per_second).allow_burst(settings.burst);
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default(), requests: 0.into() }
    }

    /// The wait, if this network asked too much.
    fn check(&self, network: ClientNetwork) -> Result<(), Duration> {
        let seen = self.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if seen % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&network).map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }
}

/// Answers 429 to a network that asks too much.
pub(super) async fn shield(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some(shield) = state.shield() else { return next.run(request).await };
    match shield.check(network(&request, state.settings())) {
        Ok(()) => next.run(request).await,
        Err(wait) => ErrorAnswer::limited(wait).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_gets_its_burst_and_leaves_the_others_alone() {
        let two = NonZeroU32::new(2).unwrap();
        let shield = Shield::new(ShieldSettings { per_second: NonZeroU32::MIN, burst: two });
        let network = |text: &str| ClientNetwork::of(text.parse().unwrap());
        assert!(shield.check(network("192.0.2.1")).is_ok());
        assert!(shield.check(network("192.0.2.1")).is_ok());
        assert!(shield.check(network("192.0.2.1")).is_err());
        assert!(shield.check(network("192.0.2.2")).is_ok());
    }
}
