fn main() {
    let task = wg::scope(|s| s.spawn(|| 1));
    task.join();
}
