//! Cancelling: a level that goes up once, with its cause, and from outer scopes to inner ones.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{OnceLock, Weak};
use std::task::Waker;
use std::time::Instant;

use slab::Slab;
use wg_core::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering};

use crate::cause::Cause;
use crate::outcome::discard;
use crate::timeline::Lane;

/// A scope's place in the tree: whether it is cancelled, why, and who must hear of it.
pub(crate) struct Node {
    cancelled: AtomicBool,
    /// No task with a higher index than this begins.
    cut: AtomicU64,
    inner: Mutex<Inner>,
    /// The earliest of its own and the outer deadlines.
    deadline: Option<Instant>,
    /// Set once, when the node stands where others reach it.
    outer: OnceLock<Vec<Link>>,
    /// In whose tasks this scope was opened; known for scopes of futures.
    lineage: OnceLock<Lineage>,
    /// Where its tasks are recorded, if they are.
    lane: Option<Lane>,
}

/// The scopes in whose tasks a scope was opened, from the innermost to the outermost, which all wait
/// for it.
#[derive(Clone, Default)]
pub(crate) struct Lineage(Option<Arc<Ancestor>>);

struct Ancestor {
    node: Arc<Node>,
    before: Lineage,
}

#[derive(Default)]
struct Inner {
    /// Set once. From then on nothing is added below.
    cause: Option<Cause>,
    children: Slab<Child>,
    sleepers: Slab<Waker>,
}

struct Child {
    node: Weak<Node>,
    relation: Relation,
}

/// How a cause reads one level further in.
#[derive(Clone, Copy)]
pub(crate) enum Relation {
    /// As that of an outer scope.
    Inside,
    /// Unchanged: both are the same scope to the user.
    Same,
}

/// A node's entry in one that it hears from.
struct Link {
    node: Arc<Node>,
    key: usize,
}

impl Node {
    /// Creates a node that hears from `outer`, and whose deadline is the earliest of all.
    pub(crate) fn new(outer: &[(&Arc<Node>, Relation)], own: Option<Instant>) -> Arc<Node> {
        Node::recorded(outer, own, None)
    }

    /// As [`new`](Self::new), for a scope whose tasks are recorded there.
    pub(crate) fn recorded(
        outer: &[(&Arc<Node>, Relation)],
        own: Option<Instant>,
        lane: Option<Lane>,
    ) -> Arc<Node> {
        let deadlines = outer.iter().filter_map(|(node, _)| node.deadline);
        let deadline = deadlines.chain(own).min();
        let node = Arc::new(Node {
            cancelled: AtomicBool::new(false),
            cut: AtomicU64::new(u64::MAX),
            inner: Mutex::new(Inner::default()),
            deadline,
            outer: OnceLock::new(),
            lineage: OnceLock::new(),
            lane,
        });
        let mut heard = None;
        let mut links = Vec::with_capacity(outer.len());
        for &(above, relation) in outer {
            let mut inner = above.inner.lock();
            if let Some(cause) = &inner.cause {
                heard.get_or_insert_with(|| relation.read(cause));
            } else {
                // From here on a cancel finds it. So it must be whole by now: a node that is being
                // made, as in `Arc::new_cyclic`, could not be upgraded, and would never hear. (No
                // model sees that: it is inside `Arc`.)
                let key = inner.children.insert(Child { node: Arc::downgrade(&node), relation });
                links.push(Link { node: Arc::clone(above), key });
            }
        }
        if !links.is_empty() {
            let fresh = node.outer.set(links).is_ok();
            debug_assert!(fresh, "set nowhere else");
        }
        if let Some(cause) = heard {
            node.cancel(cause);
        }
        node
    }

    /// Enters in whose tasks this scope was opened. Once, before anybody else sees it.
    pub(crate) fn set_lineage(&self, lineage: Lineage) {
        let fresh = self.lineage.set(lineage).is_ok();
        debug_assert!(fresh, "set nowhere else");
    }

    /// In whose tasks a scope is opened that is opened in a task of this one.
    pub(crate) fn lineage_of_tasks(self: &Arc<Self>) -> Lineage {
        Lineage(Some(Arc::new(Ancestor { node: Arc::clone(self), before: self.lineage() })))
    }

    /// In whose tasks this scope was opened.
    pub(crate) fn lineage(&self) -> Lineage {
        self.lineage.get().cloned().unwrap_or_default()
    }

    /// Where its tasks are recorded, if they are.
    #[inline]
    pub(crate) fn lane(&self) -> Option<&Lane> {
        self.lane.as_ref()
    }

    fn outer(&self) -> &[Link] {
        self.outer.get().map_or(&[], Vec::as_slice)
    }

