//! What stands in a queue. There may be very many tasks, so each takes two words there; what is rarer has
//! more to say, and says it elsewhere.

use std::mem;

use crate::blocks::Held;
use crate::task_info::TaskInfo;
use crate::thread::job::{Job, Once, Slot};

/// A job, and how often it may still be begun; none if its joiner came first.
pub(super) enum Entry {
    /// A task, with its index.
    Task(Slot, u64),
    Other(Held<Other>),
}

pub(super) struct Other {
    job: Option<Job>,
    index: u64,
    shares: usize,
    key: u64,
}

const _: () = assert!(size_of::<Entry>() <= 16);

/// The key of a task's entry.
pub(super) const fn own_key(index: u64) -> u64 {
    2 * index + 1
}

/// The key of an entry that no joiner looks for, after so many tasks.
const fn other_key(spawned: u64) -> u64 {
    2 * spawned
}

impl Entry {
    /// A task's own entry.
    #[inline]
    pub(super) fn of(job: Job, index: u64) -> Self {
        match job {
            Job::Once(task) => Entry::Task(Slot::new(task), index),
            often => Entry::other(often, index, 1, own_key(index)),
        }
    }

    /// The entry of a job that may be begun `shares` times, after so many tasks.
    pub(super) fn after(spawned: u64, job: Job, index: u64, shares: usize) -> Self {
        Entry::other(job, index, shares, other_key(spawned))
    }

    fn other(job: Job, index: u64, shares: usize, key: u64) -> Self {
        Entry::Other(Held::new(Other { job: Some(job), index, shares, key }))
    }

    /// Entries are in the order of these, and a task's own is told by its index.
    #[inline]
    pub(super) fn key(&self) -> u64 {
        match self {
            Entry::Task(_, index) => own_key(*index),
            Entry::Other(other) => other.key,
        }
    }

    /// How often it may still be begun.
    #[inline]
    pub(super) fn shares(&self) -> usize {
        match self {
            Entry::Task(slot, _) => usize::from(!slot.is_empty()),
            Entry::Other(other) => other.shares,
        }
    }

    /// Takes one share out, and says which index it has. Where it was the last, the entry is empty.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(Job, u64)> {
        match self {
            Entry::Task(..) => self.take_task().map(|(task, index)| (Job::Once(task), index)),
            Entry::Other(other) => other.take(),
        }
    }

    /// As [`take`](Self::take), of a task.
    #[inline]
    pub(super) fn take_task(&mut self) -> Option<(Once, u64)> {
        let Entry::Task(slot, index) = self else { return None };
        Some((slot.take()?, *index))
    }

    /// Forgets all shares but one if there is nothing to do for those who take them. Returns how many
    /// were forgotten. The last one stays, as its job may be the last hold on something of the user's,
    /// which is not to be dropped here.
    #[inline]
    pub(super) fn forget_unwanted(&mut self) -> usize {
        match self {
            Entry::Task(..) => 0,
            Entry::Other(other) => other.forget_unwanted(),
        }
    }

    /// Whether there is something to do for who takes it.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Entry::Task(slot, _) => !slot.is_empty(),
            Entry::Other(other) => other.job.as_ref().is_some_and(Job::is_wanted),
        }
    }

    /// How much of it those have done who share it.
    pub(super) fn done(&self) -> Option<u64> {
        match self {
            Entry::Task(..) => Some(0),
            Entry::Other(other) => other.job.as_ref().map_or(Some(0), Job::done),
        }
    }

    /// Says which task it is, as long as it may be begun.
    pub(super) fn info(&self) -> Option<TaskInfo> {
        match self {
            Entry::Task(slot, index) => slot.info(*index),
            Entry::Other(other) => Some(other.job.as_ref()?.info(other.index)),
        }
    }

    /// Another one of a job that may be run several times.
    pub(super) fn share(&self) -> Option<Job> {
        match self {
            Entry::Task(..) => None,
            Entry::Other(other) => other.job.as_ref()?.share(),
        }
    }
}

impl Other {
    fn forget_unwanted(&mut self) -> usize {
        if self.shares <= 1 || self.job.as_ref().is_none_or(Job::is_wanted) {
            return 0;
        }
        mem::replace(&mut self.shares, 1) - 1
    }

    fn take(&mut self) -> Option<(Job, u64)> {
        let job = if self.shares > 1 { self.job.as_ref()?.share()? } else { self.job.take()? };
        self.shares -= 1;
        Some((job, self.index))
    }
}
