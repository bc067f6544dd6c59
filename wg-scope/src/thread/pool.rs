//! The pool: threads that are lent to scopes.
//!
//! One for the process. A scope asks for a runner when it queues a task and has fewer than there
//! are cores; a thread that is free, or a new one while there are fewer than cores, attaches to it
//! and works its queue off. One that was at work just now, and is awake, comes a little later, as if it had
//! to be woken: a scope with little to do has ended by then, and it would be in the way. Requests that find
//! no thread wait in a line; each scope's own thread works its queue in any case, so nothing depends on the
//! line being served.
//!
//! Tasks may block, on each other even, so fewer threads than tasks may be too few. The *sentinel*
//! looks after that: while runners are lent it looks, about every millisecond, whether some scope
//! has tasks of which none was taken since the last look, or few were and nearly all of its runners are
//! blocked. If a core seems to be idle meanwhile, or all of its runners sleep, it gets as many again, or
//! as many as its limit allows. If all cores are busy, also with its own tasks, it waits, because more
//! threads would only share them, but not for ever.
//!
//! Threads go away when nobody has asked for them for a while. None of them keeps the process
//! alive. A thread that cannot be created is done without.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wg_core::sync::{self, Condvar, Mutex, MutexGuard, now};

use super::probe::{Doing, Number, Probe};
use super::stack;
use crate::process::{GENERATIONS, generation};

/// A scope, as the pool sees it.
pub(super) trait Client: Send + Sync {
    /// Works the scope's queue off. Called by a runner that was asked for.
    fn work(self: Arc<Self>);

    /// Looks whether tasks are being taken, and remembers the look.
    fn progress(&self) -> Progress;

    /// Enters that so many more runners were asked for, unless the scope has ended.
    fn ask(&self, runners: usize) -> bool;

    /// Enters that one that was asked for will not come.
    fn refuse(&self);

    /// The thread of the scope's body, which is none of its runners.
    fn body(&self) -> Number;
}

/// Whether tasks wait although runners were lent.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// No task waits that could begin.
    Fine,
    /// So many `tasks` wait that could begin, in a scope that is `limited` or not. Of the `runners`,
    /// `asked` have not come yet. `taken` of them were taken since the last look.
    Waiting { tasks: usize, runners: usize, asked: usize, taken: u64, limited: bool },
}

/// How long a thread stays that nobody asks for.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How often a runner that has come back looks whether somebody asks for it, before it falls asleep.
const LOOKS: usize = sync::times(34) - sync::times(2);

/// How long it leaves a request to the scope that made it: one with little to do has ended by then, and would
/// only be held up. To be woken takes about as long.
const HEAD_START: Duration = Duration::from_micros(20);

/// How often the sentinel looks; and how soon again where it has seen a scope's runners blocked, and is
/// not sure yet, or was woken a moment ago.
const TICK: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_micros(100);

/// How many looks in a row must find nothing before the sentinel goes to sleep: not after each of many
/// scopes in a row, but before long, as who wakes it has it look at once.
const QUIET: u32 = sync::times(10) as u32;

/// How many looks in a row a scope must be stalled, and a core idle, for its runners to count as blocked:
/// a single look may catch a runner that computes in the middle of a short wait.
const SETTLED: u32 = 2;

/// How many looks in a row the runners of a scope must be blocked for it to get more although tasks
/// are being taken: tasks that each block for a short time, and more of them than can wait.
const SLUGGISH: u32 = 3;

/// How many looks in a row all who work for a scope must sleep, and none of its tasks be taken, for it to
/// get more although all cores are busy, with the tasks of others.
const ASLEEP: u32 = 5;

/// One in so many runners may compute where they count as blocked: of many that block for a short
/// time, some are just going on.
const AT_WORK: usize = 4;

/// How many tasks each runner may have taken since the last look to count as blocked in them, and not
/// as waiting for a lock between them.
const FEW: u64 = 16;

/// How many looks in a row a scope must be stalled to get a runner although all cores are busy, where
/// each of its runners has a core. The more of them share the cores, the longer does each task take.
const PATIENCE: u32 = sync::times(100) as u32;

