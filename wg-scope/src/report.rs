//! Who is still there: what a wait says that has timed out.

use std::fmt;
use std::time::Duration;

use crate::task_info::TaskInfo;

/// How many tasks a report names; the others are counted.
pub(crate) const NAMED: usize = 16;

/// How many tasks a scope has had so far, and where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Tasks that were spawned.
    pub spawned: usize,
    /// Of these, the ones that wait to begin.
    pub waiting: usize,
    /// The ones that have begun and not ended.
    pub running: usize,
    /// The ones that have ended, however that was.
    pub ended: usize,
}

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alive {
    task: TaskInfo,
    age: Option<Duration>,
}

impl Alive {
    pub(crate) fn new(task: TaskInfo, age: Option<Duration>) -> Self {
        Alive { task, age }
    }

    /// Returns which task it is.
    #[must_use]
    pub fn task(&self) -> &TaskInfo {
        &self.task
    }

    /// Returns for how long it has been running, to within some milliseconds; `None` if it has not
    /// begun.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }
}

impl fmt::Display for Alive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.task)?;
        match self.age {
            Some(age) if age < Duration::from_secs(1) => {
                write!(f, ", running {} ms", age.as_millis())
            }
            Some(age) => write!(f, ", running {:.1} s", age.as_secs_f64()),
            None => f.write_str(", not begun"),
        }
    }
}

/// The error of a wait that timed out: who is still alive.
///
/// Reads `3 tasks alive: fetch#7 spawned at src/a.rs:41, running 12.4 s; …`. The first few are
/// named, those that run before those that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillRunning {
    scope: Option<String>,
    named: Vec<Alive>,
    total: usize,
}

impl StillRunning {
    pub(crate) fn new(scope: Option<&str>, named: Vec<Alive>, total: usize) -> Self {
        let total = total.max(named.len());
        StillRunning { scope: scope.map(str::to_owned), named, total }
    }

    /// Returns how many tasks are alive, running or waiting to begin.
    #[must_use]
    pub fn count(&self) -> usize {
        self.total
    }

    /// Returns the first few of them.
    #[must_use]
    pub fn tasks(&self) -> &[Alive] {
        &self.named
    }
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = if self.total == 1 { "task" } else { "tasks" };
        write!(f, "{} {tasks} alive", self.total)?;
        if let Some(scope) = &self.scope {
            write!(f, " in `{scope}`")?;
        }
        for (place, alive) in self.named.iter().enumerate() {
            write!(f, "{}{alive}", if place == 0 { ": " } else { "; " })?;
        }
        if self.total > self.named.len() && !self.named.is_empty() {
            f.write_str("; …")?;
        }
        Ok(())
    }
}

impl std::error::Error for StillRunning {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_info::Label;
    use std::panic::Location;

    #[test]
    fn rule_22_a_report_names_the_first_and_counts_the_rest() {
        let site = Location::caller();
        let at = format!("{}:{}", site.file(), site.line());
        let named = vec![
            Alive::new(
                TaskInfo::new(7, Label::named("fetch", site)),
                Some(Duration::from_millis(12_400)),
            ),
            Alive::new(TaskInfo::new(9, Label::at(site)), None),
        ];
        let report = StillRunning::new(Some("crawl"), named, 3);
        assert_eq!(
            report.to_string(),
            format!(
                "3 tasks alive in `crawl`: fetch#7 spawned at {at}, running 12.4 s; \
                 task#9 spawned at {at}, not begun; …"
            )
        );
    }
}
