//! O: what looking costs.
//!
//! - O1: a scope always keeps its tree, and of each task the index and the line that spawned it: no build
//!   is without them, so they are in both figures. What can be left out is names, and is, by the peer.
//! - O2: a feature is on or off for a whole program. So there are two, of the same source, which take
//!   their rounds by turns (`wg-spawns`); `benches/build` builds both.
//! - O3: the figure has the making and dropping of the timeline in it, and nobody reads it.

use std::sync::{LazyLock, Mutex};

use crate::child::{self, Child};
use crate::footprint::beside;
use crate::measure::nanos;
use crate::row::{Contender, ROW, Rounds, Row};
use crate::work::Work;

const TASKS: u64 = 1_000;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "O1a",
            what: "T3 in a scope with a name, nobody looking, against one without; each",
            target: Some(1.03),
            rounds: Rounds::Together,
            contenders: named_scope,
            ..ROW
        },
        Row {
            name: "O1b",
            what: "T3 in a scope with a name, of tasks with names, nobody looking; each",
            target: Some(1.03),
            rounds: Rounds::Together,
            contenders: named_tasks,
            ..ROW
        },
        Row {
            name: "O2",
            what: "T3 with the feature `tracing` and no subscriber, against a build without; each",
            target: Some(1.05),
            rounds: Rounds::Together,
            contenders: tracing,
            ..ROW
        },
        Row {
            name: "O3",
            what: "T5 while a timeline is recorded, against T5; each",
            target: Some(1.25),
            rounds: Rounds::Together,
            contenders: timeline,
            ..ROW
        },
    ]
}

fn named_scope() -> Vec<Contender> {
    vec![
        Contender::ours(|times| {
            let options = wg::options().name("squares");
            each(times, || options.scope(spawn_all))
        }),
        unnamed(),
    ]
}

fn named_tasks() -> Vec<Contender> {
    vec![
        Contender::ours(|times| {
            let options = wg::options().name("squares");
            each(times, || {
                options.scope(|s| {
                    for _ in 0..TASKS {
                        s.task("square").spawn(|| ());
                    }
                });
            })
        }),
        unnamed(),
    ]
}

fn unnamed() -> Contender {
    Contender::new("without names", |times| {
        let options = wg::options();
        each(times, || options.scope(spawn_all))
    })
}

fn spawn_all<'scope>(s: &'scope wg::Scope<'scope, '_>) {
    for _ in 0..TASKS {
        s.spawn(|| ());
    }
}

/// Returns the nanoseconds of one task.
fn each(times: u64, scope: impl FnMut()) -> f64 {
    nanos(times, scope) / TASKS as f64
}

/// Each scope has a timeline of its own, which is made and dropped with it: one for all would be full
/// soon, and only count.
fn timeline() -> Vec<Contender> {
    let work = Work::small();
    vec![
        Contender::ours(move |times| {
            each(times, || {
                let timeline = wg::Timeline::new();
                wg::options().timeline(&timeline).scope(|s| spawn_working(s, work));
                assert_eq!(timeline.missed(), 0, "nothing is left out");
            })
        }),
        Contender::new("without timeline", move |times| {
            each(times, || wg::options().scope(|s| spawn_working(s, work)))
        }),
    ]
}

fn spawn_working<'scope>(s: &'scope wg::Scope<'scope, '_>, work: Work) {
    for seed in 0..TASKS {
        s.spawn(move || {
            work.on(seed);
        });
    }
}

/// A child, or why there is none.
type Spawns = LazyLock<Result<Mutex<Child>, String>>;

static WITH: Spawns = LazyLock::new(|| start("wg-spawns", "tracing"));

static WITHOUT: Spawns = LazyLock::new(|| start("wg-spawns-plain", "no-tracing"));

fn tracing() -> Vec<Contender> {
    vec![contender("wg", &WITH), contender("without tracing", &WITHOUT)]
}

fn contender(name: &'static str, spawns: &'static Spawns) -> Contender {
    match &**spawns {
        Ok(spawns) => child::contender(name, spawns, |times| times.to_string()),
        Err(why) => Contender::absent(name, why),
    }
}

/// Starts a program that was built with the feature or without, from the sources that this one was
/// built from.
fn start(program: &str, features: &str) -> Result<Mutex<Child>, String> {
    let path = beside(program);
    let path =
        path.ok_or_else(|| format!("no {program} beside this program: run benches/build"))?;
    let child = Child::start(&path).map_err(|error| format!("{program}: {error}"))?;
    let expected = concat!(env!("WG_SOURCES"), " ").to_owned() + features;
    if child.greeting == expected {
        Ok(Mutex::new(child))
    } else {
        Err(format!("{program} is of another build ({}): run benches/build", child.greeting))
    }
}
