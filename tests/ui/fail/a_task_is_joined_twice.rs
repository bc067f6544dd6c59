fn main() {
    wg::scope(|s| {
        let task = s.spawn(|| 1);
        println!("{}", task.join());
        println!("{}", task.join());
    });
}
