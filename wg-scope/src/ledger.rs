//! What a scope knows of its tasks' ends, and what it decides from it. Every shell asks here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cause::{Cause, Stopped};
use crate::outcome::{Payload, discard, message};
use crate::policy::{End, Policy, Tally, Verdict};
use crate::task_info::TaskInfo;

/// How many further panics are kept by their words; beyond that they are only counted.
const KEPT: usize = 8;

/// How the tasks of one scope ended: the tally, the first panic whole, the others by their words.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    policy: Policy,
    /// Whether panics are failures, and not to be resumed.
    catches: bool,
    tally: Tally,
    first: Option<Payload>,
    /// The echo of something that is in another scope's ledger: this scope failed by it.
    echo: Option<Stopped>,
    more: Vec<String>,
    uncounted: usize,
    /// Panics that are failures, of tasks that know of no other place for them; kept if the scope
    /// has somebody to tell.
    strays: Option<Vec<Stray>>,
}

/// A panic that is a failure, with its place in the order of completion.
pub(crate) type Stray = (usize, TaskInfo, Payload);

/// What follows from a panic.
#[must_use]
pub(crate) struct Panicked {
    pub(crate) verdict: Verdict,
    /// The payload, unless the ledger keeps it to be resumed.
    pub(crate) back: Back,
}

/// A payload that the ledger did not keep.
pub(crate) enum Back {
    Kept,
    /// It is a failure; the number orders failures by completion.
    Failure(Payload, usize),
    /// To be discarded, when no lock is held, because its drop is user code.
    Unneeded(Payload),
}

/// What a scope is left with when everything has ended.
#[must_use]
pub(crate) struct Conclusion {
    pub(crate) unwind: Unwind,
    /// Whether the policy calls this a failure.
    pub(crate) failed: bool,
    pub(crate) tally: Tally,
    pub(crate) strays: Vec<Stray>,
}

impl Conclusion {
    /// That of a scope in which nothing ended that was worth an entry.
    pub(crate) fn of_values(policy: &Policy) -> Self {
        let tally = Tally::default();
        Conclusion { unwind: Unwind::Not, failed: policy.failed(&tally), tally, strays: Vec::new() }
    }
}

/// How a scope unwinds.
pub(crate) enum Unwind {
    /// Not at all.
    Not,
    /// With this payload, after telling of `more`.
    Panic { first: Payload, more: Option<String> },
    /// With the echo of what another scope reports, or of a cancel that nobody reports.
    Echo(Stopped),
}

impl Ledger {
    pub(crate) fn new(policy: Policy, catches: bool) -> Self {
        Ledger { policy, catches, ..Ledger::default() }
    }

    /// Enters a task that returned a value.
    pub(crate) fn value(&mut self, task: &TaskInfo) -> Verdict {
        self.tally.values += 1;
        self.judge(End::Value, task, None)
    }

    /// Enters a task that returned an error. The number orders failures by completion.
    pub(crate) fn error(&mut self, task: &TaskInfo) -> (usize, Verdict) {
        let order = self.tally.failures();
        self.tally.errors += 1;
        (order, self.judge(End::Error, task, None))
    }

    /// Enters a task that did not begin.
    pub(crate) fn cancelled(&mut self, task: &TaskInfo) -> Verdict {
        self.tally.cancelled += 1;
        self.judge(End::Cancelled, task, None)
    }

    /// Enters a panic, in a scope that is cancelled already or is not.
    pub(crate) fn panicked(
        &mut self,
        payload: Payload,
        task: &TaskInfo,
        cancelled: bool,
    ) -> Panicked {
        if let Some(stopped) = payload.downcast_ref::<Stopped>() {
            // An echo, no panic of this scope. Where this scope is not what was cancelled, nor has
            // a panic of its own, another scope has the cause, and this one has failed by it.
            let echoes_this = cancelled || self.first.is_some() || self.catches;
            let verdict = if echoes_this {
                Verdict::Continue
            } else {
                Verdict::cancel(stopped.cause().inward())
            };
            if !echoes_this && self.echo.is_none() {
                self.echo = Some(stopped.clone());
            }
            self.tally.cancelled += 1;
            return Panicked { verdict, back: Back::Unneeded(payload) };
        }
        let cause = echo(&payload, task).cause().clone();
        let order = self.tally.failures();
        self.tally.panics += 1;
        if self.catches {
            let verdict = self.judge(End::Panic, task, Some(&cause));
            return Panicked { verdict, back: Back::Failure(payload, order) };
        }
        let verdict = Verdict::cancel(cause);
        match self.keep(payload, task) {
            None => Panicked { verdict, back: Back::Kept },
            Some(payload) => Panicked { verdict, back: Back::Unneeded(payload) },
        }
    }

    /// From here on, keeps the failures that nobody else keeps.
    pub(crate) fn keep_strays(&mut self) {
        self.strays.get_or_insert_default();
    }

    /// Keeps a failure that nobody else keeps, or gives its payload back.
    pub(crate) fn stray(&mut self, stray: Stray) -> Option<Payload> {
        match &mut self.strays {
            Some(strays) => {
                strays.push(stray);
                None
            }
            None => Some(stray.2),
        }
    }

