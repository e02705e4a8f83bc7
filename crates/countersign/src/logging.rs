//! Logs to standard error: lines for people, or JSON for machines.

use std::io::IsTerminal;

use anyhow::{Context as _, Result};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogConfig, LogFormat};

/// Installs the logger of the process.
///
/// # Errors
/// When the filter is malformed, or there is a logger already.
pub fn init(config: &LogConfig) -> Result<()> {
    let filter: Targets = config.filter.parse().context("log.filter")?;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match config.format {
        LogFormat::Text => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().context("logging")
}
