//! How a scope is left.

use std::io::{self, Write};
use std::panic::{Location, resume_unwind};

use crate::cause::Cause;
use crate::context;
use crate::ledger::Unwind;
use crate::outcome::{Payload, discard, drop_caught};
use crate::record::Record;

pub(crate) fn split<R>(result: Result<R, Payload>) -> (Option<R>, Option<Payload>) {
    match result {
        Ok(result) => (Some(result), None),
        Err(payload) => (None, Some(payload)),
    }
}

/// Unwinds out of a scope, after dropping what its body returned.
#[track_caller]
pub(crate) fn unwinding<R>(
    unwind: Unwind,
    unused: Option<R>,
    record: &Record,
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
            let outer = matches!(record.node.cause(), Some(Cause::Outer(_)));
            if outer || context::innermost().is_some_and(|outer| outer.is_cancelled()) {
                // Whoever cancelled the outer scope tells of it.
                resume_unwind(Box::new(stopped))
            }
            panic!("{stopped}")
        }
        Unwind::Not => unreachable!("there is nothing to unwind for"),
    }
}
