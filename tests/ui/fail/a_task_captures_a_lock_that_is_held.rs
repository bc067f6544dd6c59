use std::sync::Mutex;

fn main() {
    let lock = Mutex::new(0);
    let mut held = lock.lock().unwrap();
    wg::scope(|s| {
        s.spawn(|| *held += 1);
    });
}
