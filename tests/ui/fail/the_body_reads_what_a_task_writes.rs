fn main() {
    let mut sum = 0;
    wg::scope(|s| {
        let task = s.spawn(|| sum += 1);
        println!("{sum}");
        task.join();
    });
}
