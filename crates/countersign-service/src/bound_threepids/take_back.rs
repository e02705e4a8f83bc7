//! What ended accounts published, and no identity server took back yet.

use std::time::Duration;

use countersign_core::RecordedBind;
use countersign_storage::{BindToTakeBack, StorageError};
use tokio_util::sync::CancellationToken;

use super::{BoundThreepids, BoundThreepidsParts, UnbindElsewhereError, UnbindResult};

/// How many are tried in one go.
const BATCH: usize = 50;
/// The pause after the first try; each later one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(10 * 60);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// After so many tries, some four weeks, the identity server is taken for gone.
const TRIES: u32 = 36;

/// Takes back what ended accounts published, until that has succeeded everywhere.
pub struct TakeBack {
    bound_threepids: BoundThreepids,
    interval: Duration,
}

impl TakeBack {
    /// One that looks each `interval` for what is due.
    pub fn new(bound_threepids: BoundThreepids, interval: Duration) -> Self {
        Self { bound_threepids, interval }
    }

    /// Goes on until `shutdown`. Of several nodes, two may ask an identity server the same; that counts as one try.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let tried = tokio::select! {
                () = shutdown.cancelled() => return,
                tried = self.bound_threepids.take_back_due() => tried,
            };
            if let Err(error) = tried {
                let cause = &error as &dyn std::error::Error;
                tracing::warn!(error = cause, "What ended accounts published has to wait: {error}");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }
}

impl BoundThreepids {
    /// Tries what is due once.
    async fn take_back_due(&self) -> Result<(), StorageError> {
        let BoundThreepidsParts { storage, clock, .. } = &*self.0;
        loop {
            let due = storage.list_binds_to_take_back(clock.now(), BATCH).await?;
            let is_last = due.len() < BATCH;
            for owed in due {
                match self.take_back(&owed.bind).await {
                    // Nobody else has a say in it.
                    Ok(UnbindResult::Success | UnbindResult::NoSupport) => {
                        storage.delete_recorded_bind(&owed.bind).await?;
                    }
                    Err(UnbindElsewhereError::Storage(error)) => return Err(error),
                    Err(error) => self.try_later(&owed, &error).await?,
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn try_later(&self, owed: &BindToTakeBack, why: &UnbindElsewhereError) -> Result<(), StorageError> {
        let BoundThreepidsParts { storage, clock, .. } = &*self.0;
        let pause = pause_after(owed.tries);
        log(&owed.bind, why, pause);
        match pause {
            Some(pause) => storage.postpone_taking_back(owed, clock.now().after(pause)).await,
            None => storage.delete_recorded_bind(&owed.bind).await,
        }
    }
}

fn log(bind: &RecordedBind, why: &UnbindElsewhereError, pause: Option<Duration>) {
    let (error, id_server) = (why as &dyn std::error::Error, &bind.id_server);
    if pause.is_some() {
        tracing::debug!(error, id_server, "An address of an ended account is not taken back yet: {why}");
    } else {
        tracing::error!(error, id_server, "An address of an ended account stays published: {why}");
    }
}

/// How long to wait after another try failed; `None`: not again.
fn pause_after(tries: u32) -> Option<Duration> {
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST_PAUSE);
    (tries + 1 < TRIES).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_day_and_end_after_a_month() {
        let pauses: Vec<_> = (0..100).map_while(pause_after).collect();
        assert_eq!(pauses[..3], [1, 2, 4].map(|times| times * FIRST_PAUSE));
        assert!(pauses.is_sorted() && pauses.last() == Some(&LONGEST_PAUSE));
        let days = pauses.iter().sum::<Duration>().as_secs() / (24 * 60 * 60);
        assert!((25..35).contains(&days), "{days}");
        assert_eq!(pause_after(u32::MAX - 1), None);
    }
}
