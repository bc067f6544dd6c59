//! What a task and its handle share while both are there; and what is left for the task when the
//! handle is gone.

use std::mem;
use std::sync::Arc;

use super::child::Claimed;
use super::line::By;
use super::place::Polls;
use super::shared::{Shared, Standing};
use super::signal;
use crate::ending::{End, Origin};
use crate::outcome::Outcome;
use crate::settle::Settle;
use crate::task_info::TaskInfo;
use crate::twin::Giver;

/// Which task of which scope, and what becomes of its outcome.
pub(crate) struct Claim<P: Polls, S> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) index: u64,
    pub(super) origin: Origin<S>,
}

impl<P: Polls, T, S: Settle<T>> Claimed<T> for Claim<P, S> {
    fn forgo(&self, outcome: Outcome<T>, order: usize) {
        self.origin.forgo(&self.shared, self.index, outcome, order);
    }

    fn info(&self) -> TaskInfo {
        self.origin.task(self.index)
    }
}

/// A task as it has itself in hand.
pub(super) enum Held<P: Polls, T, S> {
    /// There is a handle, or was when somebody last looked.
    Claimed(Giver<T, Claim<P, S>>),
    /// There is none: what is shared with nobody needs no memory of its own.
    Alone(Claim<P, S>),
    /// It has ended.
    Ended,
}

impl<P: Polls, T, S: Settle<T>> Held<P, T, S> {
    #[inline]
    pub(super) fn claim(&self) -> &Claim<P, S> {
        match self {
            Held::Claimed(claim) => claim,
            Held::Alone(claim) => claim,
            Held::Ended => unreachable!("it was asked before its end"),
        }
    }

    /// Looks whether the handle is gone, of a task that will wait: then it waits with less.
    pub(super) fn look(&mut self) {
        if !matches!(self, Held::Claimed(claim) if claim.is_only()) {
            return;
        }
        let Held::Claimed(claim) = mem::replace(self, Held::Ended) else { unreachable!() };
        *self = claim.try_unwrap().map_or_else(Held::Claimed, Held::Alone);
    }

    /// Enters how the task has ended. When it does not count any more, at the very end, everything of
    /// the user's has been dropped or handed over (rule 1).
    #[inline]
    pub(super) fn conclude(&mut self, end: End<T>, standing: &Standing) {
        match mem::replace(self, Held::Ended) {
            Held::Claimed(mut giver) => {
                let Claim { shared, index, origin } = &*giver;
                let (outcome, order, verdict) = origin.close(shared, *index, end);
                let mut laid = giver.give(outcome, order);
                let Claim { shared, index, origin } = &*giver;
                // Where slots are counted there may be others to be started first, which is not waited for.
                let is_brief = standing.counts == By::List;
                let scope = if is_brief { shared.signal.take_its_waker(&mut laid) } else { None };
                origin.laid_down(shared, *index, laid);
                shared.obey(verdict);
                shared.end_task(standing);
                scope.into_iter().for_each(signal::wake);
            }
            Held::Alone(Claim { shared, index, origin }) => {
                let (outcome, order, verdict) = origin.close(&shared, index, end);
                origin.forgo(&shared, index, outcome, order);
                shared.obey(verdict);
                shared.end_task(standing);
            }
            Held::Ended => unreachable!("a task ends once"),
        }
    }
}
