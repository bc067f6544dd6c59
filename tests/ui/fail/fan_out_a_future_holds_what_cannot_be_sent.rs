#![allow(unused)]

use std::rc::Rc;

#[wg::fan_out]
async fn wait(page: u32) -> u32 {
    let shared = Rc::new(page);
    std::future::ready(()).await;
    *shared
}

fn main() {}
