use std::rc::Rc;

fn main() {
    let shared = Rc::new(1);
    wg::scope(|s| {
        let shared = Rc::clone(&shared);
        s.spawn(move || println!("{shared}"));
    });
}
