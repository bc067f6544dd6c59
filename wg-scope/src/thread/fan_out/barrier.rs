//! A barrier of two sides, one of which costs nothing.
//!
//! Two threads that each write one thing and then read the other's need a full barrier between the two,
//! or both may miss what the other wrote. Where one of them does so for each item and the other hardly
//! ever, the rare one can have the system put the barrier into both.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence};

use wg_core::sync::times;

/// Whether [`heavy`] can be had: then [`light`] is enough on the other side.
pub(super) fn is_there() -> bool {
    static IS_THERE: OnceLock<bool> = OnceLock::new();
    // Models do not know of it.
    *IS_THERE.get_or_init(|| times(100) == 100 && system::register() && system::barrier())
}

/// The side that costs nothing: what was written before is written before what follows is read, as
/// seen by one who calls [`heavy`].
#[inline]
pub(super) fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// The other side. Returns whether the barrier was there.
pub(super) fn heavy() -> bool {
    system::barrier() || (system::register() && system::barrier())
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::thread::{MembarrierCommand, membarrier};

    pub(super) fn register() -> bool {
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    pub(super) fn barrier() -> bool {
        membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn barrier() -> bool {
        false
    }
}
