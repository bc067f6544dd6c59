fn main() {
    wg::scope(|s| {
        let results = s.results();
        results.spawn(|| 1);
        let first = s.spawn(|| results.recv());
        println!("{:?} {:?}", results.recv(), first.join());
    });
}
