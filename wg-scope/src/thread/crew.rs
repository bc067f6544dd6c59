//! A crew: up to so many runners of one scope that share one piece of work, an item at a time.
//!
//! The work stands in the queue as one job with so many *shares*. A runner that takes a share works
//! until there is nothing to claim, and leaves; whoever adds something to be claimed posts shares
//! again. So nobody waits for items on a thread, blocked shares are told from busy ones as blocked
//! tasks are, and a limit of a thousand costs no more than the runners that are worth having.

pub(super) mod desk;
pub(super) mod buffer;
pub(super) mod biased;
pub(super) mod barrier;
#[cfg(all(test, not(wg_shuttle)))]
pub(super) mod stub;

use std::sync::{Arc, Weak};

use wg_core::Token;
use wg_core::sync::{AtomicBool, Mutex, Ordering};

use super::frame;
use super::job::Run;
use super::pool::cores;
use super::shared::Shared;
use crate::context::Role;
use crate::outcome::{Payload, drop_caught};
use crate::task_info::{Label, TaskInfo};

/// Puts so many shares of a crew into its scope's queue.
pub(super) type Push<'scope> = Box<dyn Fn(Arc<dyn Run + 'scope>, usize) + Send + Sync + 'scope>;

/// What a crew works on.
pub(super) trait Work: Sync {
    /// Claims items and handles them until there are none. Lets no panic out.
    fn share(&self, crew: &dyn Posting);

    /// Whether there is something to claim.
    fn has_more(&self) -> bool;

    /// How many items are handled, or about so many. Reads counters, and nothing of the user's: it may be
    /// asked as long as the work is there, wherever that is. Waits for nobody, and is None where it would
    /// have to.
    fn done(&self) -> Option<u64>;
}

impl<W: Work + ?Sized> Work for &W {
    fn share(&self, crew: &dyn Posting) {
        (**self).share(crew);
    }

    fn has_more(&self) -> bool {
        (**self).has_more()
    }

    fn done(&self) -> Option<u64> {
        (**self).done()
    }
}

/// What a share sees of its crew.
pub(super) trait Posting: Sync {
    fn scope(&self) -> &Arc<Shared>;

    /// Returns the item with this index as a report names it.
    fn item(&self, index: usize) -> TaskInfo;

    fn label(&self) -> &Label;

    /// Takes the work away: there will be no more.
    fn dismiss(&self);

    /// Posts up to `shares` more, as far as the crew's size allows: there is something to claim.
    fn post(&self, shares: usize);

    /// Lets those shares go that are posted and were not taken: there will be nothing to claim.
    fn retract(&self);
}

pub(super) struct Crew<'scope, W> {
    scope: &'scope Arc<Shared>,
    label: Label,
    /// The most shares at once.
    most: usize,
    /// How shares of the crew get into the queue, where lifetimes are erased.
    push: Push<'scope>,
    this: Weak<Self>,
    state: Mutex<State<'scope, W>>,
    /// Whether shares may be posted that were not taken. Changed with the lock held.
    has_posted: AtomicBool,
}

struct State<'scope, W> {
    /// What is worked on; shares hold it while they work. Taken away by [`Crew::dismiss`].
    work: Option<Arc<W>>,
    /// Shares that are posted or at work. Of these, the ones that are posted have a token below.
    active: usize,
    /// Memberships of the scope, one for each share that is posted and not yet taken.
    tokens: Vec<Token<'scope>>,
}

