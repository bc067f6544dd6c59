//! All files, as many at once as is allowed, until the end or a reason to stop.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::args::Args;
use crate::files::{check, walk};
use crate::report::{Report, tell};

/// How often it tells how far it is.
const TICK: Duration = Duration::from_millis(200);

// ANCHOR: check_all
pub(crate) fn check_all(args: &Args) -> Report {
    let mut report = Report::default();
    let (found, checked) = (AtomicUsize::new(0), AtomicUsize::new(0));

    wg::options().timeout(args.timeout().unwrap_or(Duration::MAX)).scope(|s| {
        if args.progress {
            s.spawn(|| {
                while s.sleep(TICK).is_ok() {
                    tell(checked.load(Relaxed), found.load(Relaxed));
                }
            });
        }
        let files = walk(&args.path).inspect(|_| _ = found.fetch_add(1, Relaxed));
        let workers = args.workers.get();
        for (_, page) in s.fan_out(files).limit(workers).as_completed(|file| check(file?)) {
            checked.fetch_add(1, Relaxed);
            report.add(page);
            if args.strict && !report.unreadable.is_empty() {
                report.stopped = Some("a file cannot be read".to_owned());
                break; // What has not begun is dropped; what runs is waited for.
            }
        }
        if let Some(cause) = s.cancelled_by() {
            report.stopped = Some(cause.to_string());
        }
        s.cancel("all is checked"); // for whoever still tells how far it is
    });
    report
}
// ANCHOR_END: check_all
