#![allow(unused)]

trait Fetch {
    fn fetch(&self, page: u32) -> u32;
}

struct Site;

impl Fetch for Site {
    #[wg::fan_out]
    fn fetch(&self, page: u32) -> u32 {
        page
    }
}

fn main() {}
