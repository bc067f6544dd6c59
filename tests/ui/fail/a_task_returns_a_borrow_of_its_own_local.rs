fn main() {
    wg::scope(|s| {
        s.spawn(|| {
            let local = String::from("gone when this task ends");
            local.as_str()
        });
    });
}
