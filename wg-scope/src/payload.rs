//! What a panic has thrown, as part of an error.

use std::any::{Any, TypeId};
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

use crate::outcome::{Payload, message};

/// What a task has thrown that panicked.
///
/// It says its text, goes on unwinding with [`resume`](Self::resume), and gives the payload itself
/// only to its owner: so an error that holds it is [`Sync`], as boxed errors are wanted by `?`.
///
/// # Examples
///
/// ```
/// use wg::FailureKind;
///
/// let options = wg::options().catch_panics();
/// let ((), errors) = options.collect_scope(|s: &wg::TryScope<'_, '_, String>| {
///     drop(s.spawn(|| if true { panic!("no disk") } else { Ok(()) }));
/// });
/// let failure = errors.into_iter().next().unwrap();
/// let FailureKind::Panic(payload) = failure.into_kind() else { panic!("it was a panic") };
/// assert_eq!(payload.message(), "no disk");
/// assert!(payload.is::<&'static str>());
/// ```
pub struct PanicPayload {
    /// Never locked: it keeps the payload from those who only borrow this.
    payload: Mutex<Payload>,
    kind: TypeId,
    message: Box<str>,
}

impl PanicPayload {
    pub(crate) fn new(payload: Payload) -> Self {
        let (kind, message) = ((*payload).type_id(), message(&payload).into());
        PanicPayload { payload: Mutex::new(payload), kind, message }
    }

    /// Returns the text of the panic, or words that say that it has none.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns whether the payload is of this type.
    #[must_use]
    pub fn is<T: Any>(&self) -> bool {
        self.kind == TypeId::of::<T>()
    }

    /// Returns the payload, as `catch_unwind` would have.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Any + Send> {
        self.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the payload, if it is of this type.
    ///
    /// # Errors
    ///
    /// This, if it is of another.
    pub fn downcast<T: Any>(self) -> Result<Box<T>, Self> {
        if !self.is::<T>() {
            return Err(self);
        }
        Ok(self.into_inner().downcast().expect("its type was asked for"))
    }

    /// Goes on with the panic, silently: its message has been printed when it began.
    ///
    /// # Panics
    ///
    /// Always: that is what it is for.
    pub fn resume(self) -> ! {
        resume_unwind(self.into_inner())
    }
}

impl fmt::Debug for PanicPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PanicPayload").field(&self.message).finish()
    }
}
