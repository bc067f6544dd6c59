//! A cell in the shape of loom's, which watches who looks into it.

/// What `std`'s `UnsafeCell` is.
#[derive(Debug)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Creates a cell.
    pub const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    /// Calls with a pointer to what is in it.
    #[inline]
    pub fn with_mut<R>(&self, call: impl FnOnce(*mut T) -> R) -> R {
        call(self.0.get())
    }
}