    /// One relaxed load.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // ORDERING: Relaxed. The flag only ever goes up and says nothing about other memory; why
        // it went up is read under the lock.
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether a task with this index is not to begin any more.
    #[inline]
    pub(crate) fn skips(&self, index: u64) -> bool {
        // ORDERING: Relaxed. The number only goes down and says nothing about other memory.
        self.is_cancelled() || index > self.cut.load(Ordering::Relaxed)
    }

    /// Has no task begin any more that has a higher index than this. The lowest stays.
    pub(crate) fn cut(&self, index: u64) {
        let mut cut = self.cut.load(Ordering::Relaxed);
        while index < cut {
            let order = Ordering::Relaxed;
            match self.cut.compare_exchange_weak(cut, index, order, order) {
                Ok(_) => break,
                Err(now) => cut = now,
            }
        }
    }

    #[inline]
    pub(crate) fn cause(&self) -> Option<Cause> {
        // The flag goes up after the cause is set, so where it is up there is a cause.
        if self.is_cancelled() { self.inner.lock().cause.clone() } else { None }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether a deadline of its own has to be watched: one that no outer node watches already.
    pub(crate) fn own_deadline(&self) -> Option<Instant> {
        let outer = self.outer().iter().filter_map(|link| link.node.deadline).min();
        self.deadline.filter(|&own| outer.is_none_or(|outer| own < outer))
    }

    /// Cancels the scope whose deadline this is, if it has passed: an outer one's deadline is
    /// the outer one's also if it is seen from here first, and before the timer does.
    pub(crate) fn pass(&self, now: Instant) {
        let is_over = |node: &Node| node.deadline.is_some_and(|deadline| deadline <= now);
        if !is_over(self) {
            return;
        }
        let mut node = self;
        while node.own_deadline().is_none() {
            let above = node.outer().iter().find(|link| is_over(&link.node));
            node = &above.expect("a deadline that is not its own is an outer one's").node;
        }
        node.cancel(Cause::Deadline);
    }

    /// Cancels this node and all below, unless it is cancelled already: the first cause stays.
    /// Returns whether it was this call that did it.
    pub(crate) fn cancel(&self, cause: Cause) -> bool {
        // A list instead of recursion: the tree may be deeper than the stack.
        let mut below = Vec::new();
        let mut sleepers = Vec::new();
        let first = self.mark(cause, &mut below, &mut sleepers);
        while let Some((node, cause)) = below.pop() {
            node.mark(cause, &mut below, &mut sleepers);
        }
        // Only now: whoever wakes may drop an inner scope at once, whose cause is to be this one.
        for waker in sleepers.into_iter().flatten().map(|(_, waker)| waker) {
            // A waker is foreign code. Whoever cancels is not to be blamed for its panic.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                discard(payload);
            }
        }
        first
    }

    /// Marks this node alone, unless it is marked already, and lists who must hear of it.
    fn mark(
        &self,
        cause: Cause,
        below: &mut Vec<(Arc<Node>, Cause)>,
        sleepers: &mut Vec<Slab<Waker>>,
    ) -> bool {
        let mut inner = self.inner.lock();
        if inner.cause.is_some() {
            return false;
        }
        let children = std::mem::take(&mut inner.children);
        sleepers.push(std::mem::take(&mut inner.sleepers));
        inner.cause = Some(cause.clone());
        self.cancelled.store(true, Ordering::Relaxed);
        drop(inner);
        for (_, child) in children {
            if let Some(node) = child.node.upgrade() {
                below.push((node, child.relation.read(&cause)));
            }
        }
        true
    }

    /// Enters who is to be woken on cancel; None if it is cancelled already.
    pub(crate) fn listen(&self, waker: Waker) -> Option<usize> {
        let mut inner = self.inner.lock();
        if inner.cause.is_some() { None } else { Some(inner.sleepers.insert(waker)) }
    }

    /// Takes back what [`listen`](Self::listen) entered.
    pub(crate) fn unlisten(&self, key: usize) {
        let mut inner = self.inner.lock();
        let waker = if inner.cause.is_none() { inner.sleepers.try_remove(key) } else { None };
        drop(inner);
        drop(waker);
    }
}

impl Lineage {
    pub(crate) fn contains(&self, node: &Arc<Node>) -> bool {
        let mut next = &self.0;
        while let Some(ancestor) = next {
            if Arc::ptr_eq(&ancestor.node, node) {
                return true;
            }
            next = &ancestor.before.0;
        }
        false
    }
}

impl Drop for Lineage {
    fn drop(&mut self) {
        // A loop instead of recursion: it may be longer than the stack.
        let mut next = self.0.take();
        while let Some(ancestor) = next.and_then(Arc::into_inner) {
            let mut ancestor = ancestor;
            next = ancestor.before.0.take();
        }
    }
}

