//! Locks: taken twice, not given back, taken in two orders, read again behind a writer.
//!
//! That a lock is given back is Rust's doing, not wg's, and holds in tasks on every path. Cycles of
//! locks remain possible. With permits of a [`wg::Semaphore`] as the locks, the wait is one of ours:
//! the scope says who stands where, and can be ended.

use std::sync::{Barrier, Mutex, RwLock};

use wg::{Cause, Scope, Semaphore, Stopped};
use wg_tests::{Bang, bang, caught, until};

use crate::{Roll, SHORT, ends};

/// cockroach#584, moby#7559, moby#17176, grpc#795, grpc#3017, etcd#5509 (GoKer "double locking" and
/// "missing unlock"): a path out of a loop or a function forgets `Unlock`, and whoever locks next
/// stays there. Cannot be said: the guard goes with the path.
#[test]
fn rule_01_every_path_out_of_a_task_gives_its_lock_back() {
    let rounds = ends(|| {
        let rounds = Mutex::new(0);
        let failed = wg::try_scope(|s| {
            let returns = s.spawn(|| {
                for n in 0.. {
                    let mut rounds = rounds.lock().unwrap();
                    *rounds += 1;
                    if n == 3 {
                        break;
                    }
                }
                let held = rounds.lock().unwrap();
                if *held > 0 { Ok(()) } else { Err("nothing was done".to_owned()) }
            });
            returns.join()?;
            s.spawn(|| {
                let _held = rounds.lock().unwrap();
                "x".parse::<u8>().map_err(|error| error.to_string()).map(drop)
            });
            Ok(())
        });
        assert_eq!(failed.unwrap_err(), "invalid digit found in string");
        rounds.into_inner().unwrap()
    });
    assert_eq!(rounds, 4);
}

/// The same with a panic, which in Go skips an `Unlock` that is not deferred. The permit comes back,
/// and the sibling that waits for it is not stuck: it is told that the scope has ended.
#[test]
fn rule_19_a_panic_with_the_lock_held_frees_the_lock_and_its_siblings() {
    ends(|| {
        let (lock, roll) = (Semaphore::new(1), Roll::default());
        let bang: Bang = caught(|| {
            wg::scope(|s| {
                s.spawn(|| {
                    let _inside = roll.enter();
                    let _held = s.permits(&lock, 1).unwrap();
                    s.spawn(|| {
                        let _inside = roll.enter();
                        drop(s.permits(&lock, 1));
                    });
                    until(|| lock.waiters() == 1);
                    bang(584)
                });
            });
        });
        assert_eq!((bang, roll.all_left(), lock.available()), (Bang(584), 2, 1));
    });
}

/// cockroach#9935, cockroach#16167, cockroach#18101, etcd#10492, etcd#6708, hugo#5379, moby#36114,
/// syncthing#4829 (GoKer "double locking"): a method locks and calls another that locks again. Here
/// the inner function asks for what is locked, `&mut`, which only a holder has; and if a lock is
/// taken twice all the same, the wait of the second says so, and ends with its scope.
#[test]
fn rule_22_a_lock_that_is_taken_twice_is_reported_and_the_wait_ends_with_the_scope() {
    fn clear(addresses: &mut Vec<&str>) {
        addresses.clear();
        notify(addresses);
    }
    fn notify(addresses: &mut Vec<&str>) {
        addresses.push("notified");
    }

    ends(|| {
        let addresses = Mutex::new(vec!["a", "b"]);
        wg::scope(|s| s.spawn(|| clear(&mut addresses.lock().unwrap())).join());
        assert_eq!(*addresses.lock().unwrap(), ["notified"]);

        let lock = Semaphore::new(1);
        let twice = wg::scope(|s| {
            let twice = s.task("clear").spawn(|| {
                let _held = s.permits(&lock, 1)?;
                s.permits(&lock, 1).map(drop)
            });
            until(|| lock.waiters() == 1);
            let report = s.alive();
            assert_eq!(report.count(), 1);
            assert!(report.to_string().starts_with("1 task alive: clear#0 spawned at "));
            s.cancel("locked by itself");
            twice.try_join().and_then(|ended| ended)
        });
        assert_eq!(twice.unwrap_err().to_string(), "stopped: cancelled: locked by itself");
        assert_eq!(lock.available(), 1);
    });
}

