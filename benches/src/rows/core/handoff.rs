//! C4a, C4b: two threads pass a ball to and fro. Each is blocked while the other has it, so what is
//! measured is the way from the last done to the running waiter, and nothing runs beside it.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Barrier, OnceLock};
use std::thread::{self, Thread};

use wg_core::{Token, WaitGroup};

use crate::cores::{Cores, run_two};
use crate::measure::nanos;
use crate::row::Contender;

/// How often the ball is passed each way in a rally, so that the players' coming and going is
/// little beside it.
const PASSES: u64 = 100;

/// To a waiter on another core, which sleeps.
pub(super) fn across() -> Vec<Contender> {
    contenders(Cores::Two)
}

/// To a waiter on the same core, which runs as soon as the one who wakes it blocks.
pub(super) fn within() -> Vec<Contender> {
    contenders(Cores::One)
}

fn contenders(cores: Cores) -> Vec<Contender> {
    vec![
        Contender::ours(move |times| rally(times, cores, &Groups::default())),
        Contender::new("futex", move |times| rally(times, cores, &Futexes::default())),
        Contender::new("std park", move |times| rally(times, cores, &Parkers::default())),
    ]
}

/// Where a ball can be passed between player 0 and player 1.
trait Court: Sync {
    /// Called by the player's thread, before the first pass.
    fn player(&self, me: usize) -> impl Player;
}

trait Player {
    fn pass(&mut self);
    /// Blocks until the other has passed.
    fn receive(&mut self);
}

/// Returns the nanoseconds of one pass, in a rally of `times` times [`PASSES`] each way.
fn rally(times: u64, cores: Cores, court: &impl Court) -> f64 {
    let times = times * PASSES;
    let ready = Barrier::new(2);
    let first = || {
        let mut player = court.player(0);
        ready.wait();
        // Untimed: the other is perhaps not blocked yet.
        player.pass();
        player.receive();
        nanos(times, || {
            player.pass();
            player.receive();
        })
    };
    let second = || {
        let mut player = court.player(1);
        ready.wait();
        for _ in 0..=times {
            player.receive();
            player.pass();
        }
    };
    let (each, ()) = run_two(cores, first, second);
    each / 2.0
}

/// To each player two groups that it is a member of by turns, so that it is a member again before
/// it passes and the other waits again.
#[derive(Default)]
struct Groups([[WaitGroup; 2]; 2]);

struct Member<'a> {
    mine: &'a [WaitGroup; 2],
    theirs: &'a [WaitGroup; 2],
    token: Token<'a>,
    passed: usize,
    received: usize,
}

impl Court for Groups {
    fn player(&self, me: usize) -> impl Player {
        let (mine, theirs) = (&self.0[me], &self.0[1 - me]);
        Member { mine, theirs, token: mine[0].token(), passed: 0, received: 0 }
    }
}

impl Player for Member<'_> {
    fn pass(&mut self) {
        self.passed += 1;
        self.token = self.mine[self.passed % 2].token();
    }

    fn receive(&mut self) {
        self.theirs[self.received % 2].wait();
        self.received += 1;
    }
}

/// To each player a word, which is 1 while the ball flies towards it.
#[derive(Default)]
struct Futexes([AtomicU32; 2]);

struct Futex<'a> {
    mine: &'a AtomicU32,
    theirs: &'a AtomicU32,
}

impl Court for Futexes {
    fn player(&self, me: usize) -> impl Player {
        Futex { mine: &self.0[me], theirs: &self.0[1 - me] }
    }
}

impl Player for Futex<'_> {
    fn pass(&mut self) {
        self.theirs.store(1, Release);
        atomic_wait::wake_one(self.theirs);
    }

    fn receive(&mut self) {
        while self.mine.load(Acquire) == 0 {
            atomic_wait::wait(self.mine, 0);
        }
        // Nobody writes the word before this player has passed.
        self.mine.store(0, Relaxed);
    }
}

/// The same with the parking of `std`, which our blocking waits use.
#[derive(Default)]
struct Parkers {
    words: [AtomicU32; 2],
    threads: [OnceLock<Thread>; 2],
}

struct Parker<'a> {
    mine: &'a AtomicU32,
    theirs: &'a AtomicU32,
    other: &'a OnceLock<Thread>,
}

impl Court for Parkers {
    fn player(&self, me: usize) -> impl Player {
        self.threads[me].set(thread::current()).expect("each player comes once");
        Parker { mine: &self.words[me], theirs: &self.words[1 - me], other: &self.threads[1 - me] }
    }
}

impl Player for Parker<'_> {
    fn pass(&mut self) {
        self.theirs.store(1, Release);
        self.other.get().expect("both came before the first pass").unpark();
    }

    fn receive(&mut self) {
        while self.mine.load(Acquire) == 0 {
            thread::park();
        }
        self.mine.store(0, Relaxed);
    }
}
