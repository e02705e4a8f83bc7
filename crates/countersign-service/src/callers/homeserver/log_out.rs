//! Gives tokens back that came of trying passwords.

use std::{error::Error, sync::Arc, time::Duration};

use countersign_delivery::{Secret, homeserver::Homeserver};

/// How long to wait before each further try.
const RETRIES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
];

/// Gives a token back. If that fails, it is tried again in the background.
pub(super) async fn log_out(homeserver: Arc<Homeserver>, token: Secret, device_id: String) {
    let Err(cause) = homeserver.log_out(&token).await else { return };
    tracing::warn!(
        error = &cause as &dyn Error,
        device.id = device_id,
        "The homeserver did not log device {device_id} out; it is asked again soon",
    );
    tokio::spawn(retry(homeserver, token, device_id));
}

async fn retry(homeserver: Arc<Homeserver>, token: Secret, device_id: String) {
    for wait in RETRIES {
        tokio::time::sleep(wait).await;
        if homeserver.log_out(&token).await.is_ok() {
            return;
        }
    }
    tracing::error!(
        device.id = device_id,
        "The homeserver does not log device {device_id} out; its owner may see it until the next password check",
    );
}
