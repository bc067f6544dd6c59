#![allow(unused)]

#[wg::fan_out]
fn nothing() {}

struct Site;

impl Site {
    #[wg::fan_out]
    fn only_self(&self) {}

    #[wg::fan_out]
    async fn only_self_later(self: std::sync::Arc<Self>) {}
}

fn main() {
    nothing();
    Site.only_self();
}
