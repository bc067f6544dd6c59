use std::rc::Rc;

fn main() {
    let shared = wg::scope(|s| s.spawn(|| Rc::new(1)).join());
    println!("{shared}");
}
