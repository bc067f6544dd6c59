fn main() {
    let mut squares = Vec::new();
    wg::scope(|s| {
        for n in 0..10 {
            let squares = &mut squares;
            s.spawn(move || squares.push(n * n));
        }
    });
}
