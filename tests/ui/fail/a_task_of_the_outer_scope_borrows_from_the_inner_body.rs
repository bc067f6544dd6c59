fn main() {
    wg::scope(|outer| {
        wg::scope(|inner| {
            let local = String::from("gone when the inner body returns");
            outer.spawn(|| println!("{local}"));
            inner.spawn(|| ());
        });
    });
}
