//! Working a scope's queue off: as a runner that was lent, and as the thread that leaves the scope.

use std::future::Future;
use std::iter::repeat_n;
use std::pin::pin;
use std::process::abort;
use std::sync::Arc;
use std::task::{Context, Waker};

use wg_core::sync::{current, give_way, park_until, times};

use super::frame;
use super::onward::{has_room, with_room};
use super::pool::{Client, Progress, cores};
use super::probe::Number;
use super::queue::{Begun, Follow, Found, Next, OwnHand};
use super::shared::Shared;
use super::sleep::{Asleep, waker};
use crate::context::Role;
use crate::timeline::Ended;

impl Client for Shared {
    fn work(self: Arc<Self>) {
        self.queue.attached();
        let _frame = frame::enter(&self, Role::Task);
        let hand = OwnHand::default();
        let (mut begun, mut ended, mut was_last) = (None, None, false);
        loop {
            work_in_hand(&hand, begun, ended);
            if was_last {
                self.queue.gather();
            }
            let (next, follow, stays) = self.queue.next_or_detach(begun.take(), &hand);
            self.follow(follow);
            let next = if next.is_none() && stays { linger(&self, &hand) } else { next };
            let Some(Next { job, index, begun: now, is_last }) = next else {
                if stays {
                    continue;
                }
                break;
            };
            (begun, was_last) = (Some(now), is_last);
            ended = job.run_after(index, None);
        }
    }

    fn progress(&self) -> Progress {
        self.queue.progress()
    }

    fn ask(&self, runners: usize) -> bool {
        self.queue.ask(runners)
    }

    fn refuse(&self) {
        for thread in self.queue.refuse() {
            thread.unpark();
        }
    }

    fn body(&self) -> Number {
        self.body
    }
}

/// How often the thread that leaves a scope looks whether all has ended before it falls asleep: first at
/// once, and then after letting others have the core. In models it does not: where threads take turns in
/// all orders, this is one of them.
const SPINS: usize = times(102) - times(2);
const YIELDS: usize = times(34) - times(2);

/// How often a runner lets others have its core, and looks again, before it goes away; not in models.
const LOOKS: usize = times(34) - times(2);

/// Waits a little for whoever queues tasks: going away and being called back takes longer than many a
/// task.
fn linger(scope: &Arc<Shared>, hand: &OwnHand) -> Option<Next> {
    for () in repeat_n((), LOOKS) {
        std::thread::yield_now();
        scope.queue.gather();
        let (next, is_over) = scope.queue.next_or_over(hand);
        if next.is_some() {
            return next;
        }
        if is_over {
            break;
        }
    }
    scope.queue.expect_nobody();
    None
}

/// Runs one task of this scope here, if one may begin.
pub(super) fn run_one(scope: &Arc<Shared>) -> bool {
    let (next, _) = scope.queue.next(None, None);
    let Some(Next { job, index, begun, .. }) = next else { return false };
    with_room(scope, || {
        let _frame = frame::enter(scope, Role::Task);
        job.run(index);
    });
    let follow = scope.queue.end(begun, cores());
    scope.follow(follow);
    true
}

/// Returns when every task has ended, working the queue off meanwhile: the thread that leaves the
/// scope is a runner of it, and of nothing else (rule 15).
pub(super) fn finish(scope: &Arc<Shared>) {
    let bomb = AbortOnUnwind;
    let mut ended = pin!(scope.group.wait_async());
    let mut has_ended =
        |waker: &Waker| ended.as_mut().poll(&mut Context::from_waker(waker)).is_ready();
    // On a stack that is not for these tasks, others have to run them.
    let works = scope.runs_anywhere();
    if !works {
        scope.queue.watch(|| scope.membership());
    }
    let asked = loop {
        if works {
            if let Some(asked) = work_off(scope) {
                break asked;
            }
        }
        // A wake-up by the group or by the queue may have been used up while a task ran, so both
        // are asked again before sleeping.
        if scope.group.count() == 0 || has_ended(&waker()) {
            break scope.queue.close();
        }
        if !works {
            // Before it looks whether it is alone, so that it hears of those who will not come.
            scope.queue.stand_by(current());
            if scope.queue.is_deserted() && !scope.lend() && run_one(scope) {
                continue;
            }
        }
        if works && is_about_to_end(scope) {
            continue;
        }
        if !works || scope.queue.sleep(current()) {
            let asleep = Asleep::fall();
            park_until(None);
            drop(asleep);
            scope.queue.wake();
        }
    };
    if asked {
        scope.withdraw();
    }
    std::mem::forget(bomb);
}

