//! Membership as a value.

use std::fmt;
use std::iter::FusedIterator;

use crate::group::WaitGroup;
use crate::sync::Arc;

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
