//! The end of the group against those who are about to leave it, and wakers that do as they like.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::sync::Mutex;
use wg_core::{Wait, WaitGroup};

use crate::kit::{
    Alarm, Deed, Doomed, assert_all_seen, assert_deserted, exhaust, explore, join, member, poll,
    wait_briefly,
};

/// Two members are on their way out while the waiter returns and ends the group. Who leaves last
/// may look for waiters after that, but not at the word.
#[test]
fn the_group_may_end_as_soon_as_its_wait_has_returned() {
    exhaust(|| {
        let doomed = Doomed::new();
        // SAFETY: alive until `end`; the members are waited for.
        let group = unsafe { doomed.group() };
        let deeds = [Deed::new(), Deed::new()];
        let members = deeds.each_ref().map(|deed| member(group.token(), deed));
        group.wait();
        assert_all_seen(&deeds);
        // SAFETY: the members have left; leaving touches nothing after that.
        unsafe { doomed.end() };
        join(members);
        // SAFETY: ended, and the threads that knew the address are over.
        unsafe { doomed.free() };
    });
}

/// The waiter carries the release out itself when its deadline passes, and ends the group, while
/// the member is still on its way to do so: `release_listed` must find nobody and go. After a
/// timeout it waits again, or it sees the zero in the error's stead.
#[test]
fn the_group_may_end_after_a_timed_wait() {
    exhaust(|| {
        let doomed = Doomed::new();
        // SAFETY: alive until `end`; the member is waited for.
        let group = unsafe { doomed.group() };
        let deed = Deed::new();
        let member = member(group.token(), &deed);
        if wait_briefly(group).is_err_and(|late| late.count() != 0) {
            group.wait();
        }
        deed.assert_seen();
        // SAFETY: the member has left; leaving touches nothing after that.
        unsafe { doomed.end() };
        join([member]);
        // SAFETY: ended, and the thread that knew the address is over.
        unsafe { doomed.free() };
    });
}

/// As above, with one more waiter, so that a late member may find the other one listed still.
#[test]
fn the_group_may_end_when_both_its_waits_have_returned() {
    exhaust(|| {
        let doomed = Doomed::new();
        // SAFETY: alive until `end`; the member is waited for.
        let group = unsafe { doomed.group() };
        let deed = Deed::new();
        let member = member(group.token(), &deed);
        let other = {
            let deed = Arc::clone(&deed);
            loom::thread::spawn(move || {
                group.wait();
                deed.assert_seen();
            })
        };
        if wait_briefly(group).is_err() {
            group.wait();
        }
        deed.assert_seen();
        join([other]);
        // SAFETY: the member has left; leaving touches nothing after that. The other waiter is over.
        unsafe { doomed.end() };
        join([member]);
        // SAFETY: ended, and the threads that knew the address are over.
        unsafe { doomed.free() };
    });
}

/// A future is listed and dropped while the member leaves, so the member may be on its way to
/// release nobody; then the zero is observed, or waited for, and the group ends.
#[test]
fn the_group_may_end_after_a_dropped_future() {
    exhaust(|| {
        let doomed = Doomed::new();
        // SAFETY: alive until `end`; the member is waited for.
        let group = unsafe { doomed.group() };
        let deed = Deed::new();
        let token = group.token();
        let mut task = group.wait_async();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let member = member(token, &deed);
        drop(task);
        if group.count() != 0 {
            group.wait();
        }
        deed.assert_seen();
        // SAFETY: the member has left; leaving touches nothing after that. The future is dropped.
        unsafe { doomed.end() };
        join([member]);
        // SAFETY: ended, and the thread that knew the address is over.
        unsafe { doomed.free() };
    });
}

/// The task is polled again just when the member has carried the release out, but has neither
/// unlocked the list nor woken anybody: that poll is ready by the word alone, and the group ends.
/// So the release has to be ordered before whoever sees it, by a Release of its own.
#[test]
fn the_group_may_end_after_a_poll_that_was_not_asked_for() {
    exhaust(|| {
        let doomed = Doomed::new();
        // SAFETY: alive until `end`; the member is waited for.
        let group = unsafe { doomed.group() };
        let deed = Deed::new();
        let member = member(group.token(), &deed);
        let mut task = group.wait_async();
        if poll(&mut task, Waker::noop()).is_pending()
            && poll(&mut task, Waker::noop()).is_pending()
        {
            group.wait();
        }
        drop(task);
        deed.assert_seen();
        // SAFETY: the member has left; leaving touches nothing after that. The future is dropped.
        unsafe { doomed.end() };
        join([member]);
        // SAFETY: ended, and the thread that knew the address is over.
        unsafe { doomed.free() };
    });
}

/// The observer of a zero has carried the release out in the member's stead, and ends the group.
#[test]
fn the_group_may_end_after_an_observed_zero() {
    exhaust(|| {
        let doomed = Doomed::new();
        // SAFETY: alive until `end`; the member is waited for.
        let group = unsafe { doomed.group() };
        let deed = Deed::new();
        let token = group.token();
        let mut task = group.wait_async();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let member = member(token, &deed);
        if group.count() != 0 {
            group.wait();
        }
        drop(task);
        deed.assert_seen();
        // SAFETY: the member has left; leaving touches nothing after that. The future is dropped.
        unsafe { doomed.end() };
        join([member]);
        // SAFETY: ended, and the thread that knew the address is over.
        unsafe { doomed.free() };
    });
}

