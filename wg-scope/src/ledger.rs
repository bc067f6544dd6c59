//! What a scope knows of its tasks' ends, and what it decides from it. Every shell asks here.

use std::panic::Location;

use crate::outcome::{Payload, Stopped, discard, message};

/// How many further panics are kept by their words; beyond that they are only counted.
const KEPT: usize = 8;

/// The panics of one scope: the first whole, the others by their words.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    first: Option<Payload>,
    /// Whether a task of this scope was stopped by the panic of an outer scope's task.
    stopped: bool,
    more: Vec<String>,
    uncounted: usize,
}

/// What one more panic means for the scope.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Continue,
    /// Cancel the tasks that have not begun.
    CancelRest,
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Ledger { first: None, stopped: false, more: Vec::new(), uncounted: 0 }
    }

    /// Enters a panic. The payload comes back if it is not the one to be resumed; the caller
    /// discards it when no lock is held, because its drop is user code.
    pub(crate) fn panicked(
        &mut self,
        payload: Payload,
        site: &Location<'_>,
    ) -> (Verdict, Option<Payload>) {
        if payload.is::<Stopped>() {
            // An echo of a panic that is in a ledger already. If not in this one, then in an outer
            // scope's: no panic of this scope, which has failed all the same.
            if self.first.is_some() {
                return (Verdict::Continue, Some(payload));
            }
            self.stopped = true;
            return (Verdict::CancelRest, Some(payload));
        }
        if self.first.is_none() {
            self.first = Some(payload);
            return (Verdict::CancelRest, None);
        }
        if self.more.len() < KEPT {
            self.more.push(format!("`{}` (spawned at {site})", message(&payload)));
        } else {
            self.uncounted += 1;
        }
        (Verdict::Continue, Some(payload))
    }

    /// Closes the ledger: `body` is how the scope's own body ended. Returns what the scope
    /// returns or resumes.
    ///
    /// The body is one more child, and its panic comes first (rule 2), unless it is the echo of a
    /// task's.
    pub(crate) fn close<R>(mut self, body: Result<R, Payload>) -> Closed<R> {
        let (body, first) = match (body, self.first.take()) {
            (Ok(result), None) if !self.stopped => return Closed::Returned(result),
            (Ok(result), first) => (Some(result), first.unwrap_or_else(|| Box::new(Stopped))),
            (Err(echo), Some(first)) if echo.is::<Stopped>() => {
                discard(echo);
                (None, first)
            }
            (Err(own), first) => {
                if let Some(task) = first {
                    self.more.insert(0, format!("`{}` (in a task)", message(&task)));
                    discard(task);
                }
                (None, own)
            }
        };
        Closed::Panicked { first, unused: body, more: self.summary() }
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

/// What a scope is left with.
pub(crate) enum Closed<R> {
    /// Return this.
    Returned(R),
    /// Resume `first`, after telling of `more` and dropping the body's result.
    Panicked { first: Payload, unused: Option<R>, more: Option<String> },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic_with(text: &'static str) -> Payload {
        Box::new(text)
    }

    fn close(ledger: Ledger, body: Result<u8, Payload>) -> Result<u8, (String, Option<String>)> {
        match ledger.close(body) {
            Closed::Returned(result) => Ok(result),
            Closed::Panicked { first, more, .. } => Err((message(&first).to_owned(), more)),
        }
    }

    #[test]
    fn rule_05_the_first_panic_cancels_the_rest_and_is_the_one_resumed() {
        let site = Location::caller();
        let mut ledger = Ledger::new();
        let (verdict, back) = ledger.panicked(panic_with("a"), site);
        assert_eq!(verdict, Verdict::CancelRest);
        assert!(back.is_none());
        let (verdict, back) = ledger.panicked(panic_with("b"), site);
        assert_eq!(verdict, Verdict::Continue);
        assert_eq!(message(&back.unwrap()), "b");
        let (first, more) = close(ledger, Ok(1)).unwrap_err();
        assert_eq!(first, "a");
        assert_eq!(more.unwrap(), format!("1 more task panicked: `b` (spawned at {site})"));
    }

    #[test]
    fn rule_05_many_panics_are_all_counted_and_the_first_few_quoted() {
        let mut ledger = Ledger::new();
        for _ in 0..=KEPT + 5 {
            let _ = ledger.panicked(panic_with("x"), Location::caller());
        }
        let (_, more) = close(ledger, Ok(1)).unwrap_err();
        let more = more.unwrap();
        assert!(more.starts_with("13 more tasks panicked: `x`"), "{more}");
        assert!(more.ends_with(", …"), "{more}");
    }

    #[test]
    fn rule_02_the_bodys_own_panic_comes_first() {
        let mut ledger = Ledger::new();
        let _ = ledger.panicked(panic_with("task"), Location::caller());
        let (first, more) = close(ledger, Err(panic_with("body"))).unwrap_err();
        assert_eq!(first, "body");
        assert_eq!(more.unwrap(), "1 more task panicked: `task` (in a task)");
    }

    #[test]
    fn rule_05_a_scope_with_a_stopped_task_passes_the_echo_on() {
        let mut ledger = Ledger::new();
        let _ = ledger.panicked(Box::new(Stopped), Location::caller());
        let Closed::Panicked { first, more, .. } = ledger.close(Ok(1)) else { panic!("returned") };
        assert!(first.is::<Stopped>());
        assert_eq!(more, None);
    }

    #[test]
    fn rule_05_an_echo_is_no_panic_of_its_own() {
        let mut ledger = Ledger::new();
        let (verdict, back) = ledger.panicked(Box::new(Stopped), Location::caller());
        assert_eq!(verdict, Verdict::CancelRest);
        assert!(back.is_some());
        let _ = ledger.panicked(panic_with("real"), Location::caller());
        let (verdict, _) = ledger.panicked(Box::new(Stopped), Location::caller());
        assert_eq!(verdict, Verdict::Continue);
        assert_eq!(close(ledger, Err(Box::new(Stopped))), Err(("real".to_owned(), None)));
        assert_eq!(close(Ledger::new(), Ok(7)), Ok(7));
    }
}
