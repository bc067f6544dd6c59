//! The group.

use std::fmt;
use std::time::{Duration, Instant};

use crate::state::{Entered, Left, MAX_COUNT, MAX_WAITERS, Refused, State};
use crate::sync::Arc;
use crate::token::{OwnedToken, Token, Tokens};
use crate::wait::Wait;
use crate::waiters::{self, NotEnlisted};

/// Counts members, and lets threads and tasks wait until none is left.
///
/// Members hold a [`Token`]; dropping it ends the membership, also while unwinding. Waiters may be
/// threads ([`wait`](Self::wait), [`wait_timeout`](Self::wait_timeout),
/// [`wait_deadline`](Self::wait_deadline)) and tasks ([`wait_async`](Self::wait_async)), many of
/// both kinds at once. All of them are released together when the group is empty, in the order of
/// their arrival. After that the group can be used again at once; a wait belongs to the rounds
/// during which it runs and to no later one.
///
/// The group is one 64-bit word: no allocation, no destructor that does anything, `const`
/// construction. Taking a token and dropping it is one atomic instruction each; waiting for an
/// empty group is one load.
///
/// It cannot be copied: waiters and members share it by reference, or in an
/// [`Arc`](std::sync::Arc).
///
/// The idea and the layout are those of Go's
/// [`sync.WaitGroup`](https://pkg.go.dev/sync#WaitGroup); what a crossbeam `WaitGroup` calls a
/// clone is a token here, and the group stays usable while and after it is waited for.
///
/// # Examples
///
/// ```
/// use wg_core::WaitGroup;
///
/// static CONNECTIONS: WaitGroup = WaitGroup::new();
///
/// let token = CONNECTIONS.token();
/// std::thread::spawn(move || {
///     let _connection = token;
/// });
/// CONNECTIONS.close(); // no new ones
/// CONNECTIONS.wait(); // and the last has gone
/// assert!(CONNECTIONS.try_token().is_err());
/// ```
///
/// # Memory ordering
///
/// What a member did before its token was dropped happens before the return of every wait that
/// this released or that began later, and before a [`count`](Self::count) that returned 0. See
/// the [crate's documentation](crate#memory-ordering).
pub struct WaitGroup {
    state: State,
}

impl WaitGroup {
    const_fn! {
        /// Creates an open group without members.
        #[must_use]
        pub const fn new() -> Self {
            WaitGroup { state: State::new() }
        }
    }

