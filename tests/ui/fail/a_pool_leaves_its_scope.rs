fn main() {
    let pool = wg::scope(|s| s.workers(2, |word: &str| word.len()));
    pool.send("late").unwrap();
}
