//! Lifetimes, written and left out.

use std::cell::Cell;
use std::sync::Mutex;

use futures::executor::block_on;

struct Context<'a> {
    words: &'a [&'a str],
}

#[wg::fan_out]
fn trim(text: &str) -> &str {
    text.trim()
}

#[wg::fan_out]
fn find<'a>(word: &str, context: &Context<'a>) -> Option<&'a str> {
    context.words.iter().copied().find(|other| *other == word)
}

#[wg::fan_out]
fn first<'a, 'b: 'a>(word: &'a str, other: &'b str) -> &'a str {
    if word.is_empty() { other } else { word }
}

#[wg::fan_out]
fn put<'t>(text: &'t str, into: &Mutex<Vec<&'t str>>) {
    into.lock().unwrap().push(text);
}

#[wg::fan_out]
fn count(text: &str, seen: &Mutex<Vec<&str>>) -> usize {
    text.len() + seen.lock().unwrap().len()
}

#[wg::fan_out]
fn bump(number: &mut u32, #[fan_out(copy)] by: u32) -> u32 {
    *number += by;
    *number
}

#[wg::fan_out]
fn step(cell: &mut Cell<&str>) -> usize {
    let text = cell.get();
    cell.set(&text[1..]);
    text.len()
}

#[wg::fan_out]
fn pick(pair: (&str, Option<&u32>), _: &'static str) -> usize {
    pair.0.len() + pair.1.map_or(0, |number| *number as usize)
}

#[wg::fan_out]
fn anonymous(context: &Context<'_>, #[fan_out(item)] place: usize) -> usize {
    context.words[place].len()
}

#[wg::fan_out]
async fn later(text: &str) -> &str {
    text.trim()
}

#[wg::fan_out]
#[expect(clippy::needless_lifetimes, reason = "these are the names that would be given")]
fn taken<'fan, 'fan1>(text: &'fan str, others: &'fan1 [&str]) -> &'fan str {
    if others.is_empty() { text } else { "" }
}

#[test]
fn a_result_may_borrow_from_its_item() {
    let texts = [String::from(" a "), String::from("b ")];
    let trimmed = trim_all(texts.iter().map(String::as_str)).run();
    assert_eq!(trimmed, ["a", "b"]);
    assert_eq!(block_on(later_all([" a"]).run()), ["a"]);
}

#[test]
fn a_result_may_outlive_what_was_lent() {
    let words = ["one", "two"];
    let found = {
        let context = Context { words: &words };
        let names = [String::from("two"), String::from("three")];
        find_all(names.iter().map(String::as_str), &context).run()
    };
    assert_eq!(found, [Some("two"), None]);
}

#[test]
fn bounds_of_lifetimes_are_kept() {
    assert_eq!(first_all(["", "a"], "b").run(), ["b", "a"]);
}

#[test]
fn what_is_lent_is_free_afterwards() {
    let text = String::from("abc");
    let into = Mutex::new(Vec::new());
    put_all(text.split(""), &into).run();
    // Would not compile if the two lifetimes in `&Mutex<Vec<&str>>` were one.
    assert_eq!(count_all(["a"], &into).run(), [6]);
    let mut all = into.into_inner().unwrap();
    all.sort_unstable();
    assert_eq!(all, ["", "", "a", "b", "c"]);
}

#[test]
fn items_may_be_changed_in_place() {
    let mut numbers = [1, 2, 3];
    assert_eq!(bump_all(&mut numbers, 10).run(), [11, 12, 13]);
    assert_eq!(numbers, [11, 12, 13]);
    let text = String::from("abc");
    let mut cells = vec![Cell::new(&text[..]), Cell::new(&text[1..])];
    assert_eq!(step_all(&mut cells).run(), [3, 2]);
    assert_eq!(step_all(cells.iter_mut()).run(), [2, 1]);
}

#[test]
fn lifetimes_may_be_left_out_anywhere() {
    let number = 2;
    assert_eq!(pick_all([("a", None), ("b", Some(&number))], "").run(), [1, 3]);
    let words = ["one", "three"];
    assert_eq!(anonymous_all(&Context { words: &words }, [1, 0]).run(), [5, 3]);
}

#[test]
fn the_names_that_are_given_are_new_ones() {
    assert_eq!(taken_all(["a"], &[]).run(), ["a"]);
}
