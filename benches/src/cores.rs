//! Two threads, and where they run.

use core_affinity::CoreId;
use std::thread;

/// Which cores two threads get.
#[derive(Clone, Copy)]
pub(crate) enum Cores {
    /// Each its own, if there are two.
    Two,
    One,
}

/// Runs two jobs on threads that are bound to their cores, so that the scheduler cannot choose
/// differently for every contender. Returns what the jobs return.
pub(crate) fn run_two<T, U>(
    cores: Cores,
    one: impl FnOnce() -> T + Send,
    other: impl FnOnce() -> U + Send,
) -> (T, U)
where
    T: Send,
    U: Send,
{
    // Where threads cannot be bound there is no list, and the scheduler chooses after all.
    let list = core_affinity::get_core_ids().unwrap_or_default();
    let first = list.first().copied();
    let second = match cores {
        Cores::Two => list.get(1).copied().or(first),
        Cores::One => first,
    };
    thread::scope(|s| {
        let one = s.spawn(move || on(first, one));
        let other = s.spawn(move || on(second, other));
        (join(one), join(other))
    })
}

fn on<T>(core: Option<CoreId>, job: impl FnOnce() -> T) -> T {
    if let Some(core) = core {
        core_affinity::set_for_current(core);
    }
    job()
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("the job does not panic")
}
