fn main() {
    wg::scope(|s| {
        let local = String::from("gone when the body returns");
        s.spawn(|| println!("{local}"));
    });
}