/// cockroach#10214, cockroach#7504, kubernetes#13135, kubernetes#30872, moby#4951 (GoKer "AB-BA"):
/// two goroutines hold one lock each and ask for the other's, for ever. Here both are named by the
/// report, and a cancel (or a deadline) sends both home with their locks given back.
#[test]
fn rule_19_two_that_hold_what_the_other_wants_are_named_and_end_with_the_scope() {
    fn take_both(s: &Scope<'_, '_>, locks: [&Semaphore; 2], held: &Barrier) -> Result<(), Stopped> {
        let _first = s.permits(locks[0], 1)?;
        held.wait();
        s.permits(locks[1], 1).map(drop)
    }

    ends(|| {
        let (coalesced, raft) = (Semaphore::new(1), Semaphore::new(1));
        let both_hold = Barrier::new(2);
        let roll = Roll::default();
        let ended: [Result<(), Stopped>; 2] = wg::scope(|s| {
            let heartbeat = s.task("heartbeat").spawn(|| {
                let _inside = roll.enter();
                take_both(s, [&coalesced, &raft], &both_hold)
            });
            let tick = s.task("tick").spawn(|| {
                let _inside = roll.enter();
                take_both(s, [&raft, &coalesced], &both_hold)
            });
            until(|| coalesced.waiters() + raft.waiters() == 2);
            let report = s.alive().to_string();
            assert!(report.contains("heartbeat#0") && report.contains("tick#1"), "{report}");
            s.cancel("a cycle of locks");
            [heartbeat, tick].map(|task| task.try_join().and_then(|ended| ended))
        });
        let stopped: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
        let asked = Cause::Asked("a cycle of locks".into());
        assert!(stopped.iter().all(|stopped| stopped.cause() == &asked));
        assert!(!stopped.is_empty(), "the first goes home, and the other may go on then");
        assert_eq!((roll.all_left(), coalesced.available(), raft.available()), (2, 1, 1));
    });
}

/// The way out of the cycle that needs no order: what is needed together is taken together. One
/// semaphore, as many permits as there are things; a heavy request is not overtaken.
#[test]
fn rule_19_what_is_taken_together_makes_no_cycle() {
    let transfers = ends(|| {
        let both = Semaphore::new(2);
        let (left, right) = (Mutex::new(0), Mutex::new(0));
        wg::options().limit(8).scope(|s| {
            for n in 0..200 {
                let (both, left, right) = (&both, &left, &right);
                let (first, second) = if n % 2 == 0 { (left, right) } else { (right, left) };
                s.spawn(move || {
                    let _alone = s.permits(both, 2).unwrap();
                    let mut first = first.lock().unwrap();
                    *first += 1;
                    *second.lock().unwrap() += 1;
                });
            }
        });
        (left.into_inner().unwrap(), right.into_inner().unwrap())
    });
    assert_eq!(transfers, (200, 200));
}

/// cockroach#3710, cockroach#6181, kubernetes#62464, hugo#3251 (GoKer "RWR"): a reader reads again
/// while a writer stands in line between the two, and neither goes on. A fair semaphore has the same
/// line, so the cycle is there; its wait ends with the scope's deadline, and the writer gets on.
#[test]
fn rule_21_a_reader_that_reads_again_behind_a_writer_ends_with_its_deadline() {
    const ALL: u64 = 4;

    ends(|| {
        let lock = &Semaphore::new(ALL);
        let written = wg::scope(|s| {
            let mut writer = None;
            let again = wg::scope(|reader| {
                let _first = reader.permits(lock, 1).unwrap();
                let write = move || s.permits(lock, ALL).map(|_alone| "written");
                writer = Some(s.spawn(write));
                until(|| lock.waiters() == 1);
                wg::options().timeout(SHORT).scope(|again| again.permits(lock, 1).map(drop))
            });
            assert!(again.unwrap_err().cause().is_deadline());
            writer.unwrap().join()
        });
        assert_eq!(written.unwrap(), "written");
    });
}

/// kubernetes#58107 (GoKer "RWR"): a worker waits for a job with the read lock held, which holds up
/// the writer, which holds up the workers of another queue. Workers of a pool that have no job hold
/// nothing, not even a thread.
#[test]
fn rule_16_workers_that_wait_for_jobs_hold_nothing() {
    let (done, syncs) = ends(|| {
        let sync = RwLock::new(0);
        let read = |job: u32| (*sync.read().unwrap(), job);
        let done = wg::scope(|s| {
            let _empty = s.workers(5, read);
            let mut busy = s.workers(2, read);
            let mut done = 0;
            for job in 0..100 {
                busy.send(job).unwrap();
                if job % 10 == 0 {
                    *sync.write().unwrap() += 1;
                }
                done += busy.try_recv().iter().count();
            }
            done + busy.results().count()
        });
        (done, sync.into_inner().unwrap())
    });
    assert_eq!((done, syncs), (100, 10));
}
