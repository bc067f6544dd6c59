//! The pool: threads that are lent to scopes.
//!
//! One for the process. A scope asks for a runner when it queues a task and has fewer than there
//! are cores; a thread that is free, or a new one while there are fewer than cores, attaches to it
//! and works its queue off. Requests that find no thread wait in a line; each scope's own thread
//! works its queue in any case, so nothing depends on the line being served.
//!
//! Tasks may block, on each other even, so fewer threads than tasks may be too few. The *sentinel*
//! looks after that: while runners are lent it looks, about every millisecond, whether some scope
//! has tasks of which none was taken since the last look. If a core seems to be idle meanwhile,
//! that scope's runners are blocked, and it gets as many again. If all cores are busy it waits,
//! because more threads would only share them, but not for ever.
//!
//! Threads go away when nobody has asked for them for a while. None of them keeps the process
//! alive. A thread that cannot be created is done without.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use wg_core::sync::{Condvar, Mutex, MutexGuard};

use super::probe::{Doing, Probe};

/// A scope, as the pool sees it.
pub(super) trait Client: Send + Sync {
    /// Works the scope's queue off. Called by a runner that was asked for.
    fn work(&self);

    /// Looks whether tasks are being taken, and remembers the look.
    fn progress(&self) -> Progress;

    /// Enters that so many more runners were asked for.
    fn ask(&self, runners: usize);

    /// Enters that one that was asked for will not come.
    fn refuse(&self);
}

/// Whether tasks wait although runners were lent.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// None waits, or one was taken since the last look.
    Fine,
    /// `waiting` tasks wait, and none was taken since the last look. Of the `runners`, `asked` have
    /// not come yet.
    Stalled { waiting: usize, runners: usize, asked: usize },
}

/// How long a thread stays that nobody asks for.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How often the sentinel looks.
const TICK: Duration = Duration::from_millis(1);

/// How many looks in a row must find nothing before the sentinel goes to sleep.
const QUIET: u32 = 100;

/// How many looks in a row a scope must be stalled for its runners to count as blocked: a single
/// look may catch a runner that computes in the middle of a short wait.
const SETTLED: u32 = 2;

/// How many looks in a row a scope must be stalled to get a runner although all cores are busy.
const PATIENCE: u32 = 100;

/// The number of cores this process may use, as it was when the first scope asked.
pub(super) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

static POOL: Pool =
    Pool { inner: Mutex::new(Inner::new()), asked: Condvar::new(), look: Condvar::new() };

struct Pool {
    inner: Mutex<Inner>,
    /// Told when a request was made.
    asked: Condvar,
    /// Told when the sentinel is to wake.
    look: Condvar,
}

struct Inner {
    requests: VecDeque<Arc<dyn Client>>,
    /// Threads that are not lent to a scope, and all there are.
    idle: usize,
    threads: usize,
    lent: BTreeMap<u64, Lent>,
    next: u64,
    sentinel: Sentinel,
}

/// A thread and the scope it works for.
struct Lent {
    client: Arc<dyn Client>,
    probe: Arc<Probe>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sentinel {
    Absent,
    Asleep,
    Awake,
}

impl Inner {
    const fn new() -> Self {
        Inner {
            requests: VecDeque::new(),
            idle: 0,
            threads: 0,
            lent: BTreeMap::new(),
            next: 0,
            sentinel: Sentinel::Absent,
        }
    }