    /// Keeps a panic's payload if it is the first, otherwise its words.
    fn keep(&mut self, payload: Payload, task: &TaskInfo) -> Option<Payload> {
        if self.first.is_none() {
            self.first = Some(payload);
            return None;
        }
        if self.more.len() < KEPT {
            self.more.push(format!("`{}` in {task}", message(&payload)));
        } else {
            self.uncounted += 1;
        }
        Some(payload)
    }

    fn judge(&mut self, end: End, task: &TaskInfo, cause: Option<&Cause>) -> Verdict {
        self.tally.last = task.index();
        let (policy, tally) = (&self.policy, &self.tally);
        // A predicate is user code.
        match catch_unwind(AssertUnwindSafe(|| policy.judge(tally, end, task, cause))) {
            Ok(verdict) => verdict,
            Err(payload) => {
                let cause = Cause::Panicked(task.clone(), message(&payload).into());
                if let Some(payload) = self.keep(payload, task) {
                    discard(payload);
                }
                Verdict::cancel(cause)
            }
        }
    }

    #[cfg(all(test, not(wg_loom)))]
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Closes the ledger; `body` is the panic of the scope's own body, if it ended with one.
    ///
    /// The body is one more child, and its panic comes first (rule 2), unless it is the echo of a
    /// task's.
    pub(crate) fn close(mut self, body: Option<Payload>) -> Conclusion {
        let unwind = match (body.map(|body| body.downcast::<Stopped>()), self.first.take()) {
            (None, None) => self.echo.take().map_or(Unwind::Not, Unwind::Echo),
            (Some(Ok(echo)), None) => Unwind::Echo(*echo),
            (None | Some(Ok(_)), Some(first)) => Unwind::Panic { first, more: self.summary() },
            (Some(Err(own)), task) => {
                if let Some(task) = task {
                    self.more.insert(0, format!("`{}` in a task", message(&task)));
                    discard(task);
                }
                Unwind::Panic { first: own, more: self.summary() }
            }
        };
        let (failed, strays) = (self.policy.failed(&self.tally), self.strays.unwrap_or_default());
        Conclusion { unwind, failed, tally: self.tally, strays }
    }

    fn summary(&self) -> Option<String> {
        let count = self.more.len() + self.uncounted;
        if count == 0 {
            return None;
        }
        let tasks = if count == 1 { "task" } else { "tasks" };
        let rest = if self.uncounted == 0 { "" } else { ", …" };
        Some(format!("{count} more {tasks} panicked: {}{rest}", self.more.join(", ")))
    }
}

/// In the number that orders failures by completion: the task had been told that it was stopped, so
/// its error may be the echo of another, and comes after all that are not.
const ECHO: usize = 1 << (usize::BITS - 1);

/// Puts an error that may be an echo behind those that are not.
pub(crate) fn as_echo(order: usize) -> usize {
    order | ECHO
}

/// Whether an error may be an echo, by its place in the order.
pub(crate) fn is_echo(order: usize) -> bool {
    order & ECHO != 0
}

/// Returns what those are told who wait in vain in a scope that was cancelled for this cause. There
/// is none where a policy skips single tasks.
pub(crate) fn stopped(cause: Option<Cause>) -> Stopped {
    Stopped::new(cause.unwrap_or(Cause::Decided))
}

