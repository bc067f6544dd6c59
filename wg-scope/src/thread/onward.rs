//! Going on on another stack, where this thread's is nearly used up: the thread of the user's calls
//! is then more than one thread of the system, of which the last one runs.

use std::mem;
use std::sync::Arc;

use super::frame::{self, Frames};
use super::shared::Shared;
use super::sleep::{self, Alarm};
use super::stack;

/// Whether this thread's stack has room for a task of `scope`.
pub(super) fn has_room(scope: &Shared) -> bool {
    stack::has_room(scope.stack)
}

/// Calls what runs a task of `scope` in place, which must not unwind. Where this thread's stack is
/// nearly used up, or too small for these tasks, the call goes on on another stack, as if that were
/// the rest of this one: in the same scopes, bodies and tasks, in their slots, and as the same one
/// who is woken. Better a deep stack than none, where no thread can be had.
pub(super) fn with_room(scope: &Arc<Shared>, call: impl FnOnce() + Send) {
    if has_room(scope) {
        return call();
    }
    let mut call = Some(call);
    let mut mine = Identity::default().exchange();
    // If it was called there, nothing is left of it; otherwise it still is to be called.
    let _ = stack::elsewhere(scope.stack, || {
        let theirs = mem::take(&mut mine).exchange();
        if let Some(call) = call.take() {
            call();
        }
        mine = theirs.exchange();
    });
    mine.exchange();
    if let Some(call) = call {
        call();
    }
}

/// What makes a thread the one that it is to its scopes.
#[derive(Default)]
struct Identity {
    frames: Frames,
    alarm: Alarm,
}

impl Identity {
    /// Makes this thread that one. Returns which it was.
    fn exchange(self) -> Self {
        Identity { frames: frame::exchange(self.frames), alarm: sleep::exchange(self.alarm) }
    }
}
