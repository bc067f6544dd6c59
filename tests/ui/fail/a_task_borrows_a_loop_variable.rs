fn main() {
    let words = vec![String::from("a"), String::from("b")];
    wg::scope(|s| {
        for word in words {
            s.spawn(|| println!("{word}"));
        }
    });
}
