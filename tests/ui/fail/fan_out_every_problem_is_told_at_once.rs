#![allow(unused)]

struct Site(u32);

impl Site {
    #[wg::fan_out(limit = 0, nam = x)]
    unsafe fn page(&mut self, page: u32, seen: &mut Vec<u32>, depth: usize) -> u32 {
        seen.push(page);
        self.0
    }
}

fn main() {
    let number: u32 = unsafe { Site(1).page(1, &mut Vec::new(), 2) };
    let text: &str = number;
}
