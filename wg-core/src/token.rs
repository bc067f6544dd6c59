//! Membership as a value.

use std::fmt;
use std::iter::FusedIterator;

use crate::group::WaitGroup;
use crate::state::{Entered, MAX_COUNT, Refused};
use crate::sync::Arc;

/// # Membership
impl WaitGroup {
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
    /// has 2³¹ − 1 members. The group is unchanged after that; for a moment others may have seen
    /// the member that was refused, which `try_token` avoids.
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
        self.state().try_enter(1)?;
        Ok(Token::new(self))
    }

    /// Counts `n` more members with one atomic instruction, to be handed out one by one.
    ///
    /// The batch is an iterator of tokens; what is left in it when it is dropped is discounted
    /// together. An empty batch (`n` = 0) counts nobody, and is allowed in
    /// an open group.
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
        self.state().try_enter(n)?;
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
        self.state().try_enter(1)?;
        Ok(OwnedToken::new(Arc::clone(self)))
    }

    #[inline]
    #[track_caller]
    fn enter(&self) {
        match self.state().enter() {
            Entered::Member => {}
            Entered::Closed => self.expel(TryTokenError::Closed),
            Entered::Full => self.expel(TryTokenError::Full),
        }
    }

    #[inline]
    #[track_caller]
    fn enter_beside(&self) {
        if self.state().enter_beside() != Entered::Member {
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
}

#[cold]
#[track_caller]
fn refuse(refused: TryTokenError) -> ! {
    panic!("no token: {refused}")
}

/// Membership of a [`WaitGroup`] that the token borrows: counted while it exists.
///
/// Cloning counts one more, in a closed group as well: a member may always bring in others to
/// finish what it has begun. Made by [`WaitGroup::token`].
///
/// # Panics
///
/// [`clone`](Clone::clone) panics if the group has 2³¹ − 1 members.
#[must_use = "a token is a member only while it exists: dropped at once, it counts for nothing"]
pub struct Token<'a> {
    group: &'a WaitGroup,
}

impl<'a> Token<'a> {
    /// Wraps a membership that has been counted.
    #[inline]
    pub(crate) fn new(group: &'a WaitGroup) -> Self {
        Token { group }
    }

    /// Returns the group that this token is a member of.
    pub fn group(&self) -> &'a WaitGroup {
        self.group
    }
}

impl Clone for Token<'_> {
    #[inline]
    #[track_caller]
    fn clone(&self) -> Self {
        self.group.enter_beside();
        Token { group: self.group }
    }
}

impl Drop for Token<'_> {
    #[inline]
    fn drop(&mut self) {
        self.group.leave(1);
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(self.group).finish()
    }
}

/// Several memberships that were counted at once, as an iterator of tokens.
///
/// Splitting one off costs no atomic instruction; what is left on drop is discounted by one. Made
/// by [`WaitGroup::tokens`].
#[must_use = "the members of a batch count only while it exists"]
pub struct Tokens<'a> {
    group: &'a WaitGroup,
    left: u32,
}

impl<'a> Tokens<'a> {
    /// Wraps `left` memberships that have been counted.
    pub(crate) fn new(group: &'a WaitGroup, left: u32) -> Self {
        Tokens { group, left }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Token::new(self.group))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Tokens<'_> {}
impl FusedIterator for Tokens<'_> {}

impl Drop for Tokens<'_> {
    // So that what is left can stay in a register: a locked instruction waits for what was stored.
    #[inline]
    fn drop(&mut self) {
        // An empty batch is no member, so the group may be gone to others: leave it alone.
        if self.left != 0 {
            self.group.leave(self.left);
        }
    }
}

impl fmt::Debug for Tokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("left", &self.left).field("group", self.group).finish()
    }
}

/// Membership of a [`WaitGroup`] that the token keeps alive, for tasks that are `'static`.
///
/// Otherwise as [`Token`]. Made by [`WaitGroup::owned_token`].
///
/// # Panics
///
/// [`clone`](Clone::clone) panics if the group has 2³¹ − 1 members.
#[must_use = "a token is a member only while it exists: dropped at once, it counts for nothing"]
pub struct OwnedToken {
    group: Arc<WaitGroup>,
}

impl OwnedToken {
    /// Wraps a membership that has been counted.
    #[inline]
    pub(crate) fn new(group: Arc<WaitGroup>) -> Self {
        OwnedToken { group }
    }

    /// Returns the group that this token is a member of.
    pub fn group(&self) -> &Arc<WaitGroup> {
        &self.group
    }
}

impl Clone for OwnedToken {
    #[inline]
    #[track_caller]
    fn clone(&self) -> Self {
        self.group.enter_beside();
        OwnedToken { group: Arc::clone(&self.group) }
    }
}

impl Drop for OwnedToken {
    #[inline]
    fn drop(&mut self) {
        self.group.leave(1);
    }
}

impl fmt::Debug for OwnedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedToken").field(&*self.group).finish()
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
