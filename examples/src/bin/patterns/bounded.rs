//! Pattern 5: bounded goroutines, with a semaphore.
//!
//! The Go original:
//!
//! ```go
//! semaphore := make(chan struct{}, maxConcurrency)
//! for _, item := range items {
//!     wg.Add(1)
//!     go func(it Item) {
//!         defer wg.Done()
//!         semaphore <- struct{}{}        // acquire a slot
//!         defer func() { <-semaphore }() // release it
//!         process(it)
//!     }(item)
//! }
//! wg.Wait()
//! ```
//!
//! It bounds who works, not who exists: all goroutines are there from the start. Here a limit is an
//! option of the scope or of the fan-out, and `spawn` waits. A semaphore is for what a number of
//! tasks does not say: something of which tasks need different amounts.

use wg::Semaphore;

// ANCHOR: pattern
/// At most `most` at once: as an option.
fn with_a_limit(items: &[u64], most: usize, process: impl Fn(u64) -> u64 + Sync) -> Vec<u64> {
    wg::fan_out(items).limit(most).map(|item| process(*item))
}

/// At most `weight` at once, of items that weigh differently. The loop waits for permits, so there
/// are never more tasks than those that work; each gives its permits back however it ends.
fn with_a_semaphore(items: &[u64], weight: u64, process: impl Fn(u64) -> u64 + Sync) -> u64 {
    let permits = Semaphore::new(weight);
    wg::scope(|s| {
        let results = s.results();
        for &item in items {
            let Ok(held) = s.permits(&permits, item) else { break }; // the scope was cancelled
            let process = &process;
            results.spawn(move || {
                let _held = held;
                process(item)
            });
        }
        results.as_completed().map(|(_, result)| result).sum()
    })
}
// ANCHOR_END: pattern

pub(crate) fn run() -> String {
    let items = [5, 1, 3, 8, 2, 900, 4];
    let doubled = with_a_limit(&items, 2, |item| 2 * item);
    let sum = with_a_semaphore(&items, 10, |item| 2 * item);
    format!("two at a time {doubled:?}, ten kilos at a time {sum}")
}
