fn main() {
    let mut sum = 0;
    wg::scope(|s| {
        s.spawn(|| sum += 1);
        s.spawn(|| sum += 2);
    });
}
