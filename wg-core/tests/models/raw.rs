//! Go's WaitGroup: its rounds, and its misuses.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use loom::thread::JoinHandle;
use wg_core::raw::{Misuse, WaitGroup};

use crate::kit::{Deed, assert_all_seen, exhaust, join};

fn member(group: &Arc<WaitGroup>, deed: &Arc<Deed>) -> JoinHandle<()> {
    let (group, deed) = (Arc::clone(group), Arc::clone(deed));
    loom::thread::spawn(move || {
        deed.act();
        assert_eq!(group.done(), Ok(()));
    })
}

/// Each `done` publishes its deed: a weaker Release in `add`, or Acquire in `wait`, loses one.
#[test]
fn rule_23_a_raw_wait_sees_what_each_of_two_members_did() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new(), Deed::new()];
        assert_eq!(group.add(2), Ok(()));
        let members = deeds.each_ref().map(|deed| member(&group, deed));
        assert_eq!(group.wait(), Ok(()));
        assert_all_seen(&deeds);
        join(members);
    });
}

/// One permit for each waiter that was counted, and none for one that found the zero itself.
#[test]
fn rule_23_one_raw_member_releases_two_waiters() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let deeds = [Deed::new()];
        assert_eq!(group.add(1), Ok(()));
        let member = member(&group, &deeds[0]);
        let waiter = {
            let (group, deeds) = (Arc::clone(&group), deeds.clone());
            loom::thread::spawn(move || {
                assert_eq!(group.wait(), Ok(()));
                assert_all_seen(&deeds);
            })
        };
        assert_eq!(group.wait(), Ok(()));
        assert_all_seen(&deeds);
        join([member, waiter]);
    });
}

/// The next round begins while the first is waited for, ends, and is told. Each outcome is one
/// that is documented, each misuse occurs, nobody hangs, and a wait that says `Ok` or not has
/// waited for the first round all the same.
#[test]
fn a_raw_group_that_is_reused_too_early_says_so() {
    static SEEN: Mutex<BTreeSet<(&str, Option<&str>)>> = Mutex::new(BTreeSet::new());

    fn see(call: &'static str, result: Result<(), Misuse>) -> bool {
        let misuse = result.err().map(|misuse| match misuse {
            Misuse::AddDuringWait => "AddDuringWait",
            Misuse::ReusedBeforeWaitReturned => "ReusedBeforeWaitReturned",
            other => panic!("{other} by {call}"),
        });
        SEEN.lock().unwrap().insert((call, misuse));
        misuse.is_none()
    }

    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let first = Deed::new();
        assert_eq!(group.add(1), Ok(()));
        let member = member(&group, &first);
        let waiter = {
            let group = Arc::clone(&group);
            loom::thread::spawn(move || {
                see("wait", group.wait());
                first.assert_seen();
            })
        };
        if see("add", group.add(1)) {
            assert_eq!(group.done(), Ok(()));
        }
        join([member, waiter]);
        assert_eq!(group.wait(), Ok(()));
    });

    let seen = Vec::from_iter(std::mem::take(&mut *SEEN.lock().unwrap()));
    assert_eq!(
        seen,
        [
            ("add", None),
            ("add", Some("AddDuringWait")),
            ("wait", None),
            ("wait", Some("ReusedBeforeWaitReturned")),
        ]
    );
}

/// One member too many says it is done: one of the two is told, whichever comes last.
#[test]
fn rule_28_of_two_done_for_one_member_one_is_refused() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        assert_eq!(group.add(1), Ok(()));
        let results = Arc::new(Mutex::new(Vec::new()));
        let done = [(); 2].map(|()| {
            let (group, results) = (Arc::clone(&group), Arc::clone(&results));
            loom::thread::spawn(move || {
                let result = group.done();
                results.lock().unwrap().push(result);
            })
        });
        assert_eq!(group.wait(), Ok(()));
        join(done);
        let mut results = std::mem::take(&mut *results.lock().unwrap());
        results.sort_by_key(Result::is_err);
        assert_eq!(results, [Ok(()), Err(Misuse::NegativeCounter)]);
    });
}

/// The counter is full, and one more comes while one leaves: it is either too many or fits.
#[test]
fn rule_28_an_add_beyond_the_most_is_refused_or_fits() {
    exhaust(|| {
        let group = Arc::new(WaitGroup::new());
        let most = isize::try_from(u32::MAX / 2).unwrap();
        assert_eq!(group.add(most), Ok(()));
        let member = member(&group, &Deed::new());
        let left = match group.add(1) {
            Ok(()) => most,
            Err(misuse) => {
                assert_eq!(misuse, Misuse::Overflow);
                most - 1
            }
        };
        join([member]);
        assert_eq!(group.add(-left), Ok(()));
        assert_eq!(group.wait(), Ok(()));
    });
}
