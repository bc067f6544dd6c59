#![allow(unused)]

use std::pin::Pin;
use std::rc::Rc;

struct Site(u32);

impl Site {
    #[wg::fan_out]
    fn changes(&mut self, page: u32) {
        self.0 = page;
    }

    #[wg::fan_out]
    fn takes(self, page: u32) -> u32 {
        self.0 + page
    }

    #[wg::fan_out]
    fn takes_typed(self: Self, page: u32) -> u32 {
        self.0 + page
    }

    #[wg::fan_out]
    fn boxed(self: Box<Self>, page: u32) -> u32 {
        self.0 + page
    }

    #[wg::fan_out]
    fn counted(self: Rc<Self>, page: u32) -> u32 {
        self.0 + page
    }

    #[wg::fan_out]
    fn typed(self: &mut Self, page: u32) {
        self.0 = page;
    }

    #[wg::fan_out]
    fn pinned(self: Pin<&mut Self>, page: u32) -> u32 {
        self.0 + page
    }

    #[wg::fan_out]
    fn marked(#[fan_out(item)] &self, page: u32) -> u32 {
        self.0 + page
    }
}

fn main() {
    Site(1).changes(2);
}
