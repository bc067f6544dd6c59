//! What may be sent where, and what may be forgotten.

use std::mem::forget;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;

use futures::executor::block_on;
use wg_tests::Counted;

#[wg::fan_out]
fn double(number: u32) -> u32 {
    number * 2
}

#[wg::fan_out]
async fn double_later(number: u32) -> u32 {
    number * 2
}

#[wg::fan_out]
fn count(_: u32, counted: &Counted<'_>) {
    let _ = counted;
}

/// Whether a type is `Send`, and whether it is `Sync`: an inherent constant goes before a trait's.
macro_rules! is {
    ($ty:ty: $bound:ident) => {{
        #[allow(dead_code, reason = "where the bound holds it is not used")]
        trait Fallback {
            const IS: bool = false;
        }
        impl<T: ?Sized> Fallback for T {}
        struct Asked<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "where the bound does not hold it is not used")]
        impl<T: ?Sized + $bound> Asked<T> {
            const IS: bool = true;
        }
        <Asked<$ty>>::IS
    }};
}

#[test]
fn calls_can_be_sent_and_not_shared_whatever_they_are_of() {
    assert!(is!(wg::Calls<'static, u32, u32>: Send));
    assert!(!is!(wg::Calls<'static, u32, u32>: Sync));
    assert!(is!(wg::local::Calls<'static, u32, u32>: Send));
    assert!(!is!(wg::local::Calls<'static, u32, u32>: Sync));
    assert!(is!(wg::tokio::Calls<u32, u32>: Send));
    assert!(!is!(wg::tokio::Calls<u32, u32>: Sync));
    // They hold no item and no result: of these there can be none, because `new` refuses them.
    assert!(is!(wg::Calls<'static, Rc<u32>, Rc<u32>>: Send));
    assert!(!is!(Rc<u32>: Send));
}

#[test]
fn calls_are_run_where_they_are_sent() {
    let here = double_all([1, 2]);
    assert_eq!(std::thread::scope(|s| s.spawn(|| here.run()).join().unwrap()), [2, 4]);
    let here = double_later_all([1, 2]);
    assert_eq!(std::thread::scope(|s| s.spawn(|| block_on(here.run())).join().unwrap()), [2, 4]);
}

#[test]
fn calls_may_be_forgotten() {
    let drops = AtomicUsize::new(0);
    let counted = Counted(&drops);
    forget(count_all([], &counted));
    forget(double_later_all([]).run());
    drop(counted);
    assert_eq!(drops.into_inner(), 1);
}

#[test]
fn calls_tell_how_they_are_to_run() {
    let told = format!("{:?}", double_all([1]).limit(3));
    assert!(
        told.starts_with("Calls") && told.contains("\"double\"") && told.contains('3'),
        "{told}"
    );
    let told = format!("{:?}", double_later_all([1]));
    assert!(told.starts_with("AsyncCalls") && told.contains("\"double_later\""), "{told}");
}
