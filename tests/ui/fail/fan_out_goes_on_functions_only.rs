#![allow(unused)]

#[wg::fan_out]
struct Page {
    url: String,
}

#[wg::fan_out(limit = 2)]
pub mod pages {}

struct Site;

#[wg::fan_out]
impl Site {
    fn page(&self, _: u32) {}
}

#[wg::fan_out]
pub(crate) const PAGES: [u32; 2] = [1, 2];

#[wg::fan_out]
trait Fetch {}

fn main() {
    // The items themselves are there.
    Site.page(PAGES[0]);
    println!("{}", Page { url: String::new() }.url);
}
