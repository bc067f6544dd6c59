//! Once: set up by the first who comes, while the others wait for it.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use wg_tests::{bang, until};

use crate::{Roll, ends};

/// `sync.Once` around a set-up that starts goroutines, and does not wait for them: those who come
/// second see it half done. A scope inside the set-up is over when the set-up is.
#[test]
fn rule_01_what_once_sets_up_with_tasks_is_whole_for_those_who_come_second() {
    ends(|| {
        let (once, roll): (OnceLock<usize>, _) = (OnceLock::new(), Roll::default());
        wg::scope(|s| {
            for _ in 0..20 {
                s.spawn(|| {
                    let parts = once.get_or_init(|| {
                        wg::fan_out(0..10).for_each(|_| drop(roll.enter()));
                        roll.all_left()
                    });
                    assert_eq!((*parts, roll.entered()), (10, 10));
                });
            }
        });
    });
}

/// A `sync.Once` whose function panics counts as done, and everybody after goes on with nothing. A
/// task that fails is an error to each who needs it, and may be tried again by its own rules.
#[test]
fn rule_06_a_set_up_that_fails_is_not_taken_as_done() {
    ends(|| {
        let (once, tries): (OnceLock<u32>, _) = (OnceLock::new(), AtomicUsize::new(0));
        let ready = wg::options().catch_panics().limit(1).collect_scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    once.get_or_init(|| if tries.fetch_add(1, Relaxed) == 0 { bang(1) } else { 7 });
                    Ok::<_, ()>(())
                });
            }
            let _ = s.wait_timeout(crate::FOR_EVER);
            until(|| s.counts().ended == 3);
            once.get().copied()
        });
        assert_eq!((ready.0, ready.1.len(), tries.into_inner()), (Some(7), 1, 2));
    });
}
