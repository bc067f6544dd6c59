//! Pattern 4: the worker pool.
//!
//! The Go original:
//!
//! ```go
//! func workerPool(jobs <-chan Job, workers int) {
//!     var wg sync.WaitGroup
//!     for i := 0; i < workers; i++ {
//!         wg.Add(1)
//!         go func() {
//!             defer wg.Done()
//!             for job := range jobs { // ends when jobs is closed
//!                 process(job)
//!             }
//!         }()
//!     }
//!     wg.Wait()
//! }
//! ```
//!
//! It ends if whoever sends closes `jobs`, and hangs if not; and its results are another channel,
//! with another close. Here the pool has an inlet for each who sends, and is closed when all of
//! them are gone; what the workers return comes out of it, and ends.

// ANCHOR: pattern
/// Counts the words of lines that three readers send as they come.
fn count_words(texts: &[&str]) -> (usize, usize) {
    wg::scope(|s| {
        let mut pool = s.workers(3, |line: &str| line.split_whitespace().count());
        for text in texts {
            let inlet = pool.inlet();
            s.task("reader").spawn(move || {
                // `send` waits for room; it fails only if the scope is cancelled.
                text.lines().try_for_each(|line| inlet.send(line))
            });
        }
        pool.results().fold((0, 0), |(lines, words), here| (lines + 1, words + here))
    })
}
// ANCHOR_END: pattern

pub(crate) fn run() -> String {
    let texts = ["one\ntwo words\n", "and three words\n\n", "four more words here\nthe end\n"];
    let (lines, words) = count_words(&texts);
    format!("{lines} lines have {words} words")
}
