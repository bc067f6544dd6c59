//! Starting tasks whose results come out of an outlet.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use wg_core::sync::current;

use super::delivery::{Deliver, Queued};
use super::frame;
use super::large::{Unboxing, boxed, is_large};
use super::scope::Scope;
use super::shared::Shared;
use super::sleep::waker;
use super::wait::wait;
use crate::context::Role;
use crate::outlet::Outlet;
use crate::settle::Plain;
use crate::settle::Settle;
use crate::task_info::Label;

/// Starts tasks whose results come out of one [`Results`](crate::Results).
///
/// Made by [`Results::spawner`](crate::Results::spawner) and
/// [`Results::task`](crate::Results::task). Tasks can take it, or a clone of it, with them.
#[must_use = "a spawner that spawns nothing does nothing"]
pub struct Spawner<'scope, 'env, T> {
    scope: &'scope Scope<'scope, 'env>,
    outlet: Arc<Outlet<T>>,
    name: Option<Arc<str>>,
    place: Place,
}

/// Where tasks are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where the results are read.
    Reader,
    Elsewhere,
}

impl<'scope, T: Send + 'scope> Spawner<'scope, '_, T> {
    /// As [`Results::spawn`](crate::Results::spawn). Where the results are gone, the task is
    /// dropped when its turn comes.
    ///
    /// # Blocking
    ///
    /// As [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, task: F) -> usize
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.start(Location::caller(), task, Plain)
    }

    /// Starts a task, waiting for room where that is due. `keep` says what becomes of an outcome
    /// that is no value for the outlet.
    pub(super) fn start<F, R, K>(&self, site: &'static Location<'static>, task: F, keep: K) -> usize
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
        K: Send + Sync + 'scope,
        Deliver<'scope, T, K>: Settle<R> + Send + Sync + 'scope,
    {
        self.make_room();
        let scope = self.scope.shared();
        let label = match &self.name {
            Some(name) => Label::named(name, site),
            None => Label::at(site),
        };
        let ticket = self.outlet.enlist();
        let number = usize::try_from(ticket.number).unwrap_or(usize::MAX);
        let deliver = Deliver { scope, outlet: Arc::clone(&self.outlet), ticket, keep };
        if is_large::<F, R>() {
            let task = Queued::new(scope, label, boxed(task), Unboxing(deliver));
            self.scope.push(Arc::new(task));
        } else {
            self.scope.push(Arc::new(Queued::new(scope, label, task, deliver)));
        }
        number
    }

    /// Waits for room, in the body of a limited scope. There nobody waits for results that the same
    /// thread has to read.
    fn make_room(&self) {
        if self.place == Place::Elsewhere || !self.outlet.is_bounded() {
            return self.scope.make_room();
        }
        let shared = self.scope.shared();
        if shared.is_limited() && frame::role_in(shared) == Some(Role::Body) {
            let room =
                |waker: &_| shared.queue.has_room(Some(&current())) || self.outlet.holds_up(waker);
            // If the scope was cancelled, the task is dropped when its turn comes.
            let _ = wait(shared, None, |waker| room(waker).then_some(()));
        }
    }
}

impl<T> Spawner<'_, '_, T> {
    /// Names the tasks that are spawned through what it returns, for reports and errors.
    pub fn task(&self, name: &str) -> Self {
        Spawner { name: Some(name.into()), ..self.clone() }
    }

    /// Returns whether nobody will read the results, so that tasks that are started now are
    /// dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.outlet.is_unwanted()
    }
}

impl<'scope, 'env, T> Spawner<'scope, 'env, T> {
    /// Creates an outlet, and what starts tasks where it is read.
    pub(super) fn of_reader(scope: &'scope Scope<'scope, 'env>, bound: usize) -> Self {
        let outlet = Arc::new(Outlet::new(bound, waker()));
        Spawner { scope, outlet, name: None, place: Place::Reader }
    }

    pub(super) fn elsewhere(&self) -> Self {
        Spawner { place: Place::Elsewhere, ..self.clone() }
    }

    pub(super) fn outlet(&self) -> &Outlet<T> {
        &self.outlet
    }

    pub(super) fn shared(&self) -> &'scope Arc<Shared> {
        self.scope.shared()
    }
}

impl<T> Clone for Spawner<'_, '_, T> {
    fn clone(&self) -> Self {
        let outlet = Arc::clone(&self.outlet);
        Spawner { scope: self.scope, outlet, name: self.name.clone(), place: self.place }
    }
}

impl<T> fmt::Debug for Spawner<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner")
            .field("outlet", &self.outlet)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
