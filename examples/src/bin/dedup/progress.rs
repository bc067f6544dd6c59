//! What the user sees on stderr while a stage runs.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::hash::Extent;
use crate::tree::File;

/// How progress is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Progress {
    /// A bar that is redrawn, for a terminal.
    Bars,
    /// A line per stage, for a log.
    Lines,
    /// Not at all.
    #[cfg(test)]
    Silent,
}

/// One stage under way. Its bar disappears when it is dropped.
///
/// Tasks report to it directly: no task exists only to draw, and drawing is rationed by the bar.
#[derive(Debug)]
pub(crate) struct Stage {
    bar: ProgressBar,
    files: Arc<AtomicUsize>,
}

impl Progress {
    /// A walk, whose end is unknown.
    pub(crate) fn walking(self) -> Stage {
        self.stage("looking for files", "{spinner} {files} files found, {bytes}", || {
            ProgressBar::new_spinner()
        })
    }

    /// Hashing `files` up to `extent`.
    pub(crate) fn hashing(self, files: &[&File], extent: Extent) -> Stage {
        let count = HumanCount(files.len() as u64);
        let bytes = files.iter().map(|file| extent.of(file)).sum();
        let what = match extent {
            Extent::FirstBlock => "the first block",
            Extent::Whole => "all",
        };
        self.stage(
            &format!("comparing {what} of {count} files, {}", HumanBytes(bytes)),
            &format!(
                "{{files}}/{count} files {{wide_bar}} {{bytes}}/{{total_bytes}} {{bytes_per_sec}}"
            ),
            || ProgressBar::new(bytes),
        )
    }

    fn stage(self, line: &str, template: &str, bar: impl FnOnce() -> ProgressBar) -> Stage {
        let files = Arc::new(AtomicUsize::new(0));
        let bar = match self {
            Progress::Bars => bar().with_style(style(template, Arc::clone(&files))),
            Progress::Lines => {
                // Whether anybody listens is no reason to stop.
                let _ = writeln!(io::stderr(), "{line}");
                ProgressBar::hidden()
            }
            #[cfg(test)]
            Progress::Silent => ProgressBar::hidden(),
        };
        Stage { bar, files }
    }
}

impl Stage {
    /// Reports that `n` more files are done with.
    pub(crate) fn files(&self, n: usize) {
        self.files.fetch_add(n, Relaxed);
    }

    /// Reports `n` more bytes, and draws if it is time to.
    pub(crate) fn bytes(&self, n: u64) {
        self.bar.inc(n);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str, files: Arc<AtomicUsize>) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates of this file are well-formed")
        .with_key("files", move |_: &ProgressState, out: &mut dyn fmt::Write| {
            // A key has no way to fail, and writing to a string does not.
            let _ = write!(out, "{}", HumanCount(files.load(Relaxed) as u64));
        })
}
