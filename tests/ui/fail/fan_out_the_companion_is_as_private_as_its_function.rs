#![allow(unused)]

mod inner {
    #[wg::fan_out]
    fn hidden(page: u32) {}
}

fn main() {
    inner::hidden_all([1]).run();
}