    /// Every scope that has or wants a runner, once each.
    fn scopes(&self) -> Vec<Arc<dyn Client>> {
        let mut scopes: Vec<_> =
            self.lent.values().map(|lent| &lent.client).chain(&self.requests).cloned().collect();
        scopes.sort_unstable_by_key(address);
        scopes.dedup_by(|a, b| address(a) == address(b));
        scopes
    }
}

fn address(client: &Arc<dyn Client>) -> *const () {
    Arc::as_ptr(client).cast()
}

/// Asks for a runner for this scope, which has entered in its queue that it did.
pub(super) fn lend(client: Arc<dyn Client>) {
    let mut inner = POOL.inner.lock();
    inner.requests.push_back(client);
    match inner.sentinel {
        Sentinel::Awake => {}
        Sentinel::Asleep => {
            inner.sentinel = Sentinel::Awake;
            POOL.look.notify_one();
        }
        Sentinel::Absent => {
            inner.sentinel = Sentinel::Awake;
            drop(inner);
            if thread("wg-sentinel".to_owned(), sentinel).is_err() {
                POOL.inner.lock().sentinel = Sentinel::Absent;
            }
            inner = POOL.inner.lock();
        }
    }
    if !serve(inner, cores()) {
        give_back();
    }
}

/// Gives the last request back if nobody is left to look after it, no thread and no sentinel: then
/// the next task that is queued asks again, when threads may be had.
fn give_back() {
    let mut inner = POOL.inner.lock();
    if inner.threads == 0 || inner.sentinel == Sentinel::Absent {
        let request = inner.requests.pop_back();
        drop(inner);
        if let Some(client) = request {
            client.refuse();
        }
    }
}

/// Takes back what a scope that ends has asked for.
pub(super) fn withdraw(client: &Arc<dyn Client>) {
    let mut inner = POOL.inner.lock();
    inner.requests.retain(|other| address(other) != address(client));
}

/// Sees that requests find a thread, as long as there are fewer than `most`. Returns whether every
/// thread that was wanted could be created.
fn serve(mut inner: MutexGuard<'_, Inner>, most: usize) -> bool {
    let unserved = inner.requests.len().saturating_sub(inner.idle);
    let new = unserved.min(most.saturating_sub(inner.threads));
    for _ in 0..inner.idle.min(inner.requests.len()) {
        POOL.asked.notify_one();
    }
    let number = inner.threads;
    inner.threads += new;
    drop(inner);
    for created in 0..new {
        if thread(format!("wg-runner-{}", number + created), runner).is_err() {
            POOL.inner.lock().threads -= new - created;
            return false;
        }
    }
    true
}

fn thread(name: String, main: fn()) -> std::io::Result<()> {
    thread::Builder::new().name(name).spawn(main).map(drop)
}

/// The life of a thread of the pool.
fn runner() {
    let probe = Arc::new(Probe::of_this_thread());
    let mut inner = POOL.inner.lock();
    let mut deadline = Instant::now() + KEEP_ALIVE;
    loop {
        if let Some(client) = inner.requests.pop_front() {
            let place = inner.next;
            inner.next += 1;
            let lent = Lent { client: Arc::clone(&client), probe: Arc::clone(&probe) };
            inner.lent.insert(place, lent);
            drop(inner);
            client.work();
            drop(client);
            inner = POOL.inner.lock();
            let lent = inner.lent.remove(&place);
            drop(inner);
            drop(lent);
            inner = POOL.inner.lock();
            deadline = Instant::now() + KEEP_ALIVE;
        } else if Instant::now() < deadline {
            inner.idle += 1;
            inner = POOL.asked.wait_until(inner, deadline);
            inner.idle -= 1;
        } else {
            inner.threads -= 1;
            return;
        }
    }
}

/// The life of the sentinel.
fn sentinel() {
    let mut quiet = 0;
    let mut stalls: BTreeMap<*const (), u32> = BTreeMap::new();
    let mut inner = POOL.inner.lock();
    loop {
        if inner.lent.is_empty() && inner.requests.is_empty() {
            quiet += 1;
        } else {
            quiet = 0;
        }
        if quiet < QUIET {
            inner = POOL.look.wait_until(inner, Instant::now() + TICK);
        } else {
            inner.sentinel = Sentinel::Asleep;
            inner = POOL.look.wait_until(inner, Instant::now() + KEEP_ALIVE);
            if inner.sentinel == Sentinel::Asleep {
                inner.sentinel = Sentinel::Absent;
                return;
            }
            quiet = 0;
        }
        let scopes = inner.scopes();
        drop(inner);
        let stalled = look(&scopes, &mut stalls);
        drop(scopes);
        inner = POOL.inner.lock();
        if !stalled.is_empty() {
            grow(inner, stalled, &mut stalls);
            inner = POOL.inner.lock();
        }
    }
}

/// A scope none of whose tasks was taken since the last look.
struct Stalled {
    client: Arc<dyn Client>,
    waiting: usize,
    runners: usize,
    asked: usize,
}

/// Finds the scopes that are stalled, and counts for how many looks they have been.
fn look(scopes: &[Arc<dyn Client>], stalls: &mut BTreeMap<*const (), u32>) -> Vec<Stalled> {
    let mut stalled = Vec::new();
    let mut counts = BTreeMap::new();
    for client in scopes {
        if let Progress::Stalled { waiting, runners, asked } = client.progress() {
            let place = address(client);
            counts.insert(place, stalls.get(&place).map_or(1, |looks| looks + 1));
            stalled.push(Stalled { client: Arc::clone(client), waiting, runners, asked });
        }
    }
    *stalls = counts;
    stalled
}

/// Lends more runners to scopes that are stalled, if that promises to help.
fn grow(
    mut inner: MutexGuard<'_, Inner>,
    stalled: Vec<Stalled>,
    stalls: &mut BTreeMap<*const (), u32>,
) {
    // Where the system does not say, a runner counts as computing: patience has to do.
    let busy = inner.lent.values().filter(|lent| lent.probe.look() != Doing::Blocked);
    let core_is_idle = busy.take(cores()).count() < cores();
    let mut wanted = 0;
    for Stalled { client, waiting, runners, asked } in stalled {
        let looks = stalls.entry(address(&client)).or_default();
        let add = if core_is_idle && *looks >= SETTLED {
            runners.max(1)
        } else if *looks >= PATIENCE {
            *looks = 0;
            1
        } else {
            continue;
        };
        // Runners that were asked for and have not come are wanted, but not once more.
        let add = add.saturating_sub(asked).min(waiting);
        client.ask(add);
        inner.requests.extend(std::iter::repeat_n(client, add));
        wanted += add.max(asked);
    }
    if wanted > 0 {
        let most = inner.threads + wanted;
        // What could not be created now is tried again at the next look.
        let _ = serve(inner, most);
    }
}
