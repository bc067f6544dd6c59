//! A scope from its beginning to its end, whatever its body is handed.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::frame::{self, Entered, Role};
use super::runner::finish;
use super::shared::Shared;
use super::timer::{self, Watched};
use crate::cancel::{Node, Relation};
use crate::cause::Cause;
use crate::ledger::{Conclusion, Unwind, stopped};
use crate::options::Options;
use crate::outcome::{Payload, discard, drop_caught};
use crate::policy::Policy;

/// A scope that has begun, and has a place in the tree.
pub(super) struct Entry {
    shared: Arc<Shared>,
    watched: Option<Watched>,
    frame: Option<Entered>,
}

impl Entry {
    pub(super) fn new(options: &Options, policy: Policy) -> Self {
        let outer = if options.shielded { None } else { frame::innermost() };
        let outer = outer.as_ref().map(|node| (node, Relation::Inside));
        let by_hand = options.cancel.as_ref().map(|cancel| (cancel.node(), Relation::Same));
        let above: Vec<_> = outer.into_iter().chain(by_hand).collect();
        let node = Node::new(&above, options.deadline_from_now());
        let shared = Arc::new(Shared::new(options, policy, node, frame::opener()));
        let watched = timer::watch(&shared.node);
        let frame = Some(frame::enter(&shared, Role::Body));
        Entry { shared, watched, frame }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Runs the body, and returns when it and every task have ended.
    pub(super) fn run<R>(&self, body: impl FnOnce() -> R) -> Result<R, Payload> {
        let result = catch_unwind(AssertUnwindSafe(body));
        if result.is_err() {
            self.shared.node.cancel(Cause::BodyFailed);
        }
        result
    }

    /// Returns when every task has ended, and what came of it all.
    pub(super) fn close(&mut self, body: Option<Payload>) -> Conclusion {
        finish(&self.shared);
        self.frame = None;
        self.watched = None;
        let mut conclusion = self.shared.close(body);
        // Whoever wrote this scope did not ask for it to be cancelled: to return as if all had been
        // done would pass nothing off as something.
        let lost = conclusion.tally.cancelled > 0;
        if let (Unwind::Not, true, Some(cause @ Cause::Outer(_))) =
            (&conclusion.unwind, lost, self.shared.node.cause())
        {
            conclusion.unwind = Unwind::Echo(stopped(Some(cause)));
        }
        conclusion
    }
}

pub(super) fn split<R>(result: Result<R, Payload>) -> (Option<R>, Option<Payload>) {
    match result {
        Ok(result) => (Some(result), None),
        Err(payload) => (None, Some(payload)),
    }
}

/// Unwinds out of a scope, after dropping what its body returned.
#[track_caller]
pub(super) fn unwinding<R>(
    unwind: Unwind,
    unused: Option<R>,
    scope: &Shared,
    site: &Location<'_>,
) -> ! {
    if let Err(payload) = drop_caught(unused) {
        discard(payload);
    }
    match unwind {
        Unwind::Panic { first, more } => {
            if let Some(more) = more {
                // Not `eprintln!`, which panics where standard error cannot be written.
                let _ = writeln!(io::stderr(), "in the scope at {site}: {more}");
            }
            resume_unwind(first)
        }
        Unwind::Echo(stopped) => {
            let outer = matches!(scope.node.cause(), Some(Cause::Outer(_)));
            if outer || frame::innermost().is_some_and(|outer| outer.is_cancelled()) {
                // Whoever cancelled the outer scope tells of it.
                resume_unwind(Box::new(stopped))
            }
            panic!("{stopped}")
        }
        Unwind::Not => unreachable!("there is nothing to unwind for"),
    }
}
