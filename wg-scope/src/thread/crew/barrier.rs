//! A barrier of two sides, one of which costs nothing.
//!
//! Two threads that each write one thing and then read the other's need a full barrier between the two,
//! or both may miss what the other wrote. Where one of them does so for each item and the other hardly
//! ever, the rare one can have the system put the barrier into both.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, compiler_fence};

use wg_core::sync::{Ordering, fence, times};

/// How the two sides of a barrier share its cost.
#[derive(Clone, Copy)]
pub(in crate::thread) enum Barrier {
    /// The heavy side pays for both.
    OneSided,
    /// The system does not know of such a thing: each side has a fence of its own.
    TwoSided,
}

/// Whether the system has refused what it gave before, as it does where the process has shut itself in.
static REFUSED: AtomicBool = AtomicBool::new(false);

impl Barrier {
    /// The best that can be had. Both sides must have the same.
    pub(in crate::thread) fn best() -> Self {
        static BEST: OnceLock<Barrier> = OnceLock::new();
        let best = *BEST.get_or_init(|| {
            // Models know of fences only.
            let is_there = times(100) == 100 && system::register() && system::barrier();
            if is_there { Barrier::OneSided } else { Barrier::TwoSided }
        });
        if REFUSED.load(Ordering::Relaxed) { Barrier::TwoSided } else { best }
    }

    /// The side that costs nothing, if it can be had: what was written before is written before what
    /// follows is read, as seen by one who passes the [`heavy`](Self::heavy) side.
    #[inline]
    pub(in crate::thread) fn light(self) {
        match self {
            Barrier::OneSided => compiler_fence(Ordering::SeqCst),
            Barrier::TwoSided => fence(Ordering::SeqCst),
        }
    }

    /// The other side. Returns whether the barrier was there. If not, the next ones will be two-sided.
    #[must_use]
    pub(in crate::thread) fn heavy(self) -> bool {
        match self {
            Barrier::OneSided => {
                let is_there = system::barrier() || (system::register() && system::barrier());
                if !is_there {
                    REFUSED.store(true, Ordering::Relaxed);
                }
                is_there
            }
            Barrier::TwoSided => {
                fence(Ordering::SeqCst);
                true
            }
        }
    }
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
