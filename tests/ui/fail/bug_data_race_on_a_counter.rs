fn main() {
    let mut counter = 0;
    wg::scope(|s| {
        for _ in 0..100 {
            s.spawn(|| counter += 1);
        }
    });
    println!("{counter}");
}
