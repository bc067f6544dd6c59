//! A scope from its beginning to its end, whatever its body is handed.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use super::frame::{self, Entered};
use super::runner::finish;
use super::shared::Shared;
use crate::cause::Cause;
use crate::context::{self, Role};
use crate::ledger::Conclusion;
use crate::options::Options;
use crate::outcome::Payload;
use crate::policy::Policy;
use crate::timer::{self, Watched};
use crate::trace;

/// A scope that has begun, and has a place in the tree.
pub(super) struct Entry {
    shared: Arc<Shared>,
    stay: Stay,
}

/// That this thread is in a scope, until it is closed.
pub(super) struct Stay {
    watched: Option<Watched>,
    frame: Option<Entered>,
}

impl Entry {
    pub(super) fn new(options: &Options, policy: Policy, site: &'static Location<'static>) -> Self {
        if context::is_polling() {
            trace::blocks(site);
        }
        let shared = Shared::new(options, policy, frame::opener());
        let watched = timer::watch(&shared.node);
        let frame = Some(frame::enter(&shared, Role::Body));
        Entry { shared, stay: Stay { watched, frame } }
    }

    /// For one who has a place for the scope.
    pub(super) fn into_parts(self) -> (Arc<Shared>, Stay) {
        (self.shared, self.stay)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// As [`Stay::run`].
    pub(super) fn run<R>(&self, body: impl FnOnce() -> R) -> Result<R, Payload> {
        self.stay.run(&self.shared, body)
    }

    /// As [`Stay::close`].
    pub(super) fn close(&mut self, body: Option<Payload>) -> Conclusion {
        self.stay.close(&self.shared, body)
    }
}

impl Stay {
    /// Runs the body.
    pub(super) fn run<R>(
        &self,
        scope: &Arc<Shared>,
        body: impl FnOnce() -> R,
    ) -> Result<R, Payload> {
        let result = catch_unwind(AssertUnwindSafe(body));
        if result.is_err() {
            scope.node.cancel(Cause::BodyFailed);
        }
        result
    }

    /// Returns when every task has ended, and what came of it all.
    pub(super) fn close(&mut self, scope: &Arc<Shared>, body: Option<Payload>) -> Conclusion {
        finish(scope);
        self.frame = None;
        self.watched = None;
        scope.close(body)
    }
}
