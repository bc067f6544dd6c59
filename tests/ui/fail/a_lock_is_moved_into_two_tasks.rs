use std::sync::Mutex;

fn main() {
    let count = Mutex::new(0);
    wg::scope(|s| {
        s.spawn(move || *count.lock().unwrap() += 1);
        s.spawn(move || *count.lock().unwrap() += 1);
    });
}
