//! Runs tasks of many kinds and says how many ran: for a process in which threads cannot be created,
//! or not as many as it takes (`.ci/faults`).
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use wg_tests::{Bang, bang, caught};

/// Where everybody waits until all are there, or until somebody has lost patience.
struct Meeting {
    absent: Mutex<usize>,
    over: Condvar,
    patience: Duration,
}

impl Meeting {
    /// A meeting of so many; the program's argument is how many milliseconds they have patience.
    fn of(all: usize) -> Self {
        let patience = std::env::args().nth(1).map_or(200, |millis| millis.parse().unwrap());
        let patience = Duration::from_millis(patience);
        Meeting { absent: Mutex::new(all), over: Condvar::new(), patience }
    }

    fn attend(&self) {
        let mut absent = self.absent.lock().unwrap();
        *absent = absent.saturating_sub(1);
        let (mut absent, _) =
            self.over.wait_timeout_while(absent, self.patience, |absent| *absent > 0).unwrap();
        *absent = 0;
        self.over.notify_all();
    }
}

fn main() -> ExitCode {
    let ran = AtomicUsize::new(0);
    let mut all = 0;

    // Tasks that wait for one another, so that more and more threads are asked for.
    let meeting = Meeting::of(100);
    wg::scope(|s| {
        for _ in 0..100 {
            s.spawn(|| {
                meeting.attend();
                ran.fetch_add(1, Relaxed);
            });
        }
    });
    all += 100;

    // Tasks of tasks, and scopes in tasks.
    wg::scope(|s| {
        for _ in 0..100 {
            s.spawn(|| {
                s.spawn(|| ran.fetch_add(1, Relaxed));
                wg::scope(|inner| drop(inner.spawn(|| ran.fetch_add(1, Relaxed))));
                ran.fetch_add(1, Relaxed)
            });
        }
    });
    all += 300;

    // Tasks that are joined in the order of their spawning, and backwards.
    wg::scope(|s| {
        let mut tasks: Vec<_> = (0..200).map(|_| s.spawn(|| ran.fetch_add(1, Relaxed))).collect();
        let later = tasks.split_off(100);
        for task in tasks.into_iter().chain(later.into_iter().rev()) {
            task.join();
        }
    });
    all += 200;

    // A panic comes out of it as well.
    let panicked = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| {
                ran.fetch_add(1, Relaxed);
                bang(1)
            });
        });
    });
    all += 1;

    let ran = ran.into_inner();
    println!("ran {ran} of {all}");
    // Threads of the pool may be idle now; they must not keep the process.
    if ran == all && panicked == Bang(1) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
