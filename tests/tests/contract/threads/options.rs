//! Options: one value for every entry point; rule 14 where stacks are asked for.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use wg_tests::{payload, until};

const LARGE: usize = 64 << 20;

/// Uses about `bytes` of the stack.
fn deep(bytes: usize) -> usize {
    let block = black_box([1_u8; 4096]);
    if bytes < 8192 { 0 } else { usize::from(block[7]) + deep(bytes - 4096) }
}

#[test]
fn rule_14_a_task_with_a_large_stack_may_recurse_deeply() {
    let bytes = 20 << 20;
    let large = wg::options().stack_size(LARGE);
    // Joined from the body, joined from a task, and left to the scope's end.
    assert!(large.scope(|s| s.spawn(|| deep(bytes)).join()) > 1_000);
    assert!(large.scope(|s| s.spawn(|| s.spawn(|| deep(bytes)).join()).join()) > 1_000);
    let ended = AtomicUsize::new(0);
    large.scope(|s| {
        for _ in 0..4 {
            s.spawn(|| ended.fetch_add(deep(bytes), SeqCst));
        }
    });
    assert!(ended.into_inner() > 4_000);
}

#[test]
fn rule_14_a_task_with_a_large_stack_runs_on_a_runner_and_nowhere_else() {
    let names = Mutex::new(Vec::new());
    for limit in [1, 2, 8] {
        wg::options().stack_size(LARGE).limit(limit).scope(|s| {
            for n in 0..20 {
                let name =
                    || names.lock().unwrap().push(thread::current().name().map(str::to_owned));
                let task = s.spawn(name);
                if n % 2 == 0 {
                    task.join();
                }
            }
        });
    }
    let names = names.into_inner().unwrap();
    assert_eq!(names.len(), 60);
    let is_runner = |name: &Option<String>| name.as_deref().unwrap().starts_with("wg-runner-");
    assert!(names.iter().all(is_runner), "{names:?}");
}

#[test]
fn rule_12_tasks_with_large_stacks_may_wait_for_one_another() {
    let all = Barrier::new(40);
    wg::options().stack_size(1 << 20).scope(|s| {
        for _ in 0..40 {
            s.spawn(|| all.wait());
        }
    });
}

#[test]
fn rule_14_a_stack_of_0_is_refused() {
    let refused = payload(|| wg::options().stack_size(0));
    let text = refused.downcast_ref::<String>().cloned();
    let text = text.or_else(|| refused.downcast_ref::<&str>().map(ToString::to_string)).unwrap();
    assert!(text.contains("stack of 0"), "{text}");
}

/// Counts the threads that are gone which ran a task of the test below.
static GONE: AtomicUsize = AtomicUsize::new(0);

struct Gone;

impl Drop for Gone {
    fn drop(&mut self) {
        GONE.fetch_add(1, SeqCst);
    }
}

thread_local! {
    static HERE: RefCell<Option<Gone>> = const { RefCell::new(None) };
}

#[test]
fn rule_14_idle_threads_go_away_all_of_them() {
    // A pool of its own, so that no other test has work for its threads.
    let all = Barrier::new(20);
    wg::options().stack_size(3 << 20).scope(|s| {
        for _ in 0..20 {
            s.spawn(|| {
                HERE.set(Some(Gone));
                all.wait();
            });
        }
    });
    until(|| {
        thread::sleep(Duration::from_millis(1));
        GONE.load(SeqCst) == 20
    });
    // And more come when they are needed again.
    let all = Barrier::new(3);
    wg::options().stack_size(3 << 20).scope(|s| {
        for _ in 0..3 {
            s.spawn(|| all.wait());
        }
    });
}

/// A thread's number, as the system knows it.
#[cfg(target_os = "linux")]
fn thread_number() -> String {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn rule_14_threads_that_nobody_needs_fall_asleep_although_small_scopes_are_opened_all_the_time() {
    fn is_awake(thread: &String) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
        // The name stands in brackets, and the state follows.
        stat.is_ok_and(|stat| stat.rsplit(") ").next().unwrap().starts_with('R'))
    }

    let cores = thread::available_parallelism().unwrap().get();
    let many = 20 * cores;
    // A pool of its own, so that no other test has work for its threads.
    let options = wg::options().stack_size(5 << 20);
    let all = Barrier::new(many);
    let threads: Vec<_> = options.scope(|s| {
        let meet = || {
            all.wait();
            thread_number()
        };
        let tasks: Vec<_> = (0..many).map(|_| s.spawn(meet)).collect();
        tasks.into_iter().map(wg::Task::join).collect()
    });
    let seen = AtomicBool::new(false);
    thread::scope(|other| {
        other.spawn(|| {
            while !seen.load(SeqCst) {
                options.scope(|s| s.spawn(|| ()).join());
            }
        });
        // On a machine with much else to do a thread that is about to fall asleep waits for its turn as well.
        until(|| threads.iter().filter(|thread| is_awake(thread)).count() <= 2 * cores);
        seen.store(true, SeqCst);
    });
}

#[test]
fn rule_09_one_value_serves_many_scopes_of_every_kind_at_once() {
    let options = wg::options().name("many").limit(2).timeout(Duration::from_secs(3600));
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(options.scope(|s| s.spawn(|| 1).join()), 1);
                    let tried: Result<u32, String> =
                        options.try_scope(|s| s.spawn(|| Ok(2)).join());
                    assert_eq!(tried, Ok(2));
                    let (three, errors) = options.collect_scope(|s| {
                        s.spawn(|| Err::<(), _>("one"));
                        3
                    });
                    assert_eq!((three, errors.len()), (3, 1));
                }
            });
        }
    });
}

#[test]
fn rule_21_a_timeout_begins_anew_with_every_scope() {
    let options = wg::options().timeout(Duration::from_secs(3600));
    let first = options.scope(|s| s.deadline().unwrap());
    let second = options.scope(|s| s.deadline().unwrap());
    assert!(first < second);
}

#[test]
fn rule_22_options_show_what_was_asked_for() {
    let text = format!("{:?}", wg::options().name("index").limit(8).catch_panics());
    assert!(text.contains("\"index\"") && text.contains("Some(8)"), "{text}");
    assert!(text.contains("catch_panics: true") && text.contains("shield: false"), "{text}");
}
