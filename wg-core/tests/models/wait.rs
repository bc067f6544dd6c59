//! Waits that are released, and what they then see.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Waker;

use wg_core::sync;
use wg_core::{TryTokenError, WaitGroup};

use crate::kit::{
    Deed, assert_all_seen, assert_deserted, block_on, exhaust, explore, explore_crowd, join,
    member, poll, waiter,
};

/// The members leave before, while and after the wait looks, enlists and sleeps. A weaker Release
/// in `leave`, or Acquire in `load` or `enlist`, lets the wait return without their deeds.
#[test]
fn rule_23_a_wait_sees_what_each_of_two_members_did() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new()];
        let members = deeds.each_ref().map(|deed| member(group.owned_token(), deed));
        group.wait();
        assert_all_seen(&deeds);
        join(members);
        assert_deserted(&group);
    });
}

/// One waiter is listed while the other finds the release pending, or nobody left. An `enlist`
/// that counts itself in at zero sleeps for ever.
#[test]
fn rule_23_one_member_releases_two_waiters() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let waiter = waiter(&group, &deeds);
        group.wait();
        assert_all_seen(&deeds);
        join([member, waiter]);
        assert_deserted(&group);
    });
}

/// Those behind the first share a gate, which is opened before, while and after they come to it.
#[test]
fn rule_23_one_member_releases_three_waiters() {
    explore_crowd(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let others = [waiter(&group, &deeds), waiter(&group, &deeds)];
        group.wait();
        assert_all_seen(&deeds);
        join(others.into_iter().chain([member]));
        assert_deserted(&group);
    });
}

/// The release sequence goes through every leaving: it is not enough to see the last one's deed.
#[test]
fn rule_23_a_wait_sees_what_each_of_three_members_did() {
    explore(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new(), Deed::new()];
        let members = deeds.each_ref().map(|deed| member(group.owned_token(), deed));
        group.wait();
        assert_all_seen(&deeds);
        join(members);
        assert_deserted(&group);
    });
}

/// A task and a thread are on one list, and the release wakes both.
#[test]
fn rule_23_a_task_and_a_thread_wait_together() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let waiter = waiter(&group, &deeds);
        block_on(group.wait_async());
        assert_all_seen(&deeds);
        join([member, waiter]);
        assert_deserted(&group);
    });
}

/// The thread is unparked by somebody else before, while and after it is listed: being woken is
/// not being released.
#[test]
fn a_stray_wake_up_ends_no_wait() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let thread = sync::current();
        let stray = loom::thread::spawn(move || thread.unpark());
        group.wait();
        assert_all_seen(&deeds);
        join([member, stray]);
        assert_deserted(&group);
    });
}

/// Nobody waits, so nobody wakes: the only order is that of the word. A weaker Acquire in `load`
/// lets an observer learn of the zero without the deeds.
#[test]
fn rule_23_a_count_of_zero_sees_what_each_member_did() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new()];
        let members = deeds.each_ref().map(|deed| member(group.owned_token(), deed));
        if group.count() == 0 {
            assert_all_seen(&deeds);
        }
        join(members);
        assert_deserted(&group);
    });
}

/// The observer looks between the leaving and its release. If it reports zero without settling, the
/// token that it takes next revives the group, and the task is held for one more round.
#[test]
fn an_observed_zero_has_released_the_tasks_that_wait() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deed = Deed::new();
        let mut task = group.wait_async();
        let token = group.owned_token();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let member = member(token, &deed);
        if group.count() == 0 {
            let _next_round = group.token();
            assert!(poll(&mut task, Waker::noop()).is_ready(), "held for the next round");
            deed.assert_seen();
        }
        join([member]);
        drop(task);
        assert_deserted(&group);
    });
}

/// As above, for a thread.
#[test]
fn an_observed_zero_has_released_the_threads_that_wait() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let waiter = waiter(&group, &deeds);
        if group.waiters() == 1 && group.count() == 0 {
            let next_round = group.token();
            join([waiter]);
            drop(next_round);
        } else {
            join([waiter]);
        }
        join([member]);
        assert_deserted(&group);
    });
}

