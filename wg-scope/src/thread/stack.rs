//! How much of this thread's stack is used, and another stack where that is too much.

use std::cell::Cell;
use std::num::NonZeroUsize;

use wg_core::sync;

/// What std gives a thread that does not say, in bytes.
const USUAL: usize = 2 * 1024 * 1024;

#[derive(Clone, Copy)]
struct Stack {
    /// Where it stood when this thread's first task, or the outermost body, began; 0: never.
    base: usize,
    size: usize,
}

sync::thread_local! {
    static STACK: Cell<Stack> = const { Cell::new(Stack { base: 0, size: USUAL }) };
}

/// Enters that this thread was made for tasks, with a stack of this size.
pub(super) fn made(size: Option<NonZeroUsize>) {
    let size = size.map_or(USUAL, NonZeroUsize::get);
    let _ = STACK.try_with(|stack| stack.set(Stack { base: sync::stack_stands_at(), size }));
}

/// Enters that what this thread does for scopes begins here.
pub(super) fn begin() {
    let _ =
        STACK.try_with(|stack| stack.set(Stack { base: sync::stack_stands_at(), ..stack.get() }));
}

/// Whether a task that wants a stack of this size may run in place here. A quarter of a stack may
/// be in use: the rest is for the task itself.
pub(super) fn has_room(size: Option<NonZeroUsize>) -> bool {
    let Ok(stack) = STACK.try_with(Cell::get) else { return size.is_none() };
    let used = if stack.base == 0 { 0 } else { stack.base.abs_diff(sync::stack_stands_at()) };
    stack.size >= size.map_or(USUAL, NonZeroUsize::get) && !sync::is_used_up(used, stack.size / 4)
}

/// Calls on a new stack of this size, and returns when that has returned. If there can be none, an
/// error, and nothing was called.
pub(super) fn elsewhere(
    size: Option<NonZeroUsize>,
    call: impl FnOnce() + Send,
) -> std::io::Result<()> {
    sync::elsewhere("wg-stack".to_owned(), size, || {
        made(size);
        call();
    })
}
