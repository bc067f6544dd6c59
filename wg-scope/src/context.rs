//! Where a thread stands: in the bodies and tasks of which scopes, of whatever kind, from the
//! outermost to the innermost; and what those on it were told.

use std::cell::{Cell, RefCell};
use std::mem;

use crate::cancel::Lineage;
use crate::cancel::Node;
use crate::cause::Stopped;
use wg_core::sync::{self, Arc};

/// What a thread does in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It runs the body, or waits at the end. It holds no slot.
    Body,
    /// It runs a task, in a slot.
    Task,
    /// It is between the polls of the futures of a scope, in none of them: nobody sees that it stands
    /// here. Whoever it polls next has the place.
    Between,
}

/// Where a thread stands, as it can be handed on to another one.
#[derive(Default)]
pub(crate) struct Context(Vec<Place>);

struct Place {
    node: Arc<Node>,
    role: Role,
    /// Whether what stands here is a future, which is not to block.
    polled: bool,
}

sync::thread_local! {
    static CONTEXT: RefCell<Context> = const { RefCell::new(Context(Vec::new())) };
    /// How often somebody on this thread was told that he is stopped.
    static TOLD: Cell<u64> = const { Cell::new(0) };
}

/// Leaves what was entered when it is dropped, in the reverse order.
#[must_use]
pub(crate) struct Entered {
    /// What the thread did before in the same scope, if that was the innermost.
    before: Option<Role>,
}

/// Enters a scope. In a thread whose locals are gone already, nothing is known: its scopes hear of
/// no outer one.
pub(crate) fn enter(node: &Arc<Node>, role: Role) -> Entered {
    let again = |context: &RefCell<Context>| {
        let mut context = context.borrow_mut();
        let last = context.0.last_mut().filter(|it| !it.polled && Arc::ptr_eq(&it.node, node));
        last.map(|last| mem::replace(&mut last.role, role))
    };
    match CONTEXT.try_with(again).ok().flatten() {
        Some(before) => Entered { before: Some(before) },
        None => stand(node, role, false),
    }
}

/// As [`enter`], to poll a future.
pub(crate) fn enter_to_poll(node: &Arc<Node>, role: Role) -> Entered {
    let take = |context: &RefCell<Context>| {
        let mut context = context.borrow_mut();
        let last = context.0.last_mut();
        let last = last.filter(|it| it.role == Role::Between && Arc::ptr_eq(&it.node, node));
        last.map(|last| mem::replace(&mut last.role, role))
    };
    match CONTEXT.try_with(take).ok().flatten() {
        Some(before) => Entered { before: Some(before) },
        None => stand(node, role, true),
    }
}

/// Enters a scope of which several futures will be polled, one after the other.
pub(crate) fn enter_to_poll_many(node: &Arc<Node>) -> Entered {
    stand(node, Role::Between, true)
}

impl Context {
    /// Where the thread stands innermost.
    fn last(&self) -> Option<&Place> {
        self.0.iter().rfind(|place| place.role != Role::Between)
    }
}

fn stand(node: &Arc<Node>, role: Role, polled: bool) -> Entered {
    let push = |context: &RefCell<Context>| {
        context.borrow_mut().0.push(Place { node: Arc::clone(node), role, polled });
    };
    let _ = CONTEXT.try_with(push);
    Entered { before: None }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        let Some(before) = self.before else { return leave() };
        let _ = CONTEXT.try_with(|context| {
            if let Some(last) = context.borrow_mut().0.last_mut() {
                last.role = before;
            }
        });
    }
}

fn leave() {
    let left = CONTEXT.try_with(|context| context.borrow_mut().0.pop());
    // Without the borrow: the last who holds a scope's place in the tree drops that.
    drop(left);
}

/// Returns the innermost scope that this thread is in.
pub(crate) fn innermost() -> Option<Arc<Node>> {
    let last =
        |context: &RefCell<Context>| context.borrow().last().map(|place| Arc::clone(&place.node));
    CONTEXT.try_with(last).ok().flatten()
}

/// Whether this thread runs a task of this scope, or something that was started inside of one, and
/// for which that waits.
pub(crate) fn is_in_a_task_of(node: &Arc<Node>) -> bool {
    let is_in = |context: &RefCell<Context>| {
        let context = context.borrow();
        context.0.iter().any(|it| it.role == Role::Task && Arc::ptr_eq(&it.node, node))
            || context.last().is_some_and(|last| last.node.lineage().contains(node))
    };
    CONTEXT.try_with(is_in).unwrap_or_default()
}

/// In whose tasks a scope is opened on this thread now.
pub(crate) fn lineage() -> Lineage {
    let lineage = |context: &RefCell<Context>| match context.borrow().last() {
        Some(Place { node, role: Role::Task, .. }) => node.lineage_of_tasks(),
        Some(Place { node, .. }) => node.lineage(),
        None => Lineage::default(),
    };
    CONTEXT.try_with(lineage).unwrap_or_default()
}

/// Whether this thread polls a future of ours: whoever blocks now holds up what else is polled here.
pub(crate) fn is_polling() -> bool {
    let polls = |context: &RefCell<Context>| context.borrow().last().is_some_and(|it| it.polled);
    CONTEXT.try_with(polls).unwrap_or_default()
}

/// How many bodies and tasks this thread stands in, one inside the other.
pub(crate) fn depth() -> usize {
    CONTEXT.try_with(|context| context.borrow().0.len()).unwrap_or_default()
}

/// Has this thread stand there, and returns where it stood.
pub(crate) fn exchange(context: Context) -> Context {
    CONTEXT.try_with(|own| own.replace(context)).unwrap_or_default()
}

/// Enters that somebody on this thread is told that he is stopped: an error that he returns from now
/// on may be the echo of that.
pub(crate) fn tell(stopped: Stopped) -> Stopped {
    let _ = TOLD.try_with(|told| told.set(told.get() + 1));
    stopped
}

/// Returns how often that has happened.
pub(crate) fn told() -> u64 {
    TOLD.try_with(Cell::get).unwrap_or_default()
}