impl<'scope, W: Work + Send + 'scope> Crew<'scope, W> {
    /// Creates a crew of at most `most`. `push` puts so many shares of it into the scope's queue.
    pub(super) fn new(
        scope: &'scope Arc<Shared>,
        label: Label,
        most: usize,
        work: W,
        push: Push<'scope>,
    ) -> Arc<Self> {
        let state = State { work: Some(Arc::new(work)), active: 0, tokens: Vec::new() };
        Arc::new_cyclic(|this| {
            let (this, state) = (this.clone(), Mutex::new(state));
            Crew { scope, label, most, push, this, state, has_posted: AtomicBool::new(false) }
        })
    }

    /// Posts the first shares, one of which whoever posts is about to work.
    pub(super) fn begin(&self, shares: usize) {
        self.post_to(shares, cores() - 1);
    }

    /// Posts up to `shares` more, to up to `runners` who may be idle.
    fn post_to(&self, shares: usize, runners: usize) {
        if shares == 0 {
            return;
        }
        let mut state = self.state.lock();
        let shares = shares.min(self.most.saturating_sub(state.active));
        if shares == 0 || state.work.is_none() {
            return;
        }
        state.active += shares;
        state.tokens.extend((0..shares).map(|_| self.scope.group.token()));
        // ORDERING: Relaxed, with `is_wanted`: who finds these shares in the queue finds this there.
        self.has_posted.store(true, Ordering::Relaxed);
        drop(state);
        let this = self.this.upgrade().expect("whoever posts holds the crew");
        // Each push asks for one runner.
        let apart = shares.min(runners.max(1));
        (1..apart).for_each(|_| (self.push)(Arc::clone(&this) as _, 1));
        (self.push)(this, shares - apart + 1);
    }

    fn drop_work(&self, work: Option<Arc<W>>) {
        if let Err(payload) = drop_caught(work) {
            panicked(self.scope, &self.item(0), payload);
        }
    }

    /// Works a share here, if a task of a limited scope is about to wait for the crew: there may be
    /// no slot but its own. Returns whether it did.
    pub(super) fn help(&self) -> bool {
        if !self.scope.is_limited() || frame::role_in(self.scope) != Some(Role::Task) {
            return false;
        }
        let mut state = self.state.lock();
        let Some(work) = state.work.clone() else { return false };
        let at_work = state.active - state.tokens.len();
        let token = if at_work < self.most && work.has_more() {
            state.active += 1;
            Some(self.scope.group.token())
        } else {
            // One that was posted, and that nobody has come to take.
            state.tokens.pop()
        };
        drop(state);
        let Some(token) = token else {
            self.drop_work(Some(work));
            return false;
        };
        let begun = self.scope.queue.begin_in_slot(self.item(0));
        let frame = frame::enter(self.scope, Role::Task);
        self.work(Some(work));
        drop(frame);
        self.scope.queue.end_in_slot(begun);
        drop(token);
        true
    }

    /// Works a share that counts as active.
    fn work(&self, work: Option<Arc<W>>) {
        loop {
            if let Some(work) = &work {
                work.share(self);
            }
            // Whoever adds something adds it first and posts then, under this lock: either it is
            // seen here, or this share is seen to be gone.
            let mut state = self.state.lock();
            let wanted = state.work.is_some() && !self.scope.is_cancelled();
            if !wanted || !work.as_ref().is_some_and(|work| work.has_more()) {
                state.active -= 1;
                break;
            }
        }
        self.drop_work(work);
    }
}

/// Enters a panic that no handle and no policy will ask for.
pub(super) fn panicked(scope: &Shared, task: &TaskInfo, payload: Payload) {
    if let (_, Some((payload, order))) = scope.panicked(payload, task) {
        scope.stray(task.clone(), payload, order);
    }
}

impl<'scope, W: Work + Send + 'scope> Posting for Crew<'scope, W> {
    fn scope(&self) -> &Arc<Shared> {
        self.scope
    }

    fn item(&self, index: usize) -> TaskInfo {
        TaskInfo::new(index as u64, self.label.clone())
    }

    fn label(&self) -> &Label {
        &self.label
    }

    /// What the work holds of the user's is dropped here, or by the last share that is at it, before
    /// that share discounts itself.
    fn dismiss(&self) {
        let work = self.state.lock().work.take();
        self.drop_work(work);
    }

    #[inline]
    fn post(&self, shares: usize) {
        // Mostly there are none, and this is asked after each item.
        if shares > 0 {
            self.post_to(shares, cores());
        }
    }

    fn retract(&self) {
        let mut state = self.state.lock();
        let tokens = std::mem::take(&mut state.tokens);
        state.active -= tokens.len();
        self.has_posted.store(false, Ordering::Relaxed);
        drop(state);
        // What is left of them in the queue does nothing, and is forgotten by the one who finds it.
        drop(tokens);
    }
}

impl<'scope, W: Work + Send + 'scope> Run for Crew<'scope, W> {
    fn run(&self, _index: u64) {
        let mut state = self.state.lock();
        let Some(token) = state.tokens.pop() else { return };
        if state.active - state.tokens.len() > self.most {
            // One who helps has come first, and does not go away before all is done.
            state.active -= 1;
            drop(state);
            drop(token);
            return;
        }
        let work = state.work.clone();
        drop(state);
        self.work(work);
        drop(token);
    }

    fn is_wanted(&self) -> bool {
        // ORDERING: Relaxed. Shares that are in the queue were posted before. If none is posted now,
        // they were let go since; and whatever is posted later comes to the queue by itself.
        self.has_posted.load(Ordering::Relaxed)
    }

    fn done(&self) -> Option<u64> {
        self.state.try_lock()?.work.as_ref().map_or(Some(0), |work| work.done())
    }

    fn info(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }
}
