#![allow(unused)]

use std::rc::Rc;

#[wg::fan_out]
fn show<T: ToString>(page: T, with: &T) -> String {
    page.to_string() + &with.to_string()
}

fn main() {
    show(Rc::new(1), &Rc::new(2));
    show_all(vec![Rc::new(1)], &Rc::new(2)).run();
}