/// A member enters between the last leaving and its release, so that the release is not carried
/// out. The newcomer's leaving has to: nobody is left behind asleep.
#[test]
fn a_member_that_revives_the_group_releases_it_in_turn() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let first = member(group.owned_token(), &deeds[0]);
        let second = {
            let group = Arc::clone(&group);
            loom::thread::spawn(move || drop(group.token()))
        };
        group.wait();
        assert_all_seen(&deeds);
        join([first, second]);
        assert_deserted(&group);
    });
}

/// A wait finds a release pending. Before it carries it out, somebody enters, does something and
/// leaves, so that the word is as it was: a weaker Acquire in the exchange of `enlist` misses that
/// deed, though its load has seen all the others.
#[test]
fn rule_23_a_wait_that_carries_the_release_out_sees_who_came_late() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let [first, late] = [Deed::new(), Deed::new()];
        let token = group.owned_token();
        let mut task = group.wait_async();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let member = member(token, &first);
        let waited_for = Arc::new(AtomicBool::new(false));
        let latecomer = {
            let (group, late) = (Arc::clone(&group), Arc::clone(&late));
            let waited_for = Arc::clone(&waited_for);
            loom::thread::spawn(move || {
                let token = group.token();
                // With a waiter beside it in the word, the round is not over.
                waited_for.store(group.waiters() != 0, Relaxed);
                late.act();
                drop(token);
            })
        };
        group.wait();
        first.assert_seen();
        if waited_for.load(Relaxed) {
            late.assert_seen();
        }
        join([member, latecomer]);
        drop(task);
        assert_deserted(&group);
    });
}

/// A member brings in another one and leaves at once: the count never touches zero in between.
#[test]
fn a_cloned_token_takes_over_from_the_last_one() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new()];
        let token = group.owned_token();
        let first = {
            let deeds = deeds.clone();
            loom::thread::spawn(move || {
                let second = member(token.clone(), &deeds[1]);
                deeds[0].act();
                drop(token);
                second.join().unwrap();
            })
        };
        group.wait();
        assert_all_seen(&deeds);
        join([first]);
        assert_deserted(&group);
    });
}

/// One of three is split off, the other two are discounted at once, by a thread that did
/// something on behalf of both.
#[test]
fn a_batch_that_is_dropped_in_part_discounts_the_rest() {
    exhaust(|| {
        let group: &'static WaitGroup = Box::leak(Box::new(WaitGroup::new()));
        let deeds = [Deed::new(), Deed::new()];
        let mut batch = group.tokens(3);
        let one = batch.next().unwrap();
        let first = member(one, &deeds[0]);
        let rest = member(batch, &deeds[1]);
        group.wait();
        assert_all_seen(&deeds);
        join([first, rest]);
        assert_deserted(group);
    });
}

/// Whoever asks for a token is either counted, and then the wait after the closing waits for it,
/// or refused, and then sees what happened before the closing. A weaker Release in `close` or
/// Acquire in `try_enter` shows in the refusal.
#[test]
fn closing_refuses_a_token_or_waits_for_it() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let [before, work] = [Deed::new(), Deed::new()];
        let counted = Arc::new(AtomicBool::new(false));
        let newcomer = {
            let (group, counted) = (Arc::clone(&group), Arc::clone(&counted));
            let (before, work) = (Arc::clone(&before), Arc::clone(&work));
            loom::thread::spawn(move || match group.try_token() {
                Ok(token) => {
                    counted.store(true, Relaxed);
                    work.act();
                    drop(token);
                }
                Err(refused) => {
                    assert_eq!(refused, TryTokenError::Closed);
                    before.assert_seen();
                }
            })
        };
        before.act();
        assert!(group.close());
        group.wait();
        let waited_for = counted.load(Relaxed);
        if waited_for {
            work.assert_seen();
        }
        join([newcomer]);
        assert_eq!(counted.load(Relaxed), waited_for, "counted after the closing");
        assert_deserted(&group);
    });
}

/// Who is counted blindly in a closed group takes it back. A waiter that took it for a member has
/// to be released by that.
#[test]
fn a_token_that_is_taken_back_releases_who_waited_for_it() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        group.close();
        let intruder = {
            let group = Arc::clone(&group);
            loom::thread::spawn(move || {
                let refused = catch_unwind(AssertUnwindSafe(|| drop(group.token())));
                assert!(refused.is_err(), "a closed group gave a token out");
            })
        };
        group.wait();
        assert_all_seen(&deeds);
        join([member, intruder]);
        assert_deserted(&group);
    });
}