/// Returns what those are told who wait for a task that panicked with this payload.
pub(crate) fn echo(payload: &Payload, task: &TaskInfo) -> Stopped {
    match payload.downcast_ref::<Stopped>() {
        Some(echo) => echo.clone(),
        None => Stopped::new(Cause::Panicked(task.clone(), message(payload).into())),
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use super::*;
    use crate::task_info::Label;
    use std::panic::Location;

    fn panic_with(text: &'static str) -> Payload {
        Box::new(text)
    }

    fn task(index: u64) -> TaskInfo {
        TaskInfo::new(index, Label::at(Location::caller()))
    }

    fn is_cancel(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Cancel(_))
    }

    fn close(ledger: Ledger, body: Option<Payload>) -> Result<(), (String, Option<String>)> {
        match ledger.close(body).unwind {
            Unwind::Not => Ok(()),
            Unwind::Echo(stopped) => Err((stopped.to_string(), None)),
            Unwind::Panic { first, more } => Err((message(&first).to_owned(), more)),
        }
    }

    fn an_echo() -> Payload {
        Box::new(Stopped::new(Cause::Decided))
    }

    #[test]
    fn rule_05_the_first_panic_cancels_the_rest_and_is_the_one_resumed() {
        let mut ledger = Ledger::default();
        let first = ledger.panicked(panic_with("a"), &task(0), false);
        assert!(is_cancel(&first.verdict));
        assert!(matches!(first.back, Back::Kept));
        let second = ledger.panicked(panic_with("b"), &task(1), false);
        assert!(matches!(second.back, Back::Unneeded(_)));
        let (first, more) = close(ledger, None).unwrap_err();
        assert_eq!(first, "a");
        assert!(more.unwrap().starts_with("1 more task panicked: `b` in task#1 spawned at "));
    }

    #[test]
    fn rule_05_many_panics_are_all_counted_and_the_first_few_quoted() {
        let mut ledger = Ledger::default();
        for index in 0..=KEPT + 5 {
            let _ = ledger.panicked(panic_with("x"), &task(index as u64), false);
        }
        let (_, more) = close(ledger, None).unwrap_err();
        let more = more.unwrap();
        assert!(more.starts_with("13 more tasks panicked: `x`"), "{more}");
        assert!(more.ends_with(", …"), "{more}");
    }

    #[test]
    fn rule_05_caught_panics_are_failures_for_the_policy() {
        let mut ledger = Ledger::new(Policy::collect_all(), true);
        let caught = ledger.panicked(panic_with("a"), &task(0), false);
        assert_eq!(caught.verdict, Verdict::Continue);
        assert!(matches!(caught.back, Back::Failure(..)));
        let conclusion = ledger.close(None);
        assert!(conclusion.failed && matches!(conclusion.unwind, Unwind::Not));

        let mut ledger = Ledger::new(Policy::fail_fast(), true);
        assert!(is_cancel(&ledger.panicked(panic_with("a"), &task(0), false).verdict));
    }

    #[test]
    fn rule_02_the_bodys_own_panic_comes_first() {
        let mut ledger = Ledger::default();
        let _ = ledger.panicked(panic_with("task"), &task(0), false);
        let (first, more) = close(ledger, Some(panic_with("body"))).unwrap_err();
        assert_eq!(first, "body");
        assert_eq!(more.unwrap(), "1 more task panicked: `task` in a task");
    }

    #[test]
    fn rule_05_a_scope_with_a_stopped_task_passes_the_echo_on() {
        let mut ledger = Ledger::default();
        assert!(is_cancel(&ledger.panicked(an_echo(), &task(0), false).verdict));
        assert!(close(ledger, None).unwrap_err().0.starts_with("stopped: "));
    }

    #[test]
    fn rule_05_an_echo_is_no_panic_of_its_own() {
        let mut ledger = Ledger::default();
        let _ = ledger.panicked(panic_with("real"), &task(0), false);
        assert_eq!(ledger.panicked(an_echo(), &task(1), false).verdict, Verdict::Continue);
        assert_eq!(ledger.tally().panics, 1);
        assert_eq!(close(ledger, Some(an_echo())), Err(("real".to_owned(), None)));
        assert_eq!(close(Ledger::default(), None), Ok(()));
    }

    #[test]
    fn rule_05_an_echo_of_this_scopes_own_cancel_is_a_cancelled_task() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.panicked(an_echo(), &task(0), true).verdict, Verdict::Continue);
        assert_eq!(ledger.tally().cancelled, 1);
        assert_eq!(close(ledger, None), Ok(()));
    }

    #[test]
    fn rule_06_the_first_error_cancels_the_rest() {
        let mut ledger = Ledger::default();
        let (order, verdict) = ledger.error(&task(4));
        assert_eq!((order, verdict), (0, Verdict::cancel(Cause::Failed(task(4)))));
        assert_eq!(ledger.error(&task(2)).0, 1);
        assert!(ledger.close(None).failed);
    }

    #[test]
    fn rule_06_the_lowest_index_cuts_instead_of_cancelling() {
        let mut ledger = Ledger::new(Policy::fail_fast().lowest_index(), false);
        assert_eq!(ledger.error(&task(4)).1, Verdict::Cut(4));
    }

    #[test]
    fn rule_08_a_cancelled_task_is_no_error() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.cancelled(&task(0)), Verdict::Continue);
        let conclusion = ledger.close(None);
        assert!(!conclusion.failed);
        assert_eq!(conclusion.tally.cancelled, 1);
    }

    #[test]
    fn a_quorum_is_decided_by_values_and_failed_without_them() {
        let mut ledger = Ledger::new(Policy::quorum(2), false);
        assert_eq!(ledger.error(&task(0)).1, Verdict::Continue);
        assert_eq!(ledger.value(&task(1)), Verdict::Continue);
        assert_eq!(ledger.value(&task(2)), Verdict::cancel(Cause::Decided));
        assert!(!ledger.close(None).failed);
        assert!(Ledger::new(Policy::quorum(2), false).close(None).failed);
    }

    #[test]
    fn a_predicate_decides_and_its_panic_is_a_panic_of_the_scope() {
        let mut ledger = Ledger::new(Policy::until(|tally| tally.errors == 2), false);
        assert_eq!(ledger.error(&task(0)).1, Verdict::Continue);
        assert_eq!(ledger.error(&task(1)).1, Verdict::cancel(Cause::Decided));
        assert!(!ledger.close(None).failed);

        let mut ledger = Ledger::new(Policy::until(|_| panic!("predicate")), false);
        assert!(is_cancel(&ledger.value(&task(0))));
        assert_eq!(close(ledger, None).unwrap_err().0, "predicate");
    }
}
