fn main() {
    wg::scope(|s| {
        std::thread::spawn(|| drop(s.spawn(|| 1)));
    });
}
