fn main() {
    let mut text = String::from("borrowed");
    wg::scope(|s| {
        let task = s.spawn(|| println!("{text}"));
        text.clear();
        task.join();
    });
}
