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
//! looks after that: while runners are lent it looks, about every millisecond, and soon after the first of
//! them has come to a scope, whether some scope
//! has tasks of which none was taken since the last look, or few were and nearly all of its runners are
//! blocked. If a core seems to be idle meanwhile, or all of its runners sleep, it gets as many again, or
//! as many as its limit allows. If all cores are busy, also with its own tasks, it waits, because more
//! threads would only share them, but not for ever.
//!
//! Threads go away when nobody has asked for them for a while. None of them keeps the process
//! alive. A thread that cannot be created is done without.

mod sentinel;

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wg_core::sync::{self, Condvar, Mutex, MutexGuard, now};

use super::probe::{Number, Probe};
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
    news: News,
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
    /// Whether it is the scope's own, and counted in.
    is_own: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sentinel {
    Absent,
    Asleep,
    Awake,
}

/// Whether the sentinel has been told that a runner came to a scope that had none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// It has not heard yet.
    Fresh,
    /// It has. Until it has looked in due time again it is not told of others.
    Heard,
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
            news: News::None,
        }
    }

    /// Enters a thread that works for a scope from now on.
    fn enter(&mut self, client: &Arc<dyn Client>, probe: &Arc<Probe>, is_own: bool) -> u64 {
        let place = self.next;
        self.next += 1;
        let (client, probe) = (Arc::clone(client), Arc::clone(probe));
        self.lent.insert(place, Lent { client, probe, is_own });
        place
    }

    /// Enters that a runner comes to this scope. Returns whether the sentinel is to be told.
    fn tell(&mut self, client: &Arc<dyn Client>) -> bool {
        let is_same = |lent: &Lent| !lent.is_own && address(&lent.client) == address(client);
        let tells = self.news == News::None
            && self.sentinel == Sentinel::Awake
            && !self.lent.values().any(is_same);
        if tells {
            self.news = News::Fresh;
        }
        tells
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
        // Those who are on the way serve the first, whoever they were called for; and those who look, none
        // of whom falls asleep while there is a request.
        let waiting = inner.requests.len().saturating_sub(inner.coming + inner.looking);
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
        let place = self.inner.lock().enter(client, &Arc::new(Probe::of_this_thread()), true);
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
                let tells = inner.tell(&client);
                let place = inner.enter(&client, &probe, false);
                drop(inner);
                if tells {
                    self.look.notify_one();
                }
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
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// A scope of which nothing is asked.
    struct Idle(#[expect(dead_code, reason = "so that each has an address of its own")] u8);

    impl Client for Idle {
        fn work(self: Arc<Self>) {}

        fn progress(&self) -> Progress {
            Progress::Fine
        }

        fn ask(&self, _: usize) -> bool {
            false
        }

        fn refuse(&self) {}

        fn body(&self) -> Number {
            Number::of_this_thread()
        }
    }

    #[test]
    fn the_sentinel_is_told_of_a_first_runner_once_between_two_looks_and_where_it_is_awake() {
        let scopes: [Arc<dyn Client>; 2] = [Arc::new(Idle(0)), Arc::new(Idle(1))];
        let probe = Arc::new(Probe::of_this_thread());
        let mut inner = Inner::new();
        assert!(!inner.tell(&scopes[0]), "there is none");
        inner.sentinel = Sentinel::Awake;
        let own = inner.enter(&scopes[1], &probe, true);
        let first = inner.enter(&scopes[0], &probe, false);
        assert!(!inner.tell(&scopes[0]), "it has one");
        assert!(inner.tell(&scopes[1]) && inner.news == News::Fresh, "its own thread is no runner");
        inner.lent.remove(&own);
        assert!(!inner.tell(&scopes[1]), "it was told");
        inner.news = News::None;
        inner.lent.remove(&first);
        assert!(inner.tell(&scopes[0]), "it has looked meanwhile, and there is no runner left");
        inner.news = News::None;
        inner.sentinel = Sentinel::Asleep;
        assert!(!inner.tell(&scopes[0]), "who asks for a runner wakes it");
    }

    #[test]
    fn no_more_runners_look_for_requests_than_there_are_cores() {
        const STACK: usize = 3 << 20;
        // A pool of its own.
        let options = crate::options().stack_size(STACK);
        let pool = Pool::of_this_process(NonZeroUsize::new(STACK));
        let many = 10 * cores();
        let all = Barrier::new(many);
        for _ in 0..5 {
            options.scope(|s| {
                for _ in 0..many {
                    s.spawn(|| all.wait());
                }
            });
            // Those who come back one after the other, and look as long as anybody asks for one.
            for _ in 0..1_000 {
                options.scope(|s| s.spawn(|| ()).join());
                assert!(pool.inner.lock().looking <= cores());
            }
        }
        assert!(pool.inner.lock().threads > cores(), "there were some that had to fall asleep");
    }
}
