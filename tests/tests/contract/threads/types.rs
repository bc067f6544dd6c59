//! Rule 27, the part that compiles: what the types may do, and how they show.

use std::cell::Cell;
use std::error::Error;
use std::panic::{RefUnwindSafe, UnwindSafe};

use wg::{Scope, Stopped, Task};
use wg_tests::until;

#[test]
fn rule_27_scopes_and_handles_may_be_sent_and_shared() {
    const fn holds<T: Send + Sync>() {}
    const {
        holds::<Scope<'_, '_>>();
        holds::<Task<'_, u8>>();
        // Sharing the handle gives nobody the value.
        holds::<Task<'_, Cell<u8>>>();
    }
}

#[test]
fn rule_27_a_scope_may_be_used_where_panics_are_caught() {
    const fn holds<T: UnwindSafe>() {}
    const { holds::<&Scope<'_, '_>>() };
}

#[test]
fn rule_27_stopped_is_a_plain_error() {
    const fn holds<T: Error + Clone + Eq + Send + Sync + UnwindSafe + RefUnwindSafe + 'static>() {}
    const { holds::<Stopped>() };
}

#[test]
fn rule_27_a_handle_is_one_pointer_a_table_and_an_index() {
    const { assert!(size_of::<Task<'_, [u8; 1024]>>() == 3 * size_of::<usize>()) };
    const { assert!(size_of::<Option<Task<'_, u8>>>() == 3 * size_of::<usize>()) };
}

#[test]
fn rule_27_a_result_need_not_be_debug_for_its_handle_to_be() {
    struct Opaque;
    wg::scope(|s| {
        let task = s.spawn(|| Opaque);
        until(|| task.is_finished());
        let shown = format!("{task:?}");
        assert!(shown.starts_with("Task { info: TaskInfo(task#0 spawned at "), "{shown}");
        assert!(shown.ends_with("), is_finished: true }"), "{shown}");
    });
}

#[test]
fn rule_27_debug_of_a_scope_shows_its_tasks_and_its_state() {
    wg::scope(|s| {
        let idle = format!("{s:?}");
        assert!(idle.contains("spawned: 0, waiting: 0, running: 0"), "{idle}");
        assert!(idle.contains("cancelled_by: None"), "{idle}");
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        s.spawn(move || receiver.recv());
        let busy = format!("{s:?}");
        assert!(busy.contains("spawned: 1") && busy.contains("ended: 0"), "{busy}");
        s.cancel("done");
        assert!(format!("{s:?}").contains(r#"cancelled_by: Some(Asked("done"))"#));
        drop(sender);
    });
}
