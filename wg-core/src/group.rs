//! The group. How to become a member is in `token`, how to wait in `wait`.

use std::fmt;

use crate::state::{Left, State};
use crate::waiters;

/// Counts members, and lets threads and tasks wait until none is left.
///
/// Members hold a [`Token`](crate::Token); dropping it ends the membership, also while unwinding. Waiters may be
/// threads ([`wait`](Self::wait), [`wait_timeout`](Self::wait_timeout),
/// [`wait_deadline`](Self::wait_deadline)) and tasks ([`wait_async`](Self::wait_async)), many of
/// both kinds at once. All of them are released together when the group is empty, in the order of
/// their arrival, but threads that came one after the other all at once. After that the group can
/// be used again at once; a wait belongs to the rounds during which it runs and to no later one.
///
/// The group is one 64-bit word: no allocation, `const` construction. Taking a token and dropping it is one atomic instruction each; waiting for an
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

    /// Closes the group: no token is given out any more. Returns whether it was open.
    ///
    /// Members that are in stay in, and may [`clone`](crate::Token) their token: work that is
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

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    #[inline]
    pub(crate) fn leave(&self, n: u32) {
        if self.state.leave(n) == Left::Release {
            waiters::release_listed(&self.state);
        }
    }
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
