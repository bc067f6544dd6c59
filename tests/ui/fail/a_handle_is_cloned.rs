fn main() {
    wg::scope(|s| {
        let task = s.spawn(|| 1);
        println!("{}", task.clone().join() + task.join());
    });
}