/// Waits for what the last of many small tasks takes, which is less than falling asleep and being woken
/// does. Returns whether all have ended.
fn is_about_to_end(scope: &Shared) -> bool {
    for () in repeat_n((), SPINS) {
        if scope.group.count() == 0 {
            return true;
        }
        std::hint::spin_loop();
    }
    for () in repeat_n((), YIELDS) {
        if scope.group.count() == 0 {
            return true;
        }
        if !give_way() {
            break;
        }
    }
    false
}

/// Runs what waits. If all has ended then, returns whether some runner that was asked for has not come.
fn work_off(scope: &Arc<Shared>) -> Option<bool> {
    let hand = OwnHand::default();
    if has_room(scope) { work_here(scope, &hand, None) } else { work_elsewhere(scope, hand) }
}

/// As [`work_off`], where there is no room on this thread's stack for a task.
#[cold]
fn work_elsewhere(scope: &Arc<Shared>, hand: OwnHand) -> Option<bool> {
    match look(scope, None, &hand) {
        Found::Nothing => None,
        Found::Ended { asked } => Some(asked),
        Found::Next(Next { job, index, begun, .. }) => {
            let mut end = None;
            let its_end = &mut end;
            with_room(scope, move || {
                let _frame = frame::enter(scope, Role::Task);
                let ended = job.run_after(index, None);
                work_in_hand(&hand, Some(begun), ended);
                *its_end = work_here(scope, &hand, Some(begun));
            });
            end
        }
    }
}

/// As [`work_off`], behind what was begun `before`.
fn work_here(scope: &Arc<Shared>, hand: &OwnHand, mut before: Option<Begun>) -> Option<bool> {
    let mut frame = None;
    loop {
        match look(scope, before, hand) {
            Found::Nothing => return None,
            Found::Ended { asked } => return Some(asked),
            Found::Next(Next { job, index, begun, .. }) => {
                frame.get_or_insert_with(|| frame::enter(scope, Role::Task));
                let ended = job.run_after(index, None);
                work_in_hand(hand, Some(begun), ended);
                before = Some(begun);
            }
        }
    }
}

/// Inlined, so that what is found is put together nowhere.
#[inline(always)]
fn look(scope: &Arc<Shared>, before: Option<Begun>, hand: &OwnHand) -> Found {
    let (enter, counts_nobody) = (|| scope.membership(), || scope.group.count() == 0);
    let mut follow = Follow::NONE;
    let found = scope.queue.next_or_leave(before, hand, enter, counts_nobody, &mut follow);
    scope.follow(follow);
    found
}

/// Runs what was taken ahead, and nobody has taken over. All of it was spawned before the first of it
/// began; `ended` is when that ended.
fn work_in_hand(hand: &OwnHand, begun: Option<Begun>, mut ended: Option<Ended>) {
    let Some(hand) = hand.get().filter(|_| begun.is_some_and(Begun::is_several)) else { return };
    while let Some((job, index)) = hand.next() {
        ended = job.run_after(index, ended);
    }
}

/// Unwinding out of a scope whose tasks may be running would let them borrow what is gone. Nothing
/// in `finish` unwinds; should it, by a mistake of ours, the process ends here.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        abort();
    }
}
