#![allow(unused)]

#[wg::fan_out]
fn trim(text: &str) -> &str {
    text.trim()
}

fn main() {
    let trimmed = {
        let text = String::from(" a ");
        trim_all([text.as_str()]).run()
    };
    println!("{trimmed:?}");
}
