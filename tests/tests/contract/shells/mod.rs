//! The same programs in every shell: on threads, in the current task, and on both kinds of tokio
//! runtimes.

mod cases;
mod drops;
mod program;
mod random;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures::future::BoxFuture;
use wg::{Cause, Options, StillRunning, Stopped};
use wg_tests::{Bang, bang};

use self::program::{End, Ending, Event, Kept, Program, Run, Step, Trouble, Way, end_of};

/// What nobody sleeps through, and what nobody wants to wait for.
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

/// A place where scopes run.
trait Shell {
    fn name(&self) -> &'static str;

    /// Runs a scope, and returns when it has been left.
    fn enter(&self, options: &Options, way: Way, run: &Arc<Run>, program: &Program) -> Passed;

    /// Runs a program, and tells what came of it.
    fn run(&self, options: &Options, way: Way, program: &Program) -> Ending {
        let run = Arc::<Run>::default();
        let entered = AssertUnwindSafe(|| self.enter(options, way, &run, program));
        let end = match catch_unwind(entered) {
            Ok(result) => end_of(result),
            Err(payload) => match payload.downcast::<Bang>() {
                Ok(bang) => End::Panicked(bang.0),
                Err(other) => resume_unwind(other),
            },
        };
        run.ending(end)
    }
}

/// What is returned by a body, a task, or a scope.
type Passed = Result<Kept, Trouble>;

/// Every shell.
fn shells() -> Vec<Box<dyn Shell>> {
    let mut one = tokio::runtime::Builder::new_current_thread();
    let mut many = tokio::runtime::Builder::new_multi_thread();
    let one = one.build().unwrap();
    let many = many.worker_threads(3).build().unwrap();
    vec![
        Box::new(Threads),
        Box::new(Local),
        Box::new(Tokio("tokio, one thread", one)),
        Box::new(Tokio("tokio, many threads", many)),
    ]
}

fn told(stopped: Result<(), Stopped>) -> Result<(), Trouble> {
    stopped.map_err(Trouble::from)
}

fn alive(left: Result<(), StillRunning>) -> Event {
    left.map_or_else(
        |left| Event::Alive(left.count(), left.to_string()),
        |()| Event::Alive(0, String::new()),
    )
}

fn joined(name: &'static str, result: &Passed) -> Event {
    Event::Joined(name, result.as_ref().map(|value| value.number).map_err(Trouble::clone))
}

/// Takes the handle of a task out of those that a body or a task has.
fn take<T>(tasks: &mut Vec<(&'static str, T)>, name: &'static str) -> T {
    let at = tasks.iter().position(|(other, _)| *other == name);
    tasks.remove(at.expect("a program joins what it has spawned")).1
}

/// [`wg::scope`] and its kin.
struct Threads;

impl Shell for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn enter(&self, options: &Options, way: Way, run: &Arc<Run>, program: &Program) -> Passed {
        on_threads(options, way, run, program)
    }
}

fn on_threads(options: &Options, way: Way, run: &Run, program: &[Step]) -> Passed {
    match way {
        Way::Try => options.try_scope(|s| follow_on_threads(s, run, program)),
        Way::Collect => {
            run.collected(options.collect_scope(|s| follow_on_threads(s, run, program)))
        }
    }
}

/// Takes the steps of a program on a thread.
fn follow_on_threads<'scope, 'env>(
    s: &'scope wg::TryScope<'scope, 'env, Trouble>,
    run: &'env Run,
    program: &'env [Step],
) -> Passed {
    let mut tasks = Vec::new();
    let mut number = 0;
    for step in program {
        match step {
            Step::Spawn(name, program) => {
                let held = run.register.make(0);
                let task = s.task(name).spawn(move || {
                    let passed = follow_on_threads(s, run, program);
                    drop(held);
                    passed
                });
                tasks.push((*name, task));
            }
            Step::Join(name) => number += take(&mut tasks, name).join()?.number,
            Step::Look(name) => run.tell(joined(name, &take(&mut tasks, name).join())),
            Step::Leave(name) => drop(take(&mut tasks, name)),
            Step::AwaitAll => {
                for (_, task) in tasks.drain(..) {
                    number += task.join()?.number;
                }
            }
            Step::Sleep => s.sleep(LONG)?,
            Step::Doze => run.tell(Event::Slept(told(s.sleep(LONG)))),
            Step::Yield => thread::yield_now(),
            Step::Work => {
                let at_work = run.work();
                thread::yield_now();
                drop(at_work);
            }
            Step::Until(gate) => {
                while !run.is_open(gate) {
                    s.check()?;
                    thread::yield_now();
                }
            }
            Step::Alive => run.tell(alive(s.wait_timeout(SHORT))),
            Step::Inner(options, way, program) => {
                let end = end_of(on_threads(options, *way, run, program));
                run.tell(Event::Inner(end));
            }
            Step::Within(options, way, program) => {
                number += on_threads(options, *way, run, program)?.number;
            }
            Step::Cancel(reason) => drop(s.cancel(*reason)),
            Step::Check => s.check()?,
            Step::Cause => run.tell(Event::Cause(s.cancelled_by())),
            Step::Count => run.tell(Event::Count(s.counts().spawned)),
            other => anywhere(other, run, &mut number)?,
        }
    }
    run.tell(Event::Done(number));
    Ok(run.register.make(number))
}

/// Takes a step that has nothing to do with the scope.
fn anywhere(step: &Step, run: &Run, number: &mut u64) -> Result<(), Trouble> {
    match step {
        Step::Value(value) => *number += value,
        Step::Fail(text) => return Err(Trouble::Told(text)),
        Step::Panic(number) => bang(*number),
        Step::Pull(cancel, reason) => drop(cancel.cancel(*reason)),
        Step::Note(text) => run.tell(Event::Note(text)),
        Step::Open(gate) => run.open(gate),
        other => unreachable!("{other:?} needs a scope"),
    }
    Ok(())
}

