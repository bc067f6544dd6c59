//! Permits inside a scope.

use std::sync::Mutex;
use std::time::Duration;

use wg::Semaphore;
use wg_tests::{Bang, bang, caught, until};

#[test]
fn rule_19_a_wait_for_permits_ends_with_the_scope() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    wg::scope(|s| {
        let waiter = s.spawn(|| s.permits(&semaphore, 1).map(drop));
        until(|| semaphore.waiters() == 1);
        s.cancel("enough");
        // The body's own wait ends too.
        assert_eq!(s.permits(&semaphore, 1).unwrap_err().to_string(), "stopped: cancelled: enough");
        assert!(waiter.try_join().and_then(|waited| waited).is_err());
    });
    assert_eq!(semaphore.waiters(), 0);
    let late = wg::options()
        .timeout(Duration::from_millis(1))
        .scope(|s| s.permits(&semaphore, 1).map(drop));
    assert!(late.unwrap_err().cause().is_deadline());
    drop(held);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn rule_09_they_are_served_in_the_order_of_their_arrival() {
    let (semaphore, order) = (Semaphore::new(4), Mutex::new(Vec::new()));
    let held = semaphore.acquire(4);
    wg::scope(|s| {
        for (place, weight) in [3, 1, 100, 2, 4, 1].into_iter().enumerate() {
            let (semaphore, order) = (&semaphore, &order);
            s.spawn(move || {
                let _permit = s.permits(semaphore, weight).unwrap();
                order.lock().unwrap().push(weight);
            });
            until(|| semaphore.waiters() == place + 1);
        }
        drop(held);
    });
    let order = order.into_inner().unwrap();
    // The first two hold theirs together, and may say so in either order.
    assert!(order[..2] == [3, 1] || order[..2] == [1, 3]);
    assert_eq!(order[2..], [100, 2, 4, 1]);
}

#[test]
fn rule_01_they_are_given_back_on_a_panic_and_by_who_was_cancelled() {
    let semaphore = Semaphore::new(8);
    let first: Bang = caught(|| {
        wg::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let _permit = s.permits(&semaphore, 3);
                    bang(620)
                });
            }
        })
    });
    assert_eq!((first, semaphore.available(), semaphore.waiters()), (Bang(620), 8, 0));
    for _ in 0..200 {
        let held = semaphore.acquire(8);
        wg::scope(|s| {
            s.spawn(|| s.permits(&semaphore, 8).map(drop));
            s.spawn(|| s.cancel("race"));
            drop(held);
        });
        assert_eq!((semaphore.available(), semaphore.waiters()), (8, 0));
    }
}