impl Relation {
    fn read(self, cause: &Cause) -> Cause {
        match self {
            Relation::Inside => cause.inward(),
            Relation::Same => cause.clone(),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A list instead of recursion: the tree may be deeper than the stack.
        let mut links = self.outer.take().unwrap_or_default();
        while let Some(Link { node, key }) = links.pop() {
            let mut inner = node.inner.lock();
            // Once it is cancelled its children are nobody's, and the key is stale.
            let child = if inner.cause.is_none() { inner.children.try_remove(key) } else { None };
            drop(inner);
            drop(child);
            if let Some(mut last) = Arc::into_inner(node) {
                links.append(&mut last.outer.take().unwrap_or_default());
            }
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("cause", &self.cause())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// A handle by which scopes are cancelled from outside: once cancelled it stays so.
///
/// Give it to any number of scopes by [`Options::cancel`](crate::Options::cancel); they are
/// cancelled with it, and so is every scope inside. Cloning gives another handle of the same.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let stop = wg::Cancel::new();
/// let why = wg::options().cancel(&stop).scope(|s| {
///     s.spawn(|| s.sleep(Duration::MAX)); // a wait of ours: it returns early
///     stop.cancel("enough");
///     s.cancelled_by()
/// });
/// assert_eq!(why.unwrap().to_string(), "cancelled: enough");
/// ```
#[derive(Clone)]
pub struct Cancel {
    node: Arc<Node>,
}

impl Cancel {
    /// Creates a handle that cancels what it is given to.
    #[must_use]
    pub fn new() -> Self {
        Cancel { node: Node::new(&[], None) }
    }

    pub(crate) fn of(node: &Arc<Node>) -> Self {
        Cancel { node: Arc::clone(node) }
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Creates a handle that is cancelled with this one, and can be cancelled without it.
    #[must_use]
    pub fn child(&self) -> Self {
        Cancel { node: Node::new(&[(&self.node, Relation::Inside)], None) }
    }

    /// Cancels, unless that was done before: the first reason stays. Wakes every wait in the
    /// scopes that this reaches. Returns whether it was this call that did it.
    pub fn cancel(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        self.node.cancel(Cause::Asked(reason.into()))
    }

    /// Returns whether it is cancelled. One relaxed load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Returns why it is cancelled, if it is.
    #[must_use]
    pub fn cancelled_by(&self) -> Option<Cause> {
        self.node.cause()
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Cancel::new()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("cancelled_by", &self.cancelled_by()).finish()
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use super::*;

    fn inside(outer: &Arc<Node>) -> Arc<Node> {
        Node::new(&[(outer, Relation::Inside)], None)
    }

    #[test]
    fn rule_18_outer_reaches_inner_and_inner_does_not_reach_outer() {
        let outer = Node::new(&[], None);
        let (left, right) = (inside(&outer), inside(&outer));
        let leaf = inside(&left);
        assert!(left.cancel(Cause::Deadline));
        assert!(leaf.is_cancelled() && !outer.is_cancelled() && !right.is_cancelled());
        assert!(outer.cancel(Cause::BodyFailed));
        assert_eq!(right.cause(), Some(Cause::Outer(std::sync::Arc::new(Cause::BodyFailed))));
        assert_eq!(left.cause(), Some(Cause::Deadline), "the first cause stays");
        assert_eq!(inside(&right).cause(), right.cause(), "born cancelled, and wrapped once");
    }

    #[test]
    fn rule_18_a_tree_deeper_than_the_stack_is_cancelled() {
        let root = Node::new(&[], None);
        let mut chain = vec![inside(&root)];
        for _ in 0..100_000 {
            chain.push(inside(chain.last().unwrap()));
        }
        root.cancel(Cause::BodyFailed);
        assert!(chain.iter().all(|node| node.is_cancelled()));
        // From the root down: only the leaf holds the others.
        drop(root);
        drop(chain);
    }

    #[test]
    fn a_node_that_is_gone_leaves_nothing_in_its_outer_one() {
        let outer = Node::new(&[], None);
        for _ in 0..100 {
            let key = outer.listen(Waker::noop().clone()).unwrap();
            drop(inside(&outer));
            outer.unlisten(key);
        }
        let inner = outer.inner.lock();
        assert!(inner.children.is_empty() && inner.sleepers.is_empty());
    }

    #[test]
    fn rule_21_the_earliest_deadline_counts_and_is_watched_once() {
        let now = Instant::now();
        let later = now + std::time::Duration::from_secs(60);
        let outer = Node::new(&[], Some(now));
        let inner = Node::new(&[(&outer, Relation::Inside)], Some(later));
        assert_eq!((inner.deadline(), inner.own_deadline()), (Some(now), None));
        let inner = Node::new(&[(&inner, Relation::Inside)], None);
        assert_eq!((inner.deadline(), inner.own_deadline()), (Some(now), None));
        let outer = Node::new(&[], Some(later));
        let inner = Node::new(&[(&outer, Relation::Inside)], Some(now));
        assert_eq!(inner.own_deadline(), Some(now));
    }
}
