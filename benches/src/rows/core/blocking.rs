//! C7b: a thousand threads blocked at a gate that is opened. From the opening until the last of
//! them runs.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wg_core::{OwnedToken, WaitGroup};

use crate::measure::nanos_each;
use crate::row::Contender;

const CROWD: usize = 1_000;

/// How long the last one who came to the gate is given to fall asleep.
const SETTLE: Duration = Duration::from_millis(1);

pub(super) fn contenders() -> Vec<Contender> {
    let mut ours = Crowd::new(Groups::default());
    let mut condvar = Crowd::new(Monitor::default());
    let mut futex = Crowd::new(Broadcast::default());
    vec![
        Contender::ours(move |times| ours.release(times)),
        Contender::new("std Condvar", move |times| condvar.release(times)),
        Contender::new("futex", move |times| futex.release(times)),
    ]
}

/// What a crowd waits at, round by round.
trait Gate: Send + Sync + 'static {
    /// Blocks until round `round` is opened.
    fn wait(&self, round: usize);
    fn open(&self, round: usize);
    /// How many are blocked in that round, or just about to be.
    fn waiting(&self, round: usize) -> usize;
}

/// A gate, and the threads that wait there again when they are called.
struct Crowd<G: Gate> {
    shared: Arc<Shared<G>>,
    threads: Vec<JoinHandle<()>>,
    round: usize,
    /// When the last one of a round ran.
    all_ran: Receiver<Instant>,
}

struct Shared<G> {
    gate: G,
    /// Where everybody goes who has run, so that falling asleep costs all gates the same.
    resting: Broadcast,
    running: AtomicUsize,
    closing_time: AtomicBool,
}

impl<G: Gate> Crowd<G> {
    fn new(gate: G) -> Self {
        let shared = Arc::new(Shared {
            gate,
            resting: Broadcast::default(),
            running: AtomicUsize::new(0),
            closing_time: AtomicBool::new(false),
        });
        let (last_ran, all_ran) = mpsc::channel();
        let threads = (0..CROWD).map(|_| {
            let shared = Arc::clone(&shared);
            let last_ran = last_ran.clone();
            let thread = thread::Builder::new().stack_size(64 << 10);
            thread.spawn(move || shared.attend(&last_ran)).expect("a thousand threads fit")
        });
        Crowd { threads: threads.collect(), shared, round: 0, all_ran }
    }

    /// Returns the nanoseconds of one released thread.
    fn release(&mut self, times: u64) -> f64 {
        let mut elapsed = Duration::ZERO;
        for _ in 0..times {
            self.gather();
            let start = Instant::now();
            self.shared.gate.open(self.round);
            elapsed += self.all_ran.recv().expect("the crowd is alive") - start;
            self.round += 1;
        }
        nanos_each(elapsed, times * CROWD as u64)
    }

    /// Calls everybody to the gate, and returns when they sleep there.
    fn gather(&self) {
        settle(&self.shared.resting, self.round);
        self.shared.resting.open(self.round);
        settle(&self.shared.gate, self.round);
    }
}

/// Returns when the whole crowd sleeps at a gate.
fn settle(gate: &impl Gate, round: usize) {
    while gate.waiting(round) < CROWD {
        thread::sleep(SETTLE);
    }
    thread::sleep(SETTLE);
}

impl<G: Gate> Drop for Crowd<G> {
    fn drop(&mut self) {
        self.gather();
        self.shared.closing_time.store(true, Relaxed);
        self.shared.gate.open(self.round);
        for thread in self.threads.drain(..) {
            thread.join().expect("nobody in the crowd panics");
        }
    }
}

impl<G: Gate> Shared<G> {
    fn attend(&self, last_ran: &Sender<Instant>) {
        for round in 0.. {
            self.resting.wait(round);
            self.gate.wait(round);
            if self.closing_time.load(Relaxed) {
                return;
            }
            if self.running.fetch_add(1, Relaxed) + 1 == CROWD {
                self.running.store(0, Relaxed);
                let _ = last_ran.send(Instant::now());
            }
        }
    }
}

/// Two groups that are waited for by turns; the gatekeeper is their only member.
struct Groups {
    groups: [Arc<WaitGroup>; 2],
    gatekeeper: Mutex<OwnedToken>,
}

impl Default for Groups {
    fn default() -> Self {
        let groups = [Arc::default(), Arc::default()];
        let gatekeeper = Mutex::new(WaitGroup::owned_token(&groups[0]));
        Groups { groups, gatekeeper }
    }
}

impl Gate for Groups {
    fn wait(&self, round: usize) {
        self.groups[round % 2].wait();
    }

    fn open(&self, round: usize) {
        *self.gatekeeper.lock().unwrap() = self.groups[(round + 1) % 2].owned_token();
    }

    fn waiting(&self, round: usize) -> usize {
        self.groups[round % 2].waiters()
    }
}

/// The textbook's monitor: whoever waits sleeps on the condition, and takes the lock again.
#[derive(Default)]
struct Monitor {
    /// Rounds that were opened, and how many wait for the next.
    rounds: Mutex<(usize, usize)>,
    opened: Condvar,
}

impl Gate for Monitor {
    fn wait(&self, round: usize) {
        let mut rounds = self.rounds.lock().unwrap();
        rounds.1 += 1;
        while rounds.0 <= round {
            rounds = self.opened.wait(rounds).unwrap();
        }
    }

    fn open(&self, round: usize) {
        *self.rounds.lock().unwrap() = (round + 1, 0);
        self.opened.notify_all();
    }

    fn waiting(&self, _: usize) -> usize {
        self.rounds.lock().unwrap().1
    }
}

/// The least that the kernel can do: one word, one system call that wakes everybody.
#[derive(Default)]
struct Broadcast {
    opened: AtomicU32,
    waiting: AtomicUsize,
}

impl Gate for Broadcast {
    fn wait(&self, round: usize) {
        self.waiting.fetch_add(1, Relaxed);
        while self.opened.load(Acquire) as usize <= round {
            atomic_wait::wait(&self.opened, round as u32);
        }
    }

    fn open(&self, round: usize) {
        self.waiting.store(0, Relaxed);
        self.opened.store(round as u32 + 1, Release);
        atomic_wait::wake_all(&self.opened);
    }

    fn waiting(&self, _: usize) -> usize {
        self.waiting.load(Relaxed)
    }
}