    /// Counts one more member, until the token is dropped.
    ///
    /// One atomic instruction. For tasks that are `'static`, see
    /// [`owned_token`](Self::owned_token).
    ///
    /// A token that is leaked (`mem::forget`) counts for ever: waits without a deadline then do
    /// not return.
    ///
    /// # Panics
    ///
    /// If the group is closed (use [`try_token`](Self::try_token) where that may happen), or if it
    /// has 2³¹ − 1 members. The group is unchanged then.
    #[inline]
    #[track_caller]
    pub fn token(&self) -> Token<'_> {
        self.enter();
        Token::new(self)
    }

    /// Counts one more member, unless the group is closed.
    ///
    /// One atomic instruction if nobody else changes the group meanwhile.
    ///
    /// # Errors
    ///
    /// [`TryTokenError::Closed`] after [`close`](Self::close): a shutdown cannot race with new
    /// work. [`TryTokenError::Full`] if the group has 2³¹ − 1 members. The group is unchanged
    /// then.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg_core::{TryTokenError, WaitGroup};
    ///
    /// let group = WaitGroup::new();
    /// assert!(group.try_token().is_ok());
    /// group.close();
    /// assert_eq!(group.try_token().unwrap_err(), TryTokenError::Closed);
    /// ```
    #[inline]
    pub fn try_token(&self) -> Result<Token<'_>, TryTokenError> {
        self.state.try_enter(1)?;
        Ok(Token::new(self))
    }

    /// Counts `n` more members with one atomic instruction, to be handed out one by one.
    ///
    /// The batch is an iterator of tokens; what is left in it when it is dropped is discounted
    /// together. An empty batch (`n` = 0) counts nobody and is allowed.
    ///
    /// # Panics
    ///
    /// If the group is closed, or would have more than 2³¹ − 1 members. The group is unchanged
    /// then.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg_core::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let mut batch = group.tokens(100);
    /// let one = batch.next();
    /// drop(batch);
    /// assert_eq!(group.count(), 1);
    /// # drop(one);
    /// ```
    #[track_caller]
    pub fn tokens(&self, n: usize) -> Tokens<'_> {
        match self.try_tokens(n) {
            Ok(tokens) => tokens,
            Err(refused) => refuse(refused),
        }
    }

    /// Counts `n` more members with one atomic instruction, unless the group is closed.
    ///
    /// # Errors
    ///
    /// As [`try_token`](Self::try_token); all `n` or none.
    pub fn try_tokens(&self, n: usize) -> Result<Tokens<'_>, TryTokenError> {
        let n = u32::try_from(n).map_err(|_| TryTokenError::Full)?;
        self.state.try_enter(n)?;
        Ok(Tokens::new(self, n))
    }

    /// Counts one more member by a token that keeps the group alive, for tasks that are `'static`.
    ///
    /// Two atomic instructions: one for the membership, one for the [`Arc`](std::sync::Arc).
    ///
    /// # Panics
    ///
    /// As [`token`](Self::token).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wg_core::WaitGroup;
    ///
    /// let group = Arc::new(WaitGroup::new());
    /// let token = group.owned_token();
    /// std::thread::spawn(move || drop(token));
    /// group.wait();
    /// ```
    #[inline]
    #[track_caller]
    pub fn owned_token(self: &Arc<Self>) -> OwnedToken {
        self.enter();
        OwnedToken::new(Arc::clone(self))
    }

    /// Counts one more member by a token that keeps the group alive, unless the group is closed.
    ///
    /// # Errors
    ///
    /// As [`try_token`](Self::try_token).
    #[inline]
    pub fn try_owned_token(self: &Arc<Self>) -> Result<OwnedToken, TryTokenError> {
        self.state.try_enter(1)?;
        Ok(OwnedToken::new(Arc::clone(self)))
    }

    /// Closes the group: no token is given out any more. Returns whether it was open.
    ///
    /// Members that are in stay in, and may [`clone`](Token::clone) their token: work that is
    /// under way can finish. Closing neither waits nor wakes; closing twice does nothing the
    /// second time. A closed group stays closed.
    pub fn close(&self) -> bool {
        self.state.close()
    }

    /// Returns whether the group is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.load().closed
    }

    /// Returns the number of members.
    ///
    /// Others may come and go at any time, so this is for display, with one exception: 0 means
    /// that everything done by the members until then is visible here.
    #[must_use]
    pub fn count(&self) -> usize {
        loop {
            let now = self.state.load();
            if !now.is_releasing() {
                return now.count as usize;
            }
            // Who is told of a zero may rely on it, so it has to happen for the others first.
            waiters::settle(&self.state);
        }
    }

    /// Returns the number of threads and tasks that wait.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.state.load().waiters as usize
    }

    /// Blocks until the group is empty. Returns at once if it is, open or closed.
    ///
    /// # Panics
    ///
    /// If 2³¹ − 1 waiters wait already.
    ///
    /// # Blocking
    ///
    /// Parks the thread, without spinning, until the last member leaves. A member that waits for
    /// its own group waits for itself, and never returns.
    ///
    /// # Memory ordering
    ///
    /// What every member did before its token was dropped happens before the return.
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        if !self.state.load().is_idle() {
            self.block(None);
        }
    }

    /// Blocks until the group is empty, for at most `timeout`.
    ///
    /// A timeout that no clock can express (`Duration::MAX`) waits for ever; zero returns at once.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if members are left after that time.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use wg_core::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let token = group.token();
    /// let late = group.wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(late.to_string(), "timed out while 1 member was left");
    /// drop(token);
    /// assert_eq!(group.wait_timeout(Duration::ZERO), Ok(()));
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.wait_deadline(deadline),
            None => {
                self.wait();
                Ok(())
            }
        }
    }

    /// Blocks until the group is empty, or until `deadline`, which may lie in the past.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if members are left then.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        if self.state.load().is_idle() || self.block(Some(deadline)) {
            return Ok(());
        }
        Err(TimedOut { count: self.state.load().count })
    }

    /// Returns a future that is ready when the group is empty.
    ///
    /// It begins to wait when it is first polled, works with any executor, and may be mixed with
    /// blocking waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any time, ends this wait and changes nothing for others.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wg_core::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let token = group.token();
    /// let mut wait = pin!(group.wait_async());
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(wait.as_mut().poll(&mut cx), Poll::Pending);
    /// drop(token);
    /// assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(()));
    /// ```
    pub fn wait_async(&self) -> Wait<'_> {
        Wait::new(self)
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    #[inline]
    #[track_caller]
    fn enter(&self) {
        match self.state.enter() {
            Entered::Member => {}
            Entered::Closed => self.expel(TryTokenError::Closed),
            Entered::Full => self.expel(TryTokenError::Full),
        }
    }

    #[inline]
    #[track_caller]
    pub(crate) fn enter_beside(&self) {
        if self.state.enter_beside() != Entered::Member {
            self.expel(TryTokenError::Full);
        }
    }

    /// Takes a blind entry back, and panics.
    #[cold]
    #[track_caller]
    fn expel(&self, refused: TryTokenError) -> ! {
        self.leave(1);
        refuse(refused)
    }

    #[inline]
    pub(crate) fn leave(&self, n: u32) {
        if self.state.leave(n) == Left::Release {
            waiters::release_listed(&self.state);
        }
    }

    /// Returns whether the group was empty before the deadline.
    #[track_caller]
    fn block(&self, deadline: Option<Instant>) -> bool {
        match waiters::block(&self.state, deadline) {
            Ok(released) => released,
            Err(full) => crowded(full),
        }
    }
}

#[cold]
#[track_caller]
fn refuse(refused: TryTokenError) -> ! {
    panic!("no token: {refused}")
}

/// Ends a wait that found no room on the list.
#[cold]
#[track_caller]
pub(crate) fn crowded(_: NotEnlisted) -> ! {
    panic!("cannot wait: {MAX_WAITERS} waiters wait for this group already")
}

impl Drop for WaitGroup {
    fn drop(&mut self) {
        // Nobody waits for a group that can be dropped, save futures that were forgotten.
        if self.state.load().waiters != 0 {
            waiters::forget(&self.state);
        }
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.state.load();
        f.debug_struct("WaitGroup")
            .field("count", &now.count)
            .field("waiters", &now.waiters)
            .field("closed", &now.closed)
            .finish()
    }
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryTokenError {
    /// The group is closed.
    #[error("the group is closed")]
    Closed,
    /// The group has as many members as it can count. Most likely tokens are being leaked.
    #[error("the group would have more than {MAX_COUNT} members (are tokens being leaked?)")]
    Full,
}

impl From<Refused> for TryTokenError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closed => TryTokenError::Closed,
            Refused::Full => TryTokenError::Full,
        }
    }
}

/// The error of a wait whose deadline passed while members were left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timed out while {count} {} left", if *count == 1 { "member was" } else { "members were" })]
pub struct TimedOut {
    count: u32,
}

impl TimedOut {
    /// Returns how many members were left just after the wait gave up. It may be 0, if the last
    /// one left in between.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count as usize
    }
}
