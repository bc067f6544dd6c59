//! C7b: a thousand threads blocked at a gate that is opened. From the opening until the last of
//! them runs.

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wg_core::{OwnedToken, WaitGroup};

use crate::go;
use crate::machine;
use crate::measure::nanos_each;
use crate::row::Contender;

const CROWD: usize = 1_000;

/// How long the last one who came to the gate is given to fall asleep.
const SETTLE: Duration = Duration::from_millis(1);

pub(super) fn contenders() -> Vec<Contender> {
    vec![
        released("wg", CROWD, Groups::default),
        released("std Condvar", CROWD, Monitor::default),
        released("futex", CROWD, Broadcast::default),
        go::with("Go", "release", CROWD as u64),
    ]
}

/// Ours and the textbook's, with crowds of another size. Two large ones do not fit into a process, so
/// each comes for its round and goes home.
pub(in crate::rows) fn crowd(size: usize) -> Vec<Contender> {
    vec![visiting("wg", size, Groups::default), visiting("std Condvar", size, Monitor::default)]
}

fn visiting<G: Gate>(name: &'static str, size: usize, gate: fn() -> G) -> Contender {
    if !machine::has_room_for_threads(size) {
        return Contender::absent(name, format!("{size} threads do not fit into a process here"));
    }
    Contender::new(name, move |times| {
        let mut crowd = Crowd::new(gate(), size).expect("there is room for so many threads");
        crowd.release(times)
    })
}

fn released<G: Gate>(name: &'static str, size: usize, gate: fn() -> G) -> Contender {
    match Crowd::new(gate(), size) {
        Ok(mut crowd) => Contender::new(name, move |times| crowd.release(times)),
        Err(error) => Contender::absent(name, format!("{size} threads cannot be had: {error}")),
    }
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
    size: usize,
    /// Where everybody goes who has run, so that falling asleep costs all gates the same.
    resting: Broadcast,
    running: AtomicUsize,
    closing_time: AtomicBool,
}

impl<G: Gate> Crowd<G> {
    fn new(gate: G, size: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            gate,
            size,
            resting: Broadcast::default(),
            running: AtomicUsize::new(0),
            closing_time: AtomicBool::new(false),
        });
        let (last_ran, all_ran) = mpsc::channel();
        let mut crowd = Crowd { threads: Vec::new(), shared, round: 0, all_ran };
        for _ in 0..size {
            let shared = Arc::clone(&crowd.shared);
            let last_ran = last_ran.clone();
            let thread = thread::Builder::new().stack_size(64 << 10);
            // With an error, those who came go home.
            crowd.threads.push(thread.spawn(move || shared.attend(&last_ran))?);
        }
        Ok(crowd)
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
        nanos_each(elapsed, times * self.threads.len() as u64)
    }

    /// Calls everybody to the gate, and returns when they sleep there.
    fn gather(&self) {
        let size = self.threads.len();
        settle(&self.shared.resting, self.round, size);
        self.shared.resting.open(self.round);
        settle(&self.shared.gate, self.round, size);
    }
}

/// Returns when a whole crowd sleeps at a gate.
fn settle(gate: &impl Gate, round: usize, size: usize) {
    while gate.waiting(round) < size {
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
            if self.running.fetch_add(1, Relaxed) + 1 == self.size {
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
