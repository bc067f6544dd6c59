#![allow(unused)]

struct Site;

impl Site {
    #[wg::fan_out]
    fn parse(text: &str) -> u32 {
        text.len() as u32
    }
}

fn main() {
    Site::parse("a");
}
