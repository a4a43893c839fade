//! Where log lines go: stderr, for people on a terminal, else as JSON. `RUST_LOG` decides how much.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging; a second call changes nothing (tests embed the server several times).
pub fn start(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}
