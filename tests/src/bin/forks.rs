//! Forks after scopes were used, and runs scopes in the child, and in the child's child. None of the
//! pool's threads is there any more (`.ci/faults`).

use std::future::Future;
use std::pin::pin;
use std::process::exit;
use std::sync::Barrier;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::task::{Context, Waker};
use std::time::Duration;

/// Uses whatever has threads behind it: the pool, its sentinel, and the timer.
fn use_scopes() {
    let ran = AtomicUsize::new(0);
    let all = Barrier::new(8);
    wg::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                all.wait();
                wg::scope(|inner| drop(inner.spawn(|| ran.fetch_add(1, Relaxed))));
            });
        }
    });
    wg::options().limit(2).scope(|s| {
        let tasks: Vec<_> = (0..8).map(|_| s.spawn(|| ran.fetch_add(1, Relaxed))).collect();
        tasks.into_iter().for_each(|task| _ = task.join());
    });
    wg::options().stack_size(1 << 20).scope(|s| s.spawn(|| ran.fetch_add(1, Relaxed)).join());
    wg::options().timeout(Duration::from_millis(1)).scope(|s| {
        while !s.is_cancelled() {
            std::thread::yield_now();
        }
    });
    assert_eq!(ran.into_inner(), 17);
}

/// Waits for many groups in vain, for a moment each: so many that their waiters are in all lists.
fn wait_for_many() {
    for group in std::iter::repeat_with(wg_core::WaitGroup::new).take(512).collect::<Vec<_>>() {
        let member = group.token();
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(group.wait_async()).poll(&mut context).is_pending());
        drop(member);
        group.wait();
    }
}

/// Forks, and returns in the parent whether all went well in the child, which does `what`.
fn in_a_child(what: fn()) -> bool {
    // SAFETY: no other thread of this process holds anything that the child needs: wg is to have locks of
    // its own there, and the C library looks after its own.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        // SAFETY: it only sets a clock. A child that hangs is killed.
        unsafe { libc::alarm(20) };
        what();
        exit(0);
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writes, and the child is this process's own.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    waited == child && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

fn main() {
    // The child comes first to a library that nobody has used, and then to one that was used.
    assert!(in_a_child(use_scopes), "in a child of a process without threads");
    for round in 0..20 {
        use_scopes();
        assert!(in_a_child(use_scopes), "in a child, round {round}");
        let both = || {
            use_scopes();
            assert!(in_a_child(use_scopes), "in a child's child");
            use_scopes();
        };
        assert!(in_a_child(both), "in a child with a child, round {round}");
    }
    // Also in the middle of a body.
    wg::scope(|s| {
        s.spawn(|| ()).join();
        assert!(in_a_child(use_scopes), "in a child that stands in a body");
        assert_eq!(s.spawn(|| 1).join(), 1);
    });
    // And while others wait.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                while !is_over.load(Relaxed) {
                    wait_for_many();
                }
            });
        }
        let both = || {
            wait_for_many();
            use_scopes();
        };
        let all_went_well = (0..40).all(|_| in_a_child(both));
        is_over.store(true, Relaxed);
        assert!(all_went_well, "in a child that was forked while others waited");
    });
    println!("forks: all scopes ended");
}
