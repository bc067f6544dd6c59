//! Waits that give up, and rounds that follow one another.

use std::sync::Arc;
use std::task::{Poll, Waker};

use wg_core::WaitGroup;

use crate::kit::{
    Alarm, Deed, assert_all_seen, assert_deserted, exhaust, explore, explore_crowd, join, member,
    poll, wait_briefly, waiter,
};

/// The timed wait gives up before, while and after the members leave. If it finds itself released
/// it has only the list's lock to learn of the deeds by: a weaker Acquire in `release` shows here.
#[test]
fn rule_25_a_timed_wait_that_was_released_sees_what_each_member_did() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new()];
        let members = deeds.each_ref().map(|deed| member(group.owned_token(), deed));
        if wait_briefly(&group).is_ok() {
            assert_all_seen(&deeds);
        }
        join(members);
        assert_deserted(&group);
    });
}

/// One waiter gives up while the last member leaves. At count zero it carries the release out,
/// the other's included; if it simply left, or woke only itself, the other would depend on luck.
#[test]
fn rule_25_a_timed_wait_that_gives_up_robs_no_other() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let waiter = waiter(&group, &deeds);
        if wait_briefly(&group).is_ok() {
            assert_all_seen(&deeds);
        }
        join([member, waiter]);
        assert_deserted(&group);
    });
}

/// Of three who wait, one gives up, wherever it stands: of a crowd it takes its own place and leaves
/// the others theirs.
#[test]
fn rule_25_a_timed_wait_that_gives_up_robs_no_crowd() {
    explore_crowd(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let others = [waiter(&group, &deeds), waiter(&group, &deeds)];
        if wait_briefly(&group).is_ok() {
            assert_all_seen(&deeds);
        }
        join(others.into_iter().chain([member]));
        assert_deserted(&group);
    });
}

/// Both give up at once, while the last member leaves: no ghost stays in the word.
#[test]
fn rule_25_two_timed_waits_give_up_together() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let member = member(group.owned_token(), &deeds[0]);
        let other = {
            let (group, deeds) = (Arc::clone(&group), deeds.clone());
            loom::thread::spawn(move || {
                if wait_briefly(&group).is_ok() {
                    assert_all_seen(&deeds);
                }
            })
        };
        if wait_briefly(&group).is_ok() {
            assert_all_seen(&deeds);
        }
        join([member, other]);
        assert_deserted(&group);
    });
}

/// As with a timed wait, but the one that leaves is a future, which is dropped.
#[test]
fn rule_25_a_dropped_future_robs_no_other() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        let token = group.owned_token();
        let mut task = group.wait_async();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let member = member(token, &deeds[0]);
        let waiter = waiter(&group, &deeds);
        drop(task);
        join([member, waiter]);
        assert_deserted(&group);
    });
}

/// The future leaves at count zero, and somebody enters meanwhile. If it looks for the zero in one
/// step and carries the release out in another, the newcomer comes between them and the place that
/// was to be given back stays taken.
#[test]
fn rule_25_a_dropped_future_leaves_no_ghost_in_a_revived_group() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deed = Deed::new();
        let token = group.owned_token();
        let mut task = group.wait_async();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let member = member(token, &deed);
        let newcomer = {
            let group = Arc::clone(&group);
            loom::thread::spawn(move || drop(group.token()))
        };
        drop(task);
        assert_eq!(group.waiters(), 0, "a ghost is in the word");
        join([member, newcomer]);
        assert_deserted(&group);
    });
}

/// As above, for a timed wait, which must not say that it was released and stay listed either.
#[test]
fn rule_25_a_timed_wait_leaves_no_ghost_in_a_revived_group() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deed = Deed::new();
        let member = member(group.owned_token(), &deed);
        let newcomer = {
            let group = Arc::clone(&group);
            loom::thread::spawn(move || drop(group.token()))
        };
        if wait_briefly(&group).is_ok() {
            deed.assert_seen();
        }
        assert_eq!(group.waiters(), 0, "a ghost is in the word");
        join([member, newcomer]);
        assert_deserted(&group);
    });
}

/// The waiter of the first round leaves late, when the second has begun; the first member's
/// release comes late as well. Neither may end the second round: a `release` that does not look
/// at the count does, and so does a leaver that takes another's place out of the word.
#[test]
fn rule_25_a_late_leaver_ends_no_later_round() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new()];
        let token = group.owned_token();
        let mut task = group.wait_async();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let first = member(token, &deeds[0]);
        let second = member(group.owned_token(), &deeds[1]);
        drop(task);
        group.wait();
        assert_all_seen(&deeds);
        join([first, second]);
        assert_deserted(&group);
    });
}

/// As above, but the future leaves in a thread of its own, so at any time of the second round.
#[test]
fn rule_25_a_late_leaver_elsewhere_ends_no_later_round() {
    explore(|| {
        let group: &'static WaitGroup = Box::leak(Box::new(WaitGroup::new()));
        let deeds = [Deed::new(), Deed::new()];
        let token = group.token();
        let mut task = group.wait_async();
        assert!(poll(&mut task, Waker::noop()).is_pending());
        let first = member(token, &deeds[0]);
        let leaver = loom::thread::spawn(move || drop(task));
        let second = member(group.token(), &deeds[1]);
        group.wait();
        assert_all_seen(&deeds);
        join([first, leaver, second]);
        assert_deserted(group);
    });
}

/// The waiter of the first round is still listed when the second begins, and stays. It returns
/// when either has ended, and not before the first.
#[test]
fn a_wait_across_two_rounds_returns_after_the_first() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new()];
        let token = group.owned_token();
        let members = {
            let (group, deeds) = (Arc::clone(&group), deeds.clone());
            loom::thread::spawn(move || {
                deeds[0].act();
                drop(token);
                let token = group.token();
                deeds[1].act();
                drop(token);
            })
        };
        group.wait();
        deeds[0].assert_seen();
        join([members]);
        assert_deserted(&group);
    });
}

/// The task is polled with another waker while the last member leaves: the newest waker is woken,
/// or the poll has said so. A wake-up of the former one alone leaves the task asleep.
#[test]
fn rule_26_the_newest_waker_is_woken_or_the_poll_is_ready() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deed = Deed::new();
        let member = member(group.owned_token(), &deed);
        let mut task = group.wait_async();
        if poll(&mut task, Waker::noop()).is_pending() {
            let alarm = Alarm::new();
            let waker = Waker::from(Arc::clone(&alarm));
            if poll(&mut task, &waker).is_pending() {
                alarm.sleep();
                assert_eq!(poll(&mut task, Waker::noop()), Poll::Ready(()));
            }
        }
        deed.assert_seen();
        join([member]);
        assert_deserted(&group);
    });
}
