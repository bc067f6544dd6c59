//! A task as it lies in memory: one allocation with two owners, the job that does it and the claim of
//! its handle. Whoever lets go of it last frees it.
//!
//! The closure is the job's alone, and there is one job: it is in the queue, in a hand, or with the one
//! who runs it. What came of it lies in the same place, and becomes the claim's with one change of the
//! state. So a task costs two such changes from its spawn to its end, one by each owner.
#![allow(unsafe_code)]

use std::mem::{needs_drop, replace};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::Waker;

use wg_core::sync::{AtomicU64, Ordering, UnsafeCell};

use super::job::{Header, Once, Table};
use super::large::Value;
use super::running::Running;
use super::shared::Shared;
use super::todo::{Executed, Todo};
use crate::blocks::{self, Held};
use crate::outcome::Outcome;
use crate::settle::Settle;
use crate::task_info::{Tag, TaskInfo};
use crate::timeline::Ended;

/// The job has laid down the outcome, and does not touch the cell any more.
const ENDED: u64 = 1;
/// There is no claim any more.
const UNCLAIMED: u64 = 2;
/// The claim's waker is with the scope, to be called at the end.
const AWAITED: u64 = 4;

/// The header comes first, so that a pointer to it is one to the cell.
#[repr(C)]
struct Cell<'scope, F, T, L, S> {
    header: Header,
    todo: Todo<'scope, L, S>,
    place: UnsafeCell<Place<F, T>>,
}

enum Place<F, T> {
    Closure(F),
    Outcome(Outcome<T>, usize),
    Empty,
}

/// The handle's part of a task: its outcome, once.
pub(super) struct Claim<'scope, T> {
    cell: NonNull<dyn Claimed<T> + 'scope>,
    index: u64,
}

// SAFETY: What a cell holds may change threads: `new` asks for it.
unsafe impl<T: Send> Send for Claim<'_, T> {}
// SAFETY: By reference a claim reads the state and what nobody changes; an outcome is taken by
// `&mut` only.
unsafe impl<T: Send> Sync for Claim<'_, T> {}

/// A cell as its claim sees it.
trait Claimed<T> {
    fn state(&self) -> &AtomicU64;

    fn scope(&self) -> &Arc<Shared>;

    fn info(&self, index: u64) -> TaskInfo;

    /// Takes what was laid down, if nobody has.
    ///
    /// # Safety
    ///
    /// The task must have been seen as ended, and nobody else may look at the place meanwhile.
    unsafe fn take(&self) -> Option<Outcome<T>>;

    /// Settles what was laid down, if nobody has taken it.
    ///
    /// # Safety
    ///
    /// As for [`take`](Self::take).
    unsafe fn forgo(&self, index: u64);
}

/// Creates a task, whose value is claimed as a `T`. `queue` puts its job into a queue and returns its
/// index there.
///
/// # Safety
///
/// `queue` must see to it that the job has been run before `'scope` ends.
pub(super) unsafe fn new<'scope, F, V, L, S, T>(
    todo: Todo<'scope, L, S>,
    closure: F,
    queue: impl FnOnce(Once) -> u64,
) -> Claim<'scope, T>
where
    F: FnOnce() -> V + Send + 'scope,
    V: Value<T> + Send + 'scope,
    L: Tag + Send + Sync + 'scope,
    S: Settle<V> + Send + Sync + 'scope,
{
    let (cell, job) = Cell::boxed(todo, closure, 0);
    Claim { cell, index: queue(job) }
}

/// As [`new`], without a claim.
///
/// # Safety
///
/// The job must have been run before `'scope` ends.
pub(super) unsafe fn unclaimed<'scope, F, T, L, S>(todo: Todo<'scope, L, S>, closure: F) -> Once
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
    L: Tag + Send + Sync + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    Cell::boxed(todo, closure, UNCLAIMED).1
}

