//! A task that waits for results of tasks that may still be in the queue: what becomes of its place
//! under the limit.

use std::mem;
use std::sync::Arc;

use wg_core::sync::Thread;

use super::frame;
use super::runner::run_one;
use super::shared::Shared;
use super::sleep::Asleep;
use crate::context::Role;

/// The place under a limit of a task that reads, or of one that waits for what reads: the end of a
/// scope that it opened. While both sleep the queue has it, because what they sleep for may be in
/// the queue.
pub(super) struct Lent<'a> {
    pub(super) scope: &'a Arc<Shared>,
    /// Whether there is such a task. The body has no place, and `wait` sees to it that somebody
    /// works for it.
    has_place: bool,
    is_asleep: bool,
    is_lent: bool,
    /// Whether no runner could be had for it.
    is_alone: bool,
}

impl<'a> Lent<'a> {
    pub(super) fn new(scope: &'a Arc<Shared>) -> Self {
        let has_place = match frame::role_in(scope) {
            Some(role) => role == Role::Task,
            None => frame::is_inside_a_task_of(scope),
        };
        Lent { scope, has_place, is_asleep: false, is_lent: false, is_alone: false }
    }

    /// Sees to it that somebody works while this thread sleeps. Returns whether it has run a task
    /// itself, because nobody else would.
    pub(super) fn helps(&mut self) -> bool {
        // The first time it is only about to fall asleep, and holds its place still.
        if !self.has_place || !mem::replace(&mut self.is_asleep, true) {
            return false;
        }
        let queue = &self.scope.queue;
        if self.scope.is_limited() && !mem::replace(&mut self.is_lent, true) {
            let somebody_comes = queue.asked();
            queue.hand_over();
            if somebody_comes {
                // One request is enough, however often a task sleeps.
                queue.refuse().iter().for_each(Thread::unpark);
            } else {
                self.is_alone = !self.scope.lend();
            }
        }
        let is_alone = self.is_alone || (queue.is_deserted() && !self.scope.lend());
        is_alone && run_one(self.scope)
    }

    /// Takes the place back. To be called while asleep, so that nothing begins in a place whose
    /// task goes on.
    pub(super) fn claim(&mut self) {
        if mem::replace(&mut self.is_lent, false) {
            self.scope.queue.claim();
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if self.is_lent {
            // The wait was in vain, and has woken up while somebody else had the place.
            let _asleep = Asleep::fall();
            self.claim();
        }
    }
}