/// The number of cores this process may use, as it was when the first scope asked.
pub(super) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(sync::cores)
}

sync::global! {
    static POOLS: [Pool; GENERATIONS] = sync::array_of!(Pool::new(None); GENERATIONS);
}

sync::global! {
    /// The pools of threads with stacks of their own size. Few sizes are ever asked for.
    static WITH_STACKS: [Mutex<Vec<&'static Pool>>; GENERATIONS] =
        sync::array_of!(Mutex::new(Vec::new()); GENERATIONS);
}

/// Threads of one kind, and the scopes that want them.
pub(super) struct Pool {
    inner: Mutex<Inner>,
    /// Told when a request was made.
    asked: Condvar,
    /// Told when the sentinel is to wake.
    look: Condvar,
    /// The size of its threads' stacks, if not the usual.
    stack: Option<NonZeroUsize>,
}

struct Inner {
    requests: VecDeque<Request>,
    /// How many requests there have been.
    requested: u64,
    /// Threads that sleep and were not called; those that were called and have not woken up yet; those
    /// that were created and have not begun; and all there are.
    idle: usize,
    coming: usize,
    created: usize,
    threads: usize,
    /// Of these, the ones that look for requests before they fall asleep: no more than there are cores.
    looking: usize,
    lent: BTreeMap<u64, Lent>,
    next: u64,
    sentinel: Sentinel,
}

/// A scope's wish for a runner.
struct Request {
    client: Arc<dyn Client>,
    number: u64,
}

/// A thread that counts as one that works for a scope, though it was not lent.
pub(super) struct CountedIn {
    pool: &'static Pool,
    /// That of the process, and the pool is of it.
    generation: usize,
    place: u64,
}

impl Drop for CountedIn {
    fn drop(&mut self) {
        // A child that was forked meanwhile has a pool of its own, and this one's lock may be held by a
        // thread that does not exist there.
        if self.generation == generation() {
            self.pool.leave(self.place);
        }
    }
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
            requested: 0,
            idle: 0,
            coming: 0,
            created: 0,
            threads: 0,
            looking: 0,
            lent: BTreeMap::new(),
            next: 0,
            sentinel: Sentinel::Absent,
        }
    }

    /// Enters a thread that works for a scope from now on.
    fn enter(&mut self, client: &Arc<dyn Client>, probe: &Arc<Probe>) -> u64 {
        let place = self.next;
        self.next += 1;
        self.lent.insert(place, Lent { client: Arc::clone(client), probe: Arc::clone(probe) });
        place
    }

    fn request(&mut self, client: Arc<dyn Client>) {
        let number = self.requested;
        self.requested += 1;
        self.requests.push_back(Request { client, number });
    }

    /// Every scope that has or wants a runner, once each.
    fn scopes(&self) -> Vec<Arc<dyn Client>> {
        let lent = self.lent.values().map(|lent| &lent.client);
        let requests = self.requests.iter().map(|request| &request.client);
        let mut scopes: Vec<_> = lent.chain(requests).cloned().collect();
        scopes.sort_unstable_by_key(address);
        scopes.dedup_by(|a, b| address(a) == address(b));
        scopes
    }
}

fn address(client: &Arc<dyn Client>) -> *const () {
    Arc::as_ptr(client).cast()
}

impl Pool {
    sync::const_fn! {
        const fn new(stack: Option<NonZeroUsize>) -> Self {
            let inner = Mutex::new(Inner::new());
            Pool { inner, asked: Condvar::new(), look: Condvar::new(), stack }
        }
    }