impl<'scope, F, T, L, S> Cell<'scope, F, T, L, S>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
    L: Tag + Send + Sync + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    const TABLE: &'static Table = &Table { run: Self::run, enter: Self::enter, info: Self::info };

    fn boxed(todo: Todo<'scope, L, S>, closure: F, state: u64) -> (NonNull<Self>, Once) {
        let cell = blocks::put_made(|| {
            let header = Header { state: AtomicU64::new(state), table: Self::TABLE };
            Cell { header, todo, place: UnsafeCell::new(Place::Closure(closure)) }
        });
        // SAFETY: The table is that of the cell's types, all that is in it may change threads, and
        // this is the one job.
        (cell, unsafe { Once::of(cell.cast()) })
    }

    /// Runs the task, and lets go of the cell. `from` and what this returns: as in `Job::run_after`.
    ///
    /// # Safety
    ///
    /// `cell` must be the header of a cell of these types, and the job's, which is used up by this.
    unsafe fn run(cell: NonNull<Header>, index: u64, from: Option<Ended>) -> Option<Ended> {
        let this: NonNull<Self> = cell.cast();
        // SAFETY: The job has not let go of it, so it is there.
        let cell = unsafe { this.as_ref() };
        // SAFETY: Nobody but the job touches the place before the task has ended.
        let place = cell.place.with_mut(|place| unsafe { replace(&mut *place, Place::Empty) });
        let Place::Closure(closure) = place else { unreachable!("a job runs once") };
        let scope = cell.todo.scope();
        let Executed { outcome, order, verdict, mut ended } =
            cell.todo.execute(index, closure, from);
        // ORDERING: Acquire pairs with the claim's letting go, so that what it did is over before the
        // cell is freed here.
        let before = cell.header.state.load(Ordering::Acquire);
        if before & UNCLAIMED != 0 {
            if before & AWAITED != 0 {
                scope.call_joiner(index);
            }
            // SAFETY: The claim has let go, or never was: the cell is this one's alone, and was made
            // by `boxed`.
            let cell = unsafe { Held::of(this) };
            cell.todo.forgo(index, outcome, order);
            // That drop may take its time.
            ended = ended.filter(|_| !needs_drop::<T>());
        } else {
            // SAFETY: As above.
            cell.place.with_mut(|place| unsafe { *place = Place::Outcome(outcome, order) });
            // From here on the claim may free the cell.
            // ORDERING: Release lays the outcome down for the claim. Acquire as above.
            let before = cell.header.state.fetch_or(ENDED, Ordering::AcqRel);
            if before & AWAITED != 0 {
                scope.call_joiner(index);
            }
            if before & UNCLAIMED != 0 {
                // SAFETY: As above.
                let cell = unsafe { Held::of(this) };
                // SAFETY: As above, and the task has ended.
                unsafe { cell.settle(index) };
                ended = ended.filter(|_| !needs_drop::<T>());
            }
        }
        scope.obey(verdict);
        ended
    }

    /// # Safety
    ///
    /// `cell` must be the header of a cell of these types that is there.
    unsafe fn enter(cell: NonNull<Header>, index: u64, place: &mut Option<Running>) {
        // SAFETY: As promised.
        let todo = &unsafe { cell.cast::<Self>().as_ref() }.todo;
        *place = Some(Running::new(todo.note(index)));
    }

    /// # Safety
    ///
    /// As for [`enter`](Self::enter).
    unsafe fn info(cell: NonNull<Header>, index: u64) -> TaskInfo {
        // SAFETY: As promised.
        let todo = &unsafe { cell.cast::<Self>().as_ref() }.todo;
        todo.task(index)
    }
}

impl<F, V, L: Tag, S: Settle<V>> Cell<'_, F, V, L, S> {
    /// # Safety
    ///
    /// As for [`Claimed::take`].
    unsafe fn outcome(&self) -> Option<(Outcome<V>, usize)> {
        // SAFETY: The job does not touch the place any more, and nobody else does, as promised.
        match self.place.with_mut(|place| unsafe { replace(&mut *place, Place::Empty) }) {
            Place::Outcome(outcome, order) => Some((outcome, order)),
            Place::Closure(_) | Place::Empty => None,
        }
    }

    /// # Safety
    ///
    /// As for [`Claimed::take`].
    unsafe fn settle(&self, index: u64) {
        // SAFETY: As promised.
        if let Some((outcome, order)) = unsafe { self.outcome() } {
            self.todo.forgo(index, outcome, order);
        }
    }
}

impl<F, V: Value<T>, L: Tag, S: Settle<V>, T> Claimed<T> for Cell<'_, F, V, L, S> {
    fn state(&self) -> &AtomicU64 {
        &self.header.state
    }

    fn scope(&self) -> &Arc<Shared> {
        self.todo.scope()
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.todo.task(index)
    }

    unsafe fn take(&self) -> Option<Outcome<T>> {
        // SAFETY: As promised.
        match unsafe { self.outcome() }?.0 {
            Outcome::Value(value) => Some(Outcome::Value(value.into_value())),
            Outcome::Lost(stopped) => Some(Outcome::Lost(stopped)),
        }
    }

    unsafe fn forgo(&self, index: u64) {
        // SAFETY: As promised.
        unsafe { self.settle(index) }
    }
}

impl<T> Claim<'_, T> {
    fn cell(&self) -> &(dyn Claimed<T> + '_) {
        // SAFETY: The claim has not let go of it.
        unsafe { self.cell.as_ref() }
    }

    pub(super) fn index(&self) -> u64 {
        self.index
    }

    pub(super) fn scope(&self) -> &Arc<Shared> {
        self.cell().scope()
    }

    pub(super) fn info(&self) -> TaskInfo {
        self.cell().info(self.index)
    }

    /// Whether the task has ended.
    pub(super) fn has_ended(&self) -> bool {
        // ORDERING: Acquire pairs with the job's laying down.
        self.cell().state().load(Ordering::Acquire) & ENDED != 0
    }

    /// Takes the outcome if it is there. Once it was returned, there is none.
    pub(super) fn take(&mut self) -> Option<Outcome<T>> {
        if !self.has_ended() {
            return None;
        }
        // SAFETY: It has ended, and this is the only claim.
        Some(unsafe { self.cell().take() }.expect("a task is joined once"))
    }

    /// As [`take`](Self::take). If it is not there, `waker` is woken when it is.
    pub(super) fn take_or_await(&mut self, waker: &Waker) -> Option<Outcome<T>> {
        if !self.has_ended() {
            let (scope, index) = (self.scope(), self.index);
            scope.enter_joiner(index, waker);
            // ORDERING: AcqRel. Release hands the waker's entry to the job; Acquire pairs with the
            // job's laying down, if that came first.
            if self.cell().state().fetch_or(AWAITED, Ordering::AcqRel) & ENDED == 0 {
                return None;
            }
            scope.remove_joiner(index);
        }
        self.take()
    }
}

impl<T> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        // ORDERING: AcqRel, as at the end of the job.
        let before = self.cell().state().fetch_or(UNCLAIMED, Ordering::AcqRel);
        if before & ENDED != 0 {
            // SAFETY: The job has let go: the cell is this one's alone, and was made by `boxed`.
            let cell = unsafe { Held::of(self.cell) };
            // SAFETY: As above, and the task has ended.
            unsafe { cell.forgo(self.index) };
        }
    }
}
