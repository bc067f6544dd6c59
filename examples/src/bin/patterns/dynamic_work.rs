//! Pattern 3: dynamic work, and closing after the wait.
//!
//! The Go original:
//!
//! ```go
//! results := make(chan Result, len(items))
//! for _, item := range items {
//!     wg.Add(1)
//!     go func(it Item) {
//!         defer wg.Done()
//!         results <- processItem(it)
//!     }(item)
//! }
//! go func() {
//!     wg.Wait()
//!     close(results) // so that the range below ends
//! }()
//! for result := range results {
//!     handleResult(result)
//! }
//! ```
//!
//! A goroutine that does nothing but wait and close; a buffer as large as the work, so that nobody
//! blocks if the reader leaves. Here the results end when the last task has ended, a task may start
//! further ones, and the reader may leave.

// ANCHOR: pattern
/// Counts the leaves below `item`: a node of height `n` has the heights below `n` for children.
/// Tasks start tasks, so that nobody knows beforehand how many there will be.
fn count_leaves(height: u32) -> usize {
    wg::scope(|s| {
        let results = s.results();
        results.spawn(node(height, results.spawner()));
        results.as_completed().filter(|(_, is_leaf)| *is_leaf).count()
    })
}

/// What a task returns is a result; what it starts is counted before it ends, so there is no gap.
fn node<'s>(height: u32, more: wg::Spawner<'s, '_, bool>) -> impl FnOnce() -> bool + Send {
    move || {
        for child in 0..height {
            more.spawn(node(child, more.clone()));
        }
        height == 0
    }
}

/// Where the work is known, and only what comes first matters, the loop is simply left.
fn first_above(limit: u64) -> Option<u64> {
    wg::scope(|s| {
        let squares = s.fan_out(0_u64..).limit(4).in_order(|n| n * n);
        squares.into_iter().find(|square| *square > limit)
    })
}
// ANCHOR_END: pattern

pub(crate) fn run() -> String {
    format!("{} leaves; the first square above 200 is {:?}", count_leaves(6), first_above(200))
}