    /// Returns the pool whose threads have stacks of this size.
    pub(super) fn of_this_process(stack: Option<NonZeroUsize>) -> &'static Pool {
        let generation = generation();
        if stack.is_none() {
            return &POOLS[generation];
        }
        let mut pools = WITH_STACKS[generation].lock();
        if let Some(pool) = pools.iter().find(|pool| pool.stack == stack) {
            return pool;
        }
        let pool = Box::leak(Box::new(Pool::new(stack)));
        pools.push(pool);
        pool
    }

    /// Asks for a runner for this scope, which has entered in its queue that it did. Returns
    /// whether one may come.
    pub(super) fn lend(&'static self, client: Arc<dyn Client>) -> bool {
        let mut inner = self.inner.lock();
        inner.request(client);
        let mut wakes = false;
        match inner.sentinel {
            Sentinel::Awake => {}
            Sentinel::Asleep => {
                inner.sentinel = Sentinel::Awake;
                wakes = true;
            }
            Sentinel::Absent => {
                // No runner is lent that no sentinel looks after: it might wait for one that nobody
                // would ever send. So this is done under the lock.
                if self.thread("wg-sentinel".to_owned(), Pool::sentinel).is_err() {
                    drop(inner);
                    return !self.give_back();
                }
                inner.sentinel = Sentinel::Awake;
            }
        }
        let served = self.serve(inner, 1, cores());
        // Not before the runner, who has more to do.
        if wakes {
            self.look.notify_one();
        }
        served || !self.give_back()
    }

    /// Gives all requests back if nobody is left to look after them, no thread and no sentinel:
    /// then the scopes ask again when they queue a task, or do without. Returns whether it did.
    fn give_back(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.threads > 0 && inner.sentinel != Sentinel::Absent {
            return false;
        }
        let requests = mem::take(&mut inner.requests);
        drop(inner);
        for request in requests {
            request.client.refuse();
        }
        true
    }

    /// Takes back what the scope at this address, which ends, has asked for.
    pub(super) fn withdraw(&self, scope: *const ()) {
        let mut inner = self.inner.lock();
        inner.requests.retain(|request| address(&request.client) != scope);
    }

    /// Sees that requests find a thread, as long as there are fewer than `most`; `added` of them are
    /// new. Returns whether every thread that was wanted could be created.
    fn serve(&'static self, mut inner: MutexGuard<'_, Inner>, added: usize, most: usize) -> bool {
        // Those who are on the way serve the first, whoever they were called for.
        let waiting = inner.requests.len().saturating_sub(inner.coming);
        let called = waiting.min(added).min(inner.idle);
        inner.idle -= called;
        inner.coming += called;
        let unserved = waiting.saturating_sub(called + inner.idle);
        let new = unserved.min(most.saturating_sub(inner.threads));
        let number = inner.threads;
        inner.threads += new;
        inner.created += new;
        drop(inner);
        for _ in 0..called {
            self.asked.notify_one();
        }
        for created in 0..new {
            if self.thread(format!("wg-runner-{}", number + created), Pool::runner).is_err() {
                let mut inner = self.inner.lock();
                inner.threads -= new - created;
                inner.created -= new - created;
                return false;
            }
        }
        true
    }

    fn thread(&'static self, name: String, main: fn(&'static Pool)) -> std::io::Result<()> {
        sync::spawn(name, self.stack, move || main(self))
    }

    /// Counts this thread as one that works for a scope, as long as what is returned lives: it is looked
    /// at as those are that are lent.
    pub(super) fn count_in(&'static self, client: &Arc<dyn Client>) -> CountedIn {
        let place = self.inner.lock().enter(client, &Arc::new(Probe::of_this_thread()));
        CountedIn { pool: self, generation: generation(), place }
    }

    fn leave(&self, place: u64) {
        let lent = self.inner.lock().lent.remove(&place);
        drop(lent);
    }

    /// The life of a thread of the pool.
    fn runner(&'static self) {
        stack::made(self.stack);
        let probe = Arc::new(Probe::of_this_thread());
        let mut inner = self.inner.lock();
        inner.created -= 1;
        let mut deadline = now() + KEEP_ALIVE;
        // How many looks are left before it falls asleep, as far as it is awake by itself; and what it saw last.
        let (mut looks, mut seen) = (0, None);
        let mut counts_as_looking = false;
        loop {
            let first = inner.requests.front().map(|request| request.number);
            if looks > 0 && (first.is_none() || first != seen) {
                looks = if first.is_some() { LOOKS } else { looks - 1 };
                seen = first;
                drop(inner);
                let since = first.map(|_| now());
                std::thread::yield_now();
                while since.is_some_and(|since| now() < since + HEAD_START) {
                    std::thread::yield_now();
                }
                inner = self.inner.lock();
                continue;
            }
            inner.looking -= usize::from(mem::take(&mut counts_as_looking));
            if let Some(Request { client, .. }) = inner.requests.pop_front() {
                let place = inner.enter(&client, &probe);
                drop(inner);
                client.work();
                self.leave(place);
                inner = self.inner.lock();
                deadline = now() + KEEP_ALIVE;
                // More of them would but take the cores from each other, and from those who have work.
                counts_as_looking = inner.looking < cores();
                inner.looking += usize::from(counts_as_looking);
                (looks, seen) = (if counts_as_looking { LOOKS } else { 0 }, None);
            } else if now() < deadline {
                inner.idle += 1;
                inner = self.asked.wait_until(inner, deadline);
                // Whether it was this one that was called makes no difference: as many wake up as were
                // called, and those whose time is up.
                if inner.coming > 0 {
                    inner.coming -= 1;
                } else {
                    inner.idle -= 1;
                }
            } else {
                inner.threads -= 1;
                return;
            }
        }
    }

    /// The life of the sentinel.
    fn sentinel(&'static self) {
        let mut quiet = 0;
        let mut soon = false;
        // How many looks are left of those that come soon after it was woken.
        let mut first_looks = 0;
        let mut looks: BTreeMap<*const (), Looks> = BTreeMap::new();
        let mut inner = self.inner.lock();
        loop {
            if inner.lent.is_empty() && inner.requests.is_empty() {
                quiet += 1;
            } else {
                quiet = 0;
            }
            if quiet < QUIET {
                inner = self.look.wait_until(inner, now() + if soon { SOON } else { TICK });
            } else {
                inner.sentinel = Sentinel::Asleep;
                inner = self.look.wait_until(inner, now() + KEEP_ALIVE);
                if inner.sentinel == Sentinel::Asleep {
                    inner.sentinel = Sentinel::Absent;
                    return;
                }
                quiet = 0;
                first_looks = SLUGGISH;
            }
            let scopes = inner.scopes();
            drop(inner);
            let waiting = look(&scopes, &mut looks, soon);
            drop(scopes);
            inner = self.inner.lock();
            if !waiting.is_empty() {
                self.grow(inner, waiting, &mut looks, soon);
                inner = self.inner.lock();
            }
            soon = first_looks > 0
                || looks.values().any(|looks| (1..SLUGGISH).contains(&looks.blocked));
            first_looks = first_looks.saturating_sub(1);
        }
    }

    /// Lends more runners to scopes in which tasks wait, if that promises to help.
    fn grow(
        &'static self,
        inner: MutexGuard<'_, Inner>,
        waiting: Vec<Waiting>,
        looks: &mut BTreeMap<*const (), Looks>,
        soon: bool,
    ) {
        // Asking the system takes long where many are lent, so it is done without the lock.
        let lent = inner.lent.values().map(|it| (address(&it.client), Arc::clone(&it.probe)));
        let lent: Vec<_> = lent.collect();
        // Those who were called and have not woken up, or were created and have not begun, wait for a
        // core.
        let mut busy = inner.coming + inner.created;
        let some_come = busy > 0;
        drop(inner);
        // Where the system does not say, a runner counts as computing: patience has to do.
        // How many of a scope's runners are there, and how many of them compute.
        let mut at_work = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (client, probe) in lent {
            seen.insert(probe.thread());
            let computes = usize::from(probe.look() != Doing::Blocked);
            busy += computes;
            let (there, computing) = at_work.entry(client).or_insert((0, 0));
            *there += 1;
            *computing += computes;
        }
        // The threads of the bodies compute as well, spawning or at work. They are asked only where that
        // makes a difference.
        for Waiting { client, .. } in &waiting {
            let body = client.body();
            if busy < cores() && seen.insert(body) {
                busy += usize::from(Probe::of(body).look() == Doing::Computing);
            }
        }
        let core_is_idle = busy < cores();
        let (mut wanted, mut added) = (0, 0);
        let mut inner = self.inner.lock();
        for Waiting { client, tasks, runners, asked, limited } in waiting {
            let looks = looks.entry(address(&client)).or_default();
            let at_work = at_work.get(&address(&client));
            let blocked = at_work.is_some_and(|(there, computing)| computing * AT_WORK <= *there);
            looks.blocked = if blocked && core_is_idle { looks.blocked + 1 } else { 0 };
            // Where no runner is there, its own thread alone works for it.
            let sleeps = at_work.map_or_else(
                || Probe::of(client.body()).look() == Doing::Blocked,
                |(_, computing)| *computing == 0,
            );
            looks.asleep = if sleeps && !some_come { looks.asleep + u32::from(!soon) } else { 0 };
            let all_sleep = looks.asleep.min(looks.stalled) >= ASLEEP;
            let idles = core_is_idle && looks.stalled > 0;
            looks.idle = if idles { looks.idle + u32::from(!soon) } else { 0 };
            let is_idle = looks.idle >= SETTLED;
            let is_blocked = (is_idle && blocked) || looks.blocked >= SLUGGISH;
            let (add, most) = if is_blocked || (all_sleep && at_work.is_some()) {
                // Whoever gave a limit has said how many are good to be at work. Without one, how
                // many would be blocked as well shows only when they have come.
                (if limited { tasks } else { runners.max(1) }, usize::MAX)
            } else if is_idle {
                // Some compute, and perhaps all would: one more for each core that is idle.
                (cores() - busy, usize::MAX)
            } else if all_sleep || looks.stalled >= patience(runners) {
                looks.stalled = 0;
                (1, 1)
            } else {
                continue;
            };
            looks.asleep = 0;
            // Runners that were asked for and have not come are wanted, but not once more.
            let add = add.saturating_sub(asked).min(tasks);
            if !client.ask(add) {
                continue;
            }
            std::iter::repeat_n(client, add).for_each(|client| inner.request(client));
            wanted += add.max(asked).min(most);
            added += add;
        }
        if wanted > 0 {
            let most = inner.threads + wanted;
            // What could not be created now is tried again at the next look.
            let _ = self.serve(inner, added, most);
        }
    }
}

