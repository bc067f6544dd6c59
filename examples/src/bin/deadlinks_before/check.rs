//! All files, as many at once as is allowed, until the end or a reason to stop.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};
use crossbeam_utils::sync::WaitGroup;
use crossbeam_utils::thread;

use crate::args::Args;
use crate::files::{check, walk};
use crate::report::{Report, tell};

/// How often it tells how far it is.
const TICK: Duration = Duration::from_millis(200);

/// How many files and pages may wait for each worker.
const WAITING: usize = 4;

// ANCHOR: check_all
pub(crate) fn check_all(args: &Args) -> Report {
    let mut report = Report::default();
    let (found, checked) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
    let (stop, late) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let deadline = args.timeout().and_then(|timeout| Instant::now().checked_add(timeout));
    let is_over = &|| {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            late.store(true, Relaxed);
        }
        late.load(Relaxed) || stop.load(Relaxed)
    };

    let joined = thread::scope(|s| {
        let workers = args.workers.get();
        let (file_sender, files) = bounded(WAITING * workers);
        let (page_sender, pages) = bounded(WAITING * workers);
        let (end_sender, end) = bounded::<()>(0);
        let running = WaitGroup::new();

        let walking = running.clone();
        s.spawn(move |_| {
            for file in walk(&args.path) {
                if is_over() || file_sender.send(file).is_err() {
                    break;
                }
                found.fetch_add(1, Relaxed);
            }
            drop(walking);
        });

        for _ in 0..workers {
            let (files, page_sender) = (files.clone(), page_sender.clone());
            let working = running.clone();
            s.spawn(move |_| {
                for file in files {
                    if is_over() || page_sender.send(file.and_then(check)).is_err() {
                        break;
                    }
                }
                drop(working);
            });
        }
        // The loop below ends when nobody holds a sender any more.
        drop(page_sender);

        if args.progress {
            s.spawn(move |_| {
                while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(TICK) {
                    tell(checked.load(Relaxed), found.load(Relaxed));
                }
            });
        }
        s.spawn(move |_| {
            running.wait();
            drop(end_sender);
        });

        loop {
            let page = match deadline {
                Some(deadline) => pages.recv_deadline(deadline),
                None => pages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match page {
                Ok(page) => {
                    checked.fetch_add(1, Relaxed);
                    report.add(page);
                    if args.strict && !report.unreadable.is_empty() {
                        report.stopped = Some("a file cannot be read".to_owned());
                        stop.store(true, Relaxed);
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    late.store(true, Relaxed);
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Here the receivers go, and with them whoever waits for room, if this left early.
    });
    if let Err(panic) = joined {
        resume_unwind(panic);
    }
    if late.load(Relaxed) && report.stopped.is_none() {
        report.stopped = Some("the deadline passed".to_owned());
    }
    report
}
// ANCHOR_END: check_all
