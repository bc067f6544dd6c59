//! Order: used before it is there, or after it has gone. 21 of the 86 were repaired by enforcing an
//! order, 7 of them with a WaitGroup.

use std::sync::Mutex;

use crate::ends;

/// A result is read before the goroutine that makes it has ended. It does not compile
/// (`ui/fail/the_body_reads_what_a_task_writes.rs`): the value comes out of `join`, and not earlier.
#[test]
fn rule_23_a_value_is_there_when_its_task_has_ended_and_not_earlier() {
    let lengths = ends(|| {
        let mut name = String::from("unset");
        wg::scope(|s| {
            s.spawn(|| name = String::from("set by a task"));
        });
        name.len()
    });
    assert_eq!(lengths, "set by a task".len());
}

/// A step of a pipeline uses what the step before has not made yet. A task that needs another's value
/// has its handle: the order is in the types, and no thread is held by it.
#[test]
fn rule_11_a_task_that_needs_another_holds_its_handle() {
    for limit in [1, 2] {
        let log = ends(move || {
            let log = Mutex::new(Vec::new());
            wg::options().limit(limit).scope(|s| {
                let open = s.spawn(|| log.lock().unwrap().push("open"));
                let write = s.spawn(|| {
                    open.join();
                    log.lock().unwrap().push("write");
                });
                s.spawn(|| {
                    write.join();
                    log.lock().unwrap().push("close");
                });
            });
            log.into_inner().unwrap()
        });
        assert_eq!(log, ["open", "write", "close"]);
    }
}

/// A test or a server ends, and what it started still uses what was torn down. The scope is inside of
/// what it borrows.
#[test]
fn rule_01_what_tasks_use_is_torn_down_after_them() {
    struct Store<'a>(&'a Mutex<Vec<&'static str>>);

    impl Drop for Store<'_> {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("store closed");
        }
    }

    let log = ends(|| {
        let log = Mutex::new(Vec::new());
        {
            let store = Store(&log);
            wg::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| store.0.lock().unwrap().push("stored"));
                }
            });
        }
        log.into_inner().unwrap()
    });
    assert_eq!(log, ["stored", "stored", "stored", "store closed"]);
}
