//! On methods, and on associated functions.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use futures::executor::block_on;

#[derive(Clone, Copy)]
struct Copied(u32);

#[derive(Clone)]
struct Shelf {
    numbers: Vec<u32>,
}

#[expect(clippy::boxed_local, clippy::trivially_copy_pass_by_ref, reason = "every kind of self")]
impl Shelf {
    const PLUS: u32 = 1;

    #[wg::fan_out]
    fn at(&self, place: usize) -> Option<&u32> {
        self.numbers.get(place)
    }

    #[wg::fan_out]
    fn named<'a>(&'a self, place: usize, other: &'a u32) -> &'a u32 {
        self.numbers.get(place).unwrap_or(other)
    }

    #[wg::fan_out]
    #[expect(clippy::needless_arbitrary_self_type, reason = "it may be written so")]
    fn typed(self: &Self, place: usize) -> u32 {
        self.numbers[place]
    }

    #[wg::fan_out]
    fn shared(self: Arc<Self>, place: usize) -> u32 {
        self.numbers[place]
    }

    #[wg::fan_out]
    fn lent(self: &Arc<Self>, place: usize) -> &u32 {
        &self.numbers[place]
    }

    #[wg::fan_out]
    fn pinned(self: Pin<&Self>, place: usize) -> u32 {
        self.numbers[place]
    }

    #[wg::fan_out]
    fn cloned(#[fan_out(clone)] self, place: usize) -> u32 {
        self.numbers[place]
    }

    #[wg::fan_out]
    fn boxed(#[fan_out(clone)] mut self: Box<Self>, place: usize) -> u32 {
        self.numbers.push(9);
        self.numbers[place]
    }

    #[wg::fan_out]
    async fn later(&self, place: usize) -> Option<&u32> {
        self.numbers.get(place)
    }

    #[wg::fan_out]
    async fn later_shared(self: Arc<Self>, place: usize) -> u32 {
        self.numbers[place]
    }

    #[wg::fan_out]
    fn single(number: u32) -> Self {
        Shelf { numbers: vec![number + Self::PLUS] }
    }

    #[wg::fan_out]
    fn constant(_: [u8; 2], _: &[u8; Self::PLUS as usize]) -> u32 {
        Self::PLUS
    }
}

impl Copied {
    #[wg::fan_out(name = adds)]
    fn add(#[fan_out(copy)] self, number: u32) -> u32 {
        self.0 + number
    }
}

struct Kept<'k, T> {
    all: &'k [T],
}

impl<'k, T: Sync + PartialEq> Kept<'k, T> {
    #[wg::fan_out]
    fn has(&self, item: &T) -> bool {
        self.all.contains(item)
    }

    #[wg::fan_out]
    fn nth(&self, place: usize) -> &'k T {
        &self.all[place]
    }

    #[wg::fan_out]
    async fn has_later(&self, item: &T) -> bool {
        std::future::ready(()).await;
        self.all.contains(item)
    }

    #[wg::fan_out]
    #[expect(clippy::needless_arbitrary_self_type, reason = "it may be written so")]
    async fn nth_later(self: &Self, place: Option<&usize>) -> &'k T {
        std::future::ready(()).await;
        &self.all[*place.unwrap_or(&0)]
    }
}

/// Not every `Kept` may be shared: then it has no companions, and everything else.
#[test]
fn a_type_that_cannot_be_shared_has_the_method_still() {
    struct Local<T>(T);
    impl<T: Copy> Local<T> {
        #[wg::fan_out]
        fn get(&self, _: u32) -> T {
            self.0
        }
    }
    let shared = Rc::new(1);
    assert_eq!(**Local(&shared).get(0), 1);
    assert_eq!(Local(2).get_all([0]).run(), [2]);
}

trait Shout: Sync {
    #[wg::fan_out]
    fn shout(&self, word: &str) -> String {
        self.end(word.to_uppercase())
    }

    #[wg::fan_out]
    fn end(&self, word: String) -> String;
}

impl Shout for char {
    fn end(&self, mut word: String) -> String {
        word.push(*self);
        word
    }
}

fn shelf() -> Shelf {
    Shelf { numbers: vec![7, 8] }
}

#[test]
fn self_is_lent_to_all_items() {
    let shelf = shelf();
    assert_eq!(shelf.at_all([1, 2]).run(), [Some(&8), None]);
    assert_eq!(shelf.named_all([1, 2], &3).run(), [&8, &3]);
    assert_eq!(shelf.typed_all([1, 0]).run(), [8, 7]);
    assert_eq!(Pin::new(&shelf).pinned_all([1, 0]).run(), [8, 7]);
    assert_eq!(block_on(shelf.later_all([1, 2]).run()), [Some(&8), None]);
}

#[test]
fn results_may_outlive_the_calls_that_lent_self() {
    let shelf = shelf();
    let found = { shelf.at_all([1]).run() };
    assert_eq!(found, [Some(&8)]);
}

#[test]
fn an_arc_of_self_is_cloned_for_each_item() {
    let shelf = Arc::new(shelf());
    assert_eq!(shelf.lent_all([0]).run(), [&7]);
    assert_eq!(Arc::clone(&shelf).shared_all([0, 1]).run(), [7, 8]);
    assert_eq!(block_on(Arc::clone(&shelf).later_shared_all([0, 1]).run()), [7, 8]);
    assert_eq!(Arc::strong_count(&shelf), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(shelf.later_shared_all([1]).tokio().run()), [8]);
}

#[test]
fn self_may_be_cloned_or_copied_if_it_is_marked() {
    assert_eq!(shelf().cloned_all([0, 1]).run(), [7, 8]);
    assert_eq!(Box::new(shelf()).boxed_all([2]).run(), [9]);
    assert_eq!(Copied(1).adds([1, 2]).run(), [2, 3]);
}

#[test]
fn an_associated_function_is_one_that_names_self() {
    let shelves = Shelf::single_all([1, 2]).run();
    assert_eq!(shelves.iter().map(|shelf| shelf.numbers[0]).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(Shelf::constant_all([[0; 2]], &[0]).run(), [1]);
}

#[test]
fn the_generics_of_the_impl_are_there() {
    let numbers = [1, 2, 3];
    let kept = Kept { all: &numbers };
    assert_eq!(kept.has_all(&[3, 4]).run(), [true, false]);
    let nth = kept.nth_all([2]).run();
    assert_eq!(nth, [&3]);
    assert_eq!(block_on(kept.has_later_all(&[3, 4]).run()), [true, false]);
    assert_eq!(block_on(kept.nth_later_all([Some(&1), None]).run()), [&2, &1]);
}

#[test]
fn a_trait_may_have_it_on_its_own_methods() {
    assert_eq!('!'.shout_all(["a", "b"]).run(), ["A!", "B!"]);
    assert_eq!('?'.end_all([String::from("so")]).run(), ["so?"]);
}