/// [`wg::local`].
struct Local;

impl Shell for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn enter(&self, options: &Options, way: Way, run: &Arc<Run>, program: &Program) -> Passed {
        let room = wg::local::TryScope::enter(options, way, Arc::clone(run), Arc::clone(program));
        futures::executor::block_on(room)
    }
}

/// [`wg::tokio`], on a runtime of either kind.
struct Tokio(&'static str, tokio::runtime::Runtime);

impl Shell for Tokio {
    fn name(&self) -> &'static str {
        self.0
    }

    fn enter(&self, options: &Options, way: Way, run: &Arc<Run>, program: &Program) -> Passed {
        let room = wg::tokio::TryScope::enter(options, way, Arc::clone(run), Arc::clone(program));
        self.1.block_on(room)
    }
}

/// What the interpreter of the futures needs of a scope.
trait Room: Clone + Send + Sync + 'static {
    type Task: Future<Output = Passed> + Send;

    fn enter(
        options: &Options,
        way: Way,
        run: Arc<Run>,
        program: Program,
    ) -> BoxFuture<'static, Passed>;
    fn start(&self, name: &str, task: BoxFuture<'static, Passed>) -> Self::Task;
    fn stop(&self, reason: &'static str);
    fn look(&self) -> Result<(), Stopped>;
    fn why(&self) -> Option<Cause>;
    fn spawned(&self) -> usize;
    fn nap(&self) -> BoxFuture<'_, Result<(), Stopped>>;
    fn left(&self) -> BoxFuture<'_, Result<(), StillRunning>>;
}

macro_rules! room {
    ($scope:ty, $task:ty, $place:ident) => {
        impl Room for $scope {
            type Task = $task;

            fn enter(
                options: &Options,
                way: Way,
                run: Arc<Run>,
                program: Program,
            ) -> BoxFuture<'static, Passed> {
                let its = Arc::clone(&run);
                match way {
                    Way::Try => {
                        Box::pin(options.$place().try_scope(move |s| follow(s, its, program)))
                    }
                    Way::Collect => {
                        let all = options.$place().collect_scope(move |s| follow(s, its, program));
                        Box::pin(async move { run.collected(all.await) })
                    }
                }
            }

            fn start(&self, name: &str, task: BoxFuture<'static, Passed>) -> Self::Task {
                self.task(name).spawn(task)
            }

            fn stop(&self, reason: &'static str) {
                self.cancel(reason);
            }

            fn look(&self) -> Result<(), Stopped> {
                self.check()
            }

            fn why(&self) -> Option<Cause> {
                self.cancelled_by()
            }

            fn spawned(&self) -> usize {
                self.counts().spawned
            }

            fn nap(&self) -> BoxFuture<'_, Result<(), Stopped>> {
                Box::pin(self.sleep(LONG))
            }

            fn left(&self) -> BoxFuture<'_, Result<(), StillRunning>> {
                Box::pin(self.wait_timeout(SHORT))
            }
        }
    };
}

room!(wg::local::TryScope<'static, Trouble>, wg::local::TryTask<'static, Kept, Trouble>, local);
room!(wg::tokio::TryScope<Trouble>, wg::tokio::TryTask<Kept, Trouble>, tokio);

/// Lets others have their turn.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Takes the steps of a program as a future.
fn follow<S: Room>(s: S, run: Arc<Run>, program: Program) -> BoxFuture<'static, Passed> {
    Box::pin(async move {
        let mut tasks = Vec::new();
        let mut number = 0;
        for step in program.iter() {
            match step {
                Step::Spawn(name, program) => {
                    let held = run.register.make(0);
                    let inside = follow(s.clone(), Arc::clone(&run), Arc::clone(program));
                    let task = s.start(
                        name,
                        Box::pin(async move {
                            let passed = inside.await;
                            drop(held);
                            passed
                        }),
                    );
                    tasks.push((*name, task));
                }
                Step::Join(name) => number += take(&mut tasks, name).await?.number,
                Step::Look(name) => {
                    let passed = take(&mut tasks, name).await;
                    run.tell(joined(name, &passed));
                }
                Step::Leave(name) => drop(take(&mut tasks, name)),
                Step::AwaitAll => {
                    for (_, task) in tasks.drain(..) {
                        number += task.await?.number;
                    }
                }
                Step::Sleep => s.nap().await?,
                Step::Doze => run.tell(Event::Slept(told(s.nap().await))),
                Step::Yield => yield_now().await,
                Step::Work => {
                    let at_work = run.work();
                    yield_now().await;
                    drop(at_work);
                }
                Step::Until(gate) => {
                    while !run.is_open(gate) {
                        s.look()?;
                        yield_now().await;
                    }
                }
                Step::Alive => run.tell(alive(s.left().await)),
                Step::Inner(options, way, program) => {
                    let inner = S::enter(options, *way, Arc::clone(&run), Arc::clone(program));
                    let end = end_of(inner.await);
                    run.tell(Event::Inner(end));
                }
                Step::Within(options, way, program) => {
                    let inner = S::enter(options, *way, Arc::clone(&run), Arc::clone(program));
                    number += inner.await?.number;
                }
                Step::Cancel(reason) => s.stop(reason),
                Step::Check => s.look()?,
                Step::Cause => run.tell(Event::Cause(s.why())),
                Step::Count => run.tell(Event::Count(s.spawned())),
                other => anywhere(other, &run, &mut number)?,
            }
        }
        run.tell(Event::Done(number));
        Ok(run.register.make(number))
    })
}
