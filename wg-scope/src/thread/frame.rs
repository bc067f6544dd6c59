//! In which of this room's scopes a thread stands, in their bodies and tasks, from the outermost to
//! the innermost.

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use wg_core::sync;

use super::shared::{Opener, Shared};
use super::stack;
use crate::context::{self, Context, Role};

struct Frame {
    scope: Arc<Shared>,
    role: Role,
}

sync::thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Ends a frame when it is dropped. Frames end in the reverse order of their beginnings.
pub(super) struct Entered {
    /// What the thread did before in the same scope, if that was the innermost.
    before: Option<Role>,
    _context: context::Entered,
}

/// Enters a frame. In a thread whose locals are gone already, there are no frames: its scopes hear
/// of no outer one.
pub(super) fn enter(scope: &Arc<Shared>, role: Role) -> Entered {
    let enter = |frames: &RefCell<Vec<Frame>>| {
        let mut frames = frames.borrow_mut();
        match frames.last_mut() {
            // Another frame of the same scope says nothing that its role does not.
            Some(last) if Arc::ptr_eq(&last.scope, scope) => {
                return Some(mem::replace(&mut last.role, role));
            }
            Some(_) => {}
            None => stack::begin(),
        }
        frames.push(Frame { scope: Arc::clone(scope), role });
        None
    };
    let before = FRAMES.try_with(enter).ok().flatten();
    Entered { before, _context: context::enter(&scope.node, role) }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let leave = |frames: &RefCell<Vec<Frame>>| {
            let mut frames = frames.borrow_mut();
            match (self.before, frames.last_mut()) {
                (Some(before), Some(last)) => {
                    last.role = before;
                    None
                }
                _ => frames.pop(),
            }
        };
        let frame = FRAMES.try_with(leave);
        drop(frame);
    }
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
pub(super) struct Frames(Vec<Frame>, Context);

/// Has this thread stand there, and returns where it stood.
pub(super) fn exchange(frames: Frames) -> Frames {
    let Frames(frames, context) = frames;
    let before = FRAMES.try_with(|own| own.replace(frames)).unwrap_or_default();
    Frames(before, context::exchange(context))
}