/// How many looks in a row a scope with so many runners must be stalled to get one more although all
/// cores are busy.
fn patience(runners: usize) -> u32 {
    // The thread that leaves the scope may be one more.
    let rounds = (runners + 1).div_ceil(cores());
    PATIENCE.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
}

/// How many tasks each runner may have taken between two looks for the scope to need a closer one.
fn few(soon: bool) -> u64 {
    // A tick is some seven times as long, with what the system adds to each.
    if soon { FEW / 8 } else { FEW }
}

/// A scope in which tasks wait that could begin, and few are taken.
struct Waiting {
    client: Arc<dyn Client>,
    tasks: usize,
    runners: usize,
    asked: usize,
    limited: bool,
}

/// For how many looks in a row something was so in a scope in which tasks wait.
#[derive(Clone, Copy, Default)]
struct Looks {
    /// No task was taken since the look before.
    stalled: u32,
    /// So it was, and a core idle.
    idle: u32,
    /// Its runners were blocked, and a core idle.
    blocked: u32,
    /// All who work for it slept, and no thread was on the way.
    asleep: u32,
}

/// Finds the scopes in which tasks wait and few are taken, so that their runners may be blocked, and counts
/// for how many looks none was taken; a look that comes `soon` says little of that.
fn look(
    scopes: &[Arc<dyn Client>],
    looks: &mut BTreeMap<*const (), Looks>,
    soon: bool,
) -> Vec<Waiting> {
    let mut waiting = Vec::new();
    let mut counts = BTreeMap::new();
    for client in scopes {
        if let Progress::Waiting { tasks, runners, asked, taken, limited } = client.progress() {
            if taken > few(soon) * runners as u64 {
                continue;
            }
            let place = address(client);
            let before = looks.get(&place).copied().unwrap_or_default();
            let stalled = if taken == 0 { before.stalled + u32::from(!soon) } else { 0 };
            counts.insert(place, Looks { stalled, ..before });
            let client = Arc::clone(client);
            waiting.push(Waiting { client, tasks, runners, asked, limited });
        }
    }
    *looks = counts;
    waiting
}
