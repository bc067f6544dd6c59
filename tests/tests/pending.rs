//! How many threads a process has whose futures are pending: alone in its process, so that no other
//! test's threads are counted.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use futures::channel::oneshot;
use wg_tests::until;

/// How many threads of this process work for scopes.
fn runners() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("wg-runner")).count()
}

#[test]
fn rule_12_ten_thousand_pending_futures_need_no_more_runners_than_cores_and_two() {
    const FUTURES: usize = 10_000;
    let (polled, woken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cores = thread::available_parallelism().unwrap().get();
    wg::scope(|s| {
        let (gates, waits): (Vec<_>, Vec<_>) = (0..FUTURES).map(|_| oneshot::channel()).unzip();
        for wait in waits {
            let (polled, woken) = (&polled, &woken);
            s.spawn_future(async move {
                polled.fetch_add(1, Relaxed);
                wait.await.unwrap();
                woken.fetch_add(1, Relaxed);
            });
        }
        until(|| polled.load(Relaxed) == FUTURES && s.counts().running == 0);
        assert_eq!(s.counts().waiting, FUTURES);
        assert!((1..=cores + 2).contains(&runners()));
        for gate in gates {
            gate.send(()).unwrap();
        }
    });
    assert_eq!(woken.into_inner(), FUTURES);
    assert!((1..=cores + 2).contains(&runners()));
}
