fn main() {
    wg::scope(|s| {
        let pool = s.workers(2, |job: u32| println!("{job}"));
        pool.send(1).unwrap();
        drop(pool);
        pool.send(2).unwrap();
    });
}
