//! Programs as data: what a body and its tasks do, step by step, and what came of it.

use std::collections::HashSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use wg::{Cancel, Cause, Errors, FailureKind, Options, Stopped};
use wg_tests::Bang;

/// What a body or a task does, one step after the other.
pub(super) type Program = Arc<[Step]>;

/// One step of a body or a task. What returns early hands its error on, as `?` does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Starts a task with this name in the innermost scope.
    Spawn(&'static str, Program),
    /// Joins a task that was spawned here. Returns early if that failed.
    Join(&'static str),
    /// Joins a task that was spawned here, and tells how it ended.
    Look(&'static str),
    /// Gives the handle of a task up.
    Leave(&'static str),
    /// Joins all that were spawned here and are not joined yet. Returns early with the first error.
    AwaitAll,
    /// Sets what is returned.
    Value(u64),
    Fail(&'static str),
    Panic(u32),
    /// Cancels the innermost scope.
    Cancel(&'static str),
    /// Cancels by a handle that comes from elsewhere.
    Pull(Cancel, &'static str),
    /// Returns early if the scope is cancelled.
    Check,
    /// Tells why the scope is cancelled.
    Cause,
    /// Sleeps for an hour, unless the scope is cancelled; returns early then.
    Sleep,
    /// As `Sleep`, and tells how it ended instead.
    Doze,
    Yield,
    /// Is at work for a moment.
    Work,
    Note(&'static str),
    /// Lets those go on who wait for this.
    Open(&'static str),
    /// Waits for an `Open`. Returns early if the scope is cancelled.
    Until(&'static str),
    /// Tells how many tasks have been spawned.
    Count,
    /// Waits for all that was spawned, but not for long, and tells who is left.
    Alive,
    /// Runs a scope, and tells how it ended.
    Inner(Options, Way, Program),
    /// Runs a scope, and returns early if it failed.
    Within(Options, Way, Program),
}

/// Starts a task that takes these steps.
pub(super) fn spawn(name: &'static str, steps: impl Into<Program>) -> Step {
    Step::Spawn(name, steps.into())
}

/// How a scope is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Try,
    Collect,
}

/// The error of every task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Told(&'static str),
    Stopped(Cause),
}

impl From<Stopped> for Trouble {
    fn from(stopped: Stopped) -> Self {
        Trouble::Stopped(stopped.cause().clone())
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Told(text) => f.write_str(text),
            Trouble::Stopped(cause) => write!(f, "stopped: {cause}"),
        }
    }
}

impl Trouble {
    /// What does not depend on who was faster, or on where the interpreter's lines are.
    fn class(&self) -> String {
        match self {
            Trouble::Told(text) => (*text).to_owned(),
            Trouble::Stopped(cause) => match cause.origin() {
                Cause::Panicked(_, text) => format!("panicked: {text}"),
                Cause::Failed(_) => "failed".to_owned(),
                other => other.to_string(),
            },
        }
    }
}

/// How a scope ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Value(u64),
    Failed(Trouble),
    Panicked(u32),
}

impl End {
    fn class(&self) -> String {
        match self {
            End::Failed(trouble) => format!("failed: {}", trouble.class()),
            other => format!("{other:?}"),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Note(&'static str),
    /// A body or a task came to its end, with this value.
    Done(u64),
    /// A task was joined.
    Joined(&'static str, Result<u64, Trouble>),
    Cause(Option<Cause>),
    Slept(Result<(), Trouble>),
    Count(usize),
    Alive(usize, String),
    /// An inner scope ended.
    Inner(End),
    /// A scope that collects ended with these, by index: an error, or the number of a panic.
    Collected {
        errors: Vec<Result<Trouble, u32>>,
        tasks: usize,
        cancelled: usize,
        text: String,
    },
}

impl Event {
    /// As the event is in every order in which the tasks may run.
    fn class(&self) -> Option<String> {
        Some(match self {
            Event::Joined(name, result) => {
                format!("{name}: {:?}", result.as_ref().map_err(Trouble::class))
            }
            Event::Inner(end) => format!("inner: {}", end.class()),
            Event::Collected { errors, tasks, cancelled, .. } => {
                let class = |error: &Result<Trouble, u32>| match error {
                    Ok(trouble) => trouble.class(),
                    Err(number) => format!("panicked: {number}"),
                };
                let mut errors: Vec<_> = errors.iter().map(class).collect();
                errors.sort();
                format!("{errors:?} of {tasks}, {cancelled} cancelled")
            }
            Event::Note(_) | Event::Done(_) | Event::Slept(_) => format!("{self:?}"),
            Event::Cause(_) | Event::Count(_) | Event::Alive(..) => return None,
        })
    }
}

/// How often each value has been dropped.
#[derive(Debug, Default)]
pub(super) struct Register(Mutex<Vec<usize>>);

impl Register {
    pub(super) fn make(self: &Arc<Self>, number: u64) -> Kept {
        let mut drops = self.0.lock().unwrap();
        drops.push(0);
        Kept { number, id: drops.len() - 1, register: Arc::clone(self) }
    }

    /// How often each of them has been dropped so far.
    pub(super) fn drops(&self) -> Vec<usize> {
        self.0.lock().unwrap().clone()
    }
}

/// A value that every task holds, and every task returns.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) number: u64,
    id: usize,
    register: Arc<Register>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.register.0.lock().unwrap()[self.id] += 1;
    }
}

/// What those share who take the steps of one program.
#[derive(Debug, Default)]
pub(super) struct Run {
    events: Mutex<Vec<Event>>,
    opened: Mutex<HashSet<&'static str>>,
    at_work: AtomicUsize,
    most: AtomicUsize,
    pub(super) register: Arc<Register>,
}

/// Is at work until it is dropped.
pub(super) struct AtWork<'a>(&'a Run);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, SeqCst);
    }
}

impl Run {
    pub(super) fn tell(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    pub(super) fn work(&self) -> AtWork<'_> {
        self.most.fetch_max(self.at_work.fetch_add(1, SeqCst) + 1, SeqCst);
        AtWork(self)
    }

    pub(super) fn open(&self, gate: &'static str) {
        self.opened.lock().unwrap().insert(gate);
    }

    pub(super) fn is_open(&self, gate: &'static str) -> bool {
        self.opened.lock().unwrap().contains(gate)
    }

    /// Tells what a scope has collected, and returns what its body has.
    pub(super) fn collected<R>(&self, (result, errors): (R, Errors<Trouble>)) -> R {
        let text = errors.to_string();
        let (tasks, cancelled) = (errors.tasks(), errors.cancelled());
        let kind = |kind| match kind {
            FailureKind::Error(trouble) => Ok(trouble),
            FailureKind::Panic(payload) => Err(payload.downcast::<Bang>().unwrap().0),
            _ => unreachable!("there are no other kinds"),
        };
        let errors = errors.into_iter().map(|failure| kind(failure.into_kind())).collect();
        self.tell(Event::Collected { errors, tasks, cancelled, text });
        result
    }

    /// What came of it. Whatever was held by tasks has to be dropped by now.
    pub(super) fn ending(&self, end: End) -> Ending {
        Ending {
            end,
            events: self.events.lock().unwrap().clone(),
            most: self.most.load(SeqCst),
            at_work: self.at_work.load(SeqCst),
            drops: self.register.drops(),
        }
    }
}

pub(super) fn end_of(result: Result<Kept, Trouble>) -> End {
    match result {
        Ok(value) => End::Value(value.number),
        Err(trouble) => End::Failed(trouble),
    }
}

/// What came of a program.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) end: End,
    pub(super) events: Vec<Event>,
    /// How many were at work at once, at most.
    pub(super) most: usize,
    /// How many are at work still.
    at_work: usize,
    drops: Vec<usize>,
}

impl Ending {
    /// Fails unless everything has been dropped, and nobody is at work.
    #[track_caller]
    pub(super) fn is_clean(&self) {
        assert!(self.drops.iter().all(|&drops| drops == 1), "{:?}", self.drops);
        assert_eq!(self.at_work, 0, "somebody is still at work");
    }

    pub(super) fn has(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    pub(super) fn noted(&self, text: &'static str) -> usize {
        self.events.iter().filter(|event| **event == Event::Note(text)).count()
    }

    /// How the task of this name was seen to end by who joined it.
    #[track_caller]
    pub(super) fn joined(&self, name: &'static str) -> &Result<u64, Trouble> {
        let is_it = |event: &&Event| matches!(event, Event::Joined(other, _) if *other == name);
        match self.events.iter().find(is_it) {
            Some(Event::Joined(_, result)) => result,
            _ => panic!("nobody has joined {name}: {self:?}"),
        }
    }

    /// How an inner scope ended.
    #[track_caller]
    pub(super) fn inner(&self) -> &End {
        let inner = self.events.iter().find_map(|event| match event {
            Event::Inner(end) => Some(end),
            _ => None,
        });
        inner.unwrap_or_else(|| panic!("no inner scope has ended: {self:?}"))
    }

    /// What has been completed.
    pub(super) fn done(&self) -> Vec<u64> {
        let done =
            |event: &Event| if let Event::Done(number) = event { Some(*number) } else { None };
        let mut all: Vec<_> = self.events.iter().filter_map(done).collect();
        all.sort_unstable();
        all
    }

    /// What does not depend on the order in which tasks ran: how it ended, and what happened.
    pub(super) fn class(&self) -> (String, Vec<String>) {
        let mut events: Vec<_> = self.events.iter().filter_map(Event::class).collect();
        events.sort();
        (self.end.class(), events)
    }
}
