//! [`Cancel`] and tokio-util's `CancellationToken`, each from the other.
//!
//! Nobody stands by to listen: no task and no thread. Each is entered as a waker where the other
//! wakes those who wait for it, and goes with it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use wg_core::sync::Mutex;

use crate::cancel::{Cancel, Node};
use crate::cause::Cause;

/// A handle that is cancelled when the token is. Cancelling the handle does not cancel the token.
///
/// The handle listens as long as it lives, or a clone of it, or a scope that it was given to; then it
/// leaves the token, and nothing of it stays behind there.
///
/// # Examples
///
/// ```
/// use tokio_util::sync::CancellationToken;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let token = CancellationToken::new();
/// let stop = wg::Cancel::from(token.clone());
/// let why = wg::options().cancel(&stop).tokio().scope(async |s| {
///     drop(s.spawn(std::future::pending::<()>()));
///     token.cancel();
///     s.cancelled_by()
/// });
/// assert_eq!(why.await.unwrap().to_string(), "cancelled: its CancellationToken was cancelled");
/// # });
/// ```
impl From<CancellationToken> for Cancel {
    fn from(token: CancellationToken) -> Self {
        let node = Node::new(&[], None);
        let ear = Arc::new(Ear(Mutex::new(Box::pin(token.cancelled_owned()))));
        // The node keeps the ear, until it is cancelled or dropped.
        node.listen(Waker::from(Arc::clone(&ear)));
        let mouth = Waker::from(Arc::new(Mouth(Arc::downgrade(&node))));
        let heard = ear.0.lock().as_mut().poll(&mut Context::from_waker(&mouth));
        if heard.is_ready() {
            mouth.wake();
        }
        Cancel::of(&node)
    }
}

/// What listens to a token, kept among those whom a node wakes: it goes when the node does, or when
/// there is nothing more to hear.
struct Ear(Mutex<Pin<Box<WaitForCancellationFutureOwned>>>);

impl Wake for Ear {
    fn wake(self: Arc<Self>) {}
}

/// Whom the token wakes.
struct Mouth(Weak<Node>);

impl Wake for Mouth {
    fn wake(self: Arc<Self>) {
        if let Some(node) = self.0.upgrade() {
            node.cancel(Cause::Asked("its CancellationToken was cancelled".into()));
        }
    }
}

/// A token that is cancelled when the handle is. Cancelling the token does not cancel the handle.
///
/// The token hears as long as the handle lives, or a clone of it, or a scope that it was given to,
/// so keep one of them. Each call leaves an entry in the handle until that is cancelled or gone: where
/// many tokens are wanted, ask once and hand out [`child_token`](CancellationToken::child_token)s.
///
/// # Examples
///
/// ```
/// use tokio_util::sync::CancellationToken;
///
/// let stop = wg::Cancel::new();
/// let token = CancellationToken::from(&stop);
/// assert!(!token.is_cancelled());
/// stop.cancel("enough");
/// assert!(token.is_cancelled());
/// ```
impl From<&Cancel> for CancellationToken {
    fn from(cancel: &Cancel) -> Self {
        let token = CancellationToken::new();
        let onward = Arc::new(Onward(token.clone()));
        if cancel.node().listen(Waker::from(onward)).is_none() {
            token.cancel();
        }
        token
    }
}

/// Hands a cancel on to a token.
struct Onward(CancellationToken);

impl Wake for Onward {
    fn wake(self: Arc<Self>) {
        self.0.cancel();
    }
}
