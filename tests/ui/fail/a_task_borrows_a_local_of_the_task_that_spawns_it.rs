fn main() {
    wg::scope(|s| {
        s.spawn(|| {
            let local = String::from("gone when this task ends");
            s.spawn(|| println!("{local}"));
        });
    });
}
