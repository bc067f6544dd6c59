//! What is told to whoever listens by `tracing`.

use std::panic::Location;

/// Tells that a scope of threads is entered where a future is polled.
pub(crate) fn blocks(site: &Location<'_>) {
    tracing::warn!(
        target: "wg",
        scope = %site,
        "a scope of threads blocks the future that enters it, and what else its thread polls: \
         on a runtime, enter it in spawn_blocking"
    );
}