/// The member of the first group is still on its way when a second one is at the same address,
/// with a member and a waiter. It may find that waiter, and must not release it early.
#[test]
fn a_late_leaver_ends_no_wait_for_the_next_group_at_its_address() {
    exhaust(|| {
        let doomed = Doomed::new();
        let [first, second] = [Deed::new(), Deed::new()];
        // SAFETY: alive until `end`; the member is waited for.
        let group = unsafe { doomed.group() };
        let late = member(group.token(), &first);
        if wait_briefly(group).is_err() {
            group.wait();
        }
        first.assert_seen();
        // SAFETY: the member has left. If it finds waiters at this address, it looks at the word
        // of a group that they keep alive.
        unsafe { doomed.end() };
        // SAFETY: ended.
        unsafe { doomed.begin_anew() };
        // SAFETY: alive until `end`; the member is waited for.
        let group = unsafe { doomed.group() };
        let member = member(group.token(), &second);
        group.wait();
        second.assert_seen();
        // SAFETY: as above.
        unsafe { doomed.end() };
        join([late, member]);
        // SAFETY: ended, and the threads that knew the address are over.
        unsafe { doomed.free() };
    });
}

/// Whoever is last drops the group: the member with its owned token, or the waiter.
#[test]
fn an_owned_token_keeps_the_group_until_it_has_left() {
    exhaust(|| {
        let deed = Deed::new();
        // loom's Arc around std's, because loom does not see what the latter orders.
        let shared = loom::sync::Arc::new(Arc::new(WaitGroup::new()));
        let token = shared.owned_token();
        let member = {
            let (shared, deed) = (loom::sync::Arc::clone(&shared), Arc::clone(&deed));
            loom::thread::spawn(move || {
                deed.act();
                drop(token);
                drop(shared);
            })
        };
        if wait_briefly(&shared).is_err() {
            shared.wait();
        }
        deed.assert_seen();
        drop(shared);
        join([member]);
    });
}

/// A task that owns the group it waits for.
struct Task {
    wait: Option<Pin<Box<Wait<'static>>>>,
    group: Doomed,
    deed: Arc<Deed>,
}

/// An executor that runs its task at once, in the thread that wakes it.
struct Inline(Mutex<Option<Task>>);

impl Inline {
    fn run(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut slot = self.0.lock().unwrap();
        let wait = slot.as_mut().and_then(|task| task.wait.as_mut());
        if wait.is_some_and(|wait| poll(wait, &waker).is_ready()) {
            *slot = None;
        }
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.deed.assert_seen();
        self.wait = None;
        // SAFETY: the member has left, the wait was dropped, and nobody else knows the group.
        unsafe { self.group.end() };
    }
}

/// The last member wakes a task that ends the group before `wake` returns: the release has to be
/// through with the group when it wakes.
#[test]
fn a_waker_may_end_the_group() {
    exhaust(|| {
        let doomed = Doomed::new();
        let deed = Deed::new();
        // SAFETY: alive until the task ends, which waits for the member.
        let group = unsafe { doomed.group() };
        let token = group.token();
        let wait = Some(Box::pin(group.wait_async()));
        let task = Task { wait, group: doomed, deed: Arc::clone(&deed) };
        let executor = Arc::new(Inline(Mutex::new(Some(task))));
        let member = member(token, &deed);
        executor.run();
        join([member]);
        assert!(executor.0.lock().unwrap().is_none(), "the task sleeps for ever");
        // SAFETY: ended, and the thread that knew the address is over.
        unsafe { doomed.free() };
    });
}

/// A waker that uses the group that wakes it, also when it is dropped unused.
struct Meddler {
    group: Arc<WaitGroup>,
    alarm: Arc<Alarm>,
}

impl Meddler {
    fn meddle(&self) {
        let _ = self.group.count();
        let token = self.group.token();
        let mut other = self.group.wait_async();
        let _ = poll(&mut other, Waker::noop());
        drop(token);
        let _ = wait_briefly(&self.group);
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.meddle();
        self.alarm.wake_by_ref();
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

/// Wakers are woken, replaced and dropped while no lock is held: one that enters, waits, leaves
/// and counts in the same group meets no lock that its own thread holds.
#[test]
fn rule_26_a_waker_may_use_the_group_that_wakes_it() {
    explore(|| {
        let group = Arc::new(WaitGroup::new());
        let deed = Deed::new();
        let member = member(group.owned_token(), &deed);
        let alarm = Alarm::new();
        let meddler = || {
            Waker::from(Arc::new(Meddler { group: Arc::clone(&group), alarm: Arc::clone(&alarm) }))
        };
        let mut task = group.wait_async();
        if poll(&mut task, &meddler()).is_pending() && poll(&mut task, &meddler()).is_pending() {
            alarm.sleep();
            assert!(poll(&mut task, Waker::noop()).is_ready());
        }
        deed.assert_seen();
        join([member]);
        assert_deserted(&group);
    });
}

/// The same for a waker that is never woken, but dropped with its wait or by another's release.
#[test]
fn rule_26_a_waker_may_use_the_group_that_drops_it() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deed = Deed::new();
        let member = member(group.owned_token(), &deed);
        let meddler = Meddler { group: Arc::clone(&group), alarm: Alarm::new() };
        let mut task = group.wait_async();
        let _ = poll(&mut task, &Waker::from(Arc::new(meddler)));
        drop(task);
        join([member]);
        assert_deserted(&group);
    });
}
