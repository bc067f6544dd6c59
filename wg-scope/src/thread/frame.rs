//! Where a thread stands: in which scopes' bodies and tasks, from the outermost to the innermost.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use wg_core::sync;

use super::shared::{Opener, Shared};
use super::stack;
use crate::cancel::Node;
use crate::cause::Stopped;

/// What a thread does in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It runs the body, or waits at the end. It holds no slot.
    Body,
    /// It runs a task, in a slot.
    Task,
}

struct Frame {
    scope: Arc<Shared>,
    role: Role,
}

sync::thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
    /// How often somebody on this thread was told that he is stopped.
    static TOLD: Cell<u64> = const { Cell::new(0) };
}

/// Ends a frame when it is dropped. Frames end in the reverse order of their beginnings.
pub(super) struct Entered(());

/// Enters a frame. In a thread whose locals are gone already, there are no frames: its scopes hear
/// of no outer one.
pub(super) fn enter(scope: &Arc<Shared>, role: Role) -> Entered {
    let frame = Frame { scope: Arc::clone(scope), role };
    let _ = FRAMES.try_with(|frames| {
        let mut frames = frames.borrow_mut();
        if frames.is_empty() {
            stack::begin();
        }
        frames.push(frame);
    });
    Entered(())
}

impl Drop for Entered {
    fn drop(&mut self) {
        let frame = FRAMES.try_with(|frames| frames.borrow_mut().pop());
        drop(frame);
    }
}

/// Enters that somebody on this thread is told that he is stopped: an error that he returns from now
/// on may be the echo of that.
pub(super) fn tell(stopped: Stopped) -> Stopped {
    let _ = TOLD.try_with(|told| told.set(told.get() + 1));
    stopped
}

/// Returns how often that has happened.
pub(super) fn told() -> u64 {
    TOLD.try_with(Cell::get).unwrap_or_default()
}

/// Returns the place in the tree of the innermost scope that this thread is in.
pub(super) fn innermost() -> Option<Arc<Node>> {
    let node = |frames: &RefCell<Vec<Frame>>| {
        frames.borrow().last().map(|frame| Arc::clone(&frame.scope.node))
    };
    FRAMES.try_with(node).ok().flatten()
}

/// Returns what this thread does in this scope; None if it is not in it.
pub(super) fn role_in(scope: &Arc<Shared>) -> Option<Role> {
    let role = |frames: &RefCell<Vec<Frame>>| {
        let frames = frames.borrow();
        frames.iter().rev().find(|frame| Arc::ptr_eq(&frame.scope, scope)).map(|frame| frame.role)
    };
    FRAMES.try_with(role).ok().flatten()
}

/// Returns who opens a scope on this thread.
pub(super) fn opener() -> Option<Opener> {
    let opener = |frames: &RefCell<Vec<Frame>>| {
        let frames = frames.borrow();
        let frame = frames.last()?;
        Some(Opener { scope: Arc::downgrade(&frame.scope), in_task: frame.role == Role::Task })
    };
    FRAMES.try_with(opener).ok().flatten()
}

/// Whether what this thread does was started by a task of `scope`, in a scope that this task opened
/// and cannot leave before.
pub(super) fn is_inside_a_task_of(scope: &Arc<Shared>) -> bool {
    let is_inside = |frames: &RefCell<Vec<Frame>>| {
        let frames = frames.borrow();
        let mut last = None;
        // A body's scope was opened by the frame before it.
        frames.iter().filter(|frame| frame.role == Role::Task).any(|frame| {
            let place = Arc::as_ptr(&frame.scope);
            last.replace(place) != Some(place) && frame.scope.was_opened_inside_a_task_of(scope)
        })
    };
    FRAMES.try_with(is_inside).unwrap_or_default()
}

/// Returns the scopes of which this thread runs a task, once each, in an order that is the same for
/// all threads.
pub(super) fn slots() -> Vec<Arc<Shared>> {
    let slots = |frames: &RefCell<Vec<Frame>>| {
        let mut slots: Vec<Arc<Shared>> = Vec::new();
        for frame in frames.borrow().iter() {
            let is_task = frame.role == Role::Task;
            if is_task && !slots.iter().rev().any(|scope| Arc::ptr_eq(scope, &frame.scope)) {
                slots.push(Arc::clone(&frame.scope));
            }
        }
        slots.sort_unstable_by_key(Arc::as_ptr);
        slots
    };
    FRAMES.try_with(slots).unwrap_or_default()
}

/// Where a thread stands, as it can be handed on to another one.
#[derive(Default)]
pub(super) struct Frames(Vec<Frame>);

/// Has this thread stand there, and returns where it stood.
pub(super) fn exchange(frames: Frames) -> Frames {
    Frames(FRAMES.try_with(|own| own.replace(frames.0)).unwrap_or_default())
}
