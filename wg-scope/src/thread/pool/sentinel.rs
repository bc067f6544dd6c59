//! The sentinel: it looks whether tasks wait for runners that are blocked, and sends for more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use wg_core::sync::{self, MutexGuard, now};

use super::{Client, Inner, KEEP_ALIVE, News, Pool, Progress, Sentinel, address, cores};
use crate::thread::probe::{Doing, Probe};

/// How often the sentinel looks where it may be needed; and how soon again where it has seen a scope's
/// runners blocked, and is not sure yet, or was woken a moment ago. Systems add to each: Linux some 60 us.
const TICK: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_micros(10);

/// How often the time to the next look is doubled, as long as tasks wait and many are taken. Looks at each
/// tick took 2 % of a core, with the timer's interrupts and switches, on the virtual machine where that was
/// measured. Where no task waits, the next one may find all runners blocked, and needs a look.
const CALM: u32 = 2;

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

/// How many tasks each runner may have taken since the last look, a tick ago, to count as blocked in them,
/// and not as waiting for a lock between them; and where the last look was soon before. A tick is more than
/// ten times as long, with what the system adds to each.
const FEW: u64 = 16;
const FEW_SOON: u64 = FEW / 8;

/// The same of a scope that has just got its first runner. What is shared counts there with its shares.
const FEW_FRESH: u64 = FEW / 4;

/// How many looks in a row a scope must be stalled to get a runner although all cores are busy, where
/// each of its runners has a core. The more of them share the cores, the longer does each task take.
const PATIENCE: u32 = sync::times(100) as u32;

impl Pool {
    /// The life of the sentinel.
    pub(super) fn sentinel(&'static self) {
        let mut quiet = 0;
        let mut soon = false;
        // How many looks in a row, that did not come soon, have found that all goes on.
        let mut calm = 0;
        // How many looks are left of those that come soon after it was woken.
        let mut first_looks = 0;
        let mut looks: BTreeMap<*const (), Looks> = BTreeMap::new();
        let mut inner = self.inner.lock();
        loop {
            if inner.lent.is_empty() && inner.requests.is_empty() {
                quiet += 1;
                calm = 0;
            } else {
                quiet = 0;
            }
            let mut told = false;
            if quiet < QUIET {
                let pause = if soon { SOON } else { TICK * (1 << calm) };
                if inner.news != News::Fresh {
                    inner = self.look.wait_until(inner, now() + pause);
                }
                // A runner has come to a scope that had none.
                told = inner.news == News::Fresh;
                if told {
                    (soon, inner.news) = (true, News::Heard);
                } else if !soon {
                    inner.news = News::None;
                }
            } else {
                inner.sentinel = Sentinel::Asleep;
                inner = self.look.wait_until(inner, now() + KEEP_ALIVE);
                if inner.sentinel == Sentinel::Asleep {
                    inner.sentinel = Sentinel::Absent;
                    return;
                }
                quiet = 0;
                first_looks = SLUGGISH;
                inner.news = News::Heard;
            }
            let scopes = inner.scopes();
            drop(inner);
            let few = match soon {
                true if told => FEW_FRESH,
                true => FEW_SOON,
                false => FEW << calm,
            };
            let (waiting, goes_on) = look(&scopes, &mut looks, few, soon);
            drop(scopes);
            let is_waiting = !waiting.is_empty();
            if is_waiting || !goes_on || (soon && !told) {
                calm = 0;
            } else if !soon {
                calm = CALM.min(calm + 1);
            }
            inner = self.inner.lock();
            if is_waiting {
                self.grow(inner, waiting, &mut looks, soon);
                inner = self.inner.lock();
            }
            if goes_on && !is_waiting {
                first_looks = 0;
            } else if told {
                first_looks = if is_waiting { SLUGGISH } else { 1 };
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

/// Finds the scopes in which tasks wait and at most `few` were taken by each runner, so that these may be
/// blocked, and counts for how many looks none was taken; a look that comes `soon` says little of that.
/// Also returns whether there are scopes in which tasks wait and more were taken.
fn look(
    scopes: &[Arc<dyn Client>],
    looks: &mut BTreeMap<*const (), Looks>,
    few: u64,
    soon: bool,
) -> (Vec<Waiting>, bool) {
    let (mut waiting, mut goes_on) = (Vec::new(), false);
    let mut counts = BTreeMap::new();
    for client in scopes {
        if let Progress::Waiting { tasks, runners, asked, taken, limited } = client.progress() {
            if taken > few * runners as u64 {
                goes_on = true;
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
    (waiting, goes_on)
}
