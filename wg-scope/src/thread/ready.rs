//! Room in a limited scope: who spawns from its body waits for it.

use std::iter::repeat_n;
use std::time::Duration;

use wg_core::sync::{current, give_way, now, times};

use super::frame;
use super::scope::Scope;
use super::wait::{Vain, wait};
use crate::cause::Stopped;
use crate::context::{self, Role};

/// How often whoever waits for room lets others have the core, and looks again, before it falls asleep; not
/// in models.
const YIELDS: usize = times(6) - times(2);

/// How long whoever waits for room sleeps before it looks itself, at first and at most, where it is
/// woken when there is much and not when there is some.
const LOOK: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(16);

impl Scope<'_, '_> {
    /// Waits until a task that is spawned now would not have to wait for room.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled.
    ///
    /// # Blocking
    ///
    /// Blocks while as many tasks wait as the limit lets run; never in a scope without a limit. From a
    /// limit of 8 on it sleeps until half of those that wait have begun, or some milliseconds.
    pub fn ready(&self) -> Result<(), Stopped> {
        if self.is_cancelled() {
            return Err(context::tell(self.shared().stopped()));
        }
        if !self.shared().is_limited() {
            return Ok(());
        }
        self.await_room()?;
        // The cancel itself may have made the room.
        self.check()
    }

    fn await_room(&self) -> Result<(), Stopped> {
        let queue = &self.shared().queue;
        if queue.has_room(None) {
            return Ok(());
        }
        // Falling asleep and being woken takes longer than many a task.
        for () in repeat_n((), YIELDS) {
            let is_idle = give_way();
            if self.is_cancelled() {
                break;
            }
            if queue.has_room(None) {
                return Ok(());
            }
            if !is_idle {
                break;
            }
        }
        let mut look = LOOK;
        loop {
            let room = || queue.has_room(Some(&current())).then_some(());
            let until = queue.calls_late().then(|| now() + look);
            match wait(self.shared(), until, |_| room()) {
                Ok(()) => return Ok(()),
                Err(Vain::Stopped(stopped)) => return Err(stopped),
                Err(Vain::TimedOut) => look = (look * 2).min(LONGEST),
            }
        }
    }

    /// Waits for room, in the body of a limited scope.
    #[inline]
    pub(super) fn make_room(&self) {
        if self.shared().is_limited() {
            self.make_room_in_body();
        }
    }

    #[cold]
    fn make_room_in_body(&self) {
        if frame::role_in(self.shared()) == Some(Role::Body) {
            // If the scope was cancelled, the task is dropped when its turn comes.
            let _ = self.await_room();
        }
    }
}
