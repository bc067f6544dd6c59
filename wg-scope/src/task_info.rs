//! Who a task is: its index, its name, and the line that spawned it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Which task something is said of: its index in its scope, its name if it has one, and the line
/// that spawned it.
///
/// Reads `fetch#7 spawned at src/main.rs:41`, or `task#7 …` if it has no name.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskInfo {
    index: u64,
    label: Label,
}

/// What a task is called, and where it was spawned.
#[derive(Clone)]
pub(crate) enum Label {
    Site(&'static Location<'static>),
    Named(Arc<Named>),
}

pub(crate) struct Named {
    name: Box<str>,
    site: &'static Location<'static>,
}

impl TaskInfo {
    pub(crate) fn new(index: u64, label: Label) -> Self {
        TaskInfo { index, label }
    }

    /// Returns how many tasks of the scope were spawned before this one.
    #[must_use]
    pub fn index(&self) -> usize {
        usize::try_from(self.index).unwrap_or(usize::MAX)
    }

    /// Returns the name that the task was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.label {
            Label::Site(_) => None,
            Label::Named(named) => Some(&named.name),
        }
    }

    /// Returns the line that spawned the task.
    #[must_use]
    pub fn site(&self) -> &'static Location<'static> {
        self.label.site()
    }
}

impl Label {
    pub(crate) fn named(name: &str, site: &'static Location<'static>) -> Self {
        Label::Named(Arc::new(Named { name: name.into(), site }))
    }

    pub(crate) fn site(&self) -> &'static Location<'static> {
        match self {
            Label::Site(site) => site,
            Label::Named(named) => named.site,
        }
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        let name = |label: &Self| match label {
            Label::Site(_) => None,
            Label::Named(named) => Some(named.name.clone()),
        };
        self.site() == other.site() && name(self) == name(other)
    }
}

impl Eq for Label {}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("task");
        let site = self.site();
        write!(f, "{name}#{} spawned at {}:{}", self.index, site.file(), site.line())
    }
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskInfo({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_told_by_name_index_and_line() {
        let site = Location::caller();
        let at = format!("{}:{}", site.file(), site.line());
        let plain = TaskInfo::new(7, Label::Site(site));
        assert_eq!(plain.to_string(), format!("task#7 spawned at {at}"));
        let named = TaskInfo::new(7, Label::named("fetch", site));
        assert_eq!(named.to_string(), format!("fetch#7 spawned at {at}"));
        assert_ne!(plain, named);
    }
}
