//! The attribute `#[fan_out]` of `wg-scope`, which re-exports it as `wg::fan_out` with its feature
//! `macros`. It writes a companion for a function: the same for many items.
//!
//! Use it from there: what it writes are calls of `wg`.
//!
//! From the surface down: `fallback` (what is written where something is wrong) → `expand` (the
//! companion) → `check` (what is wrong, and what each parameter is for) → `model` (the function, as
//! far as it matters), `lifetimes` (names for those that were left out), `attributes` (those that
//! mean something here) and `args` (those of the attribute itself). The body of a function is never
//! parsed.

#![forbid(unsafe_code)]

mod args;
mod attributes;
mod text;
mod model;
mod lifetimes;
mod check;
mod expand;
mod fallback;

#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Leaves a function as it is, and adds a companion that calls it once for each of many items: at
/// most so many at once, each of them counted, all of them ended before the results come back.
///
/// ```
/// /// How many letters a word has, without those that are not asked for.
/// #[wg::fan_out(limit = 32)]
/// fn letters(word: &str, without: &[char]) -> usize {
///     word.chars().filter(|letter| !without.contains(letter)).count()
/// }
///
/// let vowels = ['a', 'e', 'i', 'o', 'u'];
/// assert_eq!(letters("scope", &vowels), 3);
/// assert_eq!(letters_all(["scope", "token", "wait"], &vowels).run(), [3, 3, 2]);
/// assert_eq!(letters_all(["scope"], &vowels).limit(2).name("letters").run(), [3]);
/// ```
///
/// The companion's name is that of the function and `_all`. It takes what the function takes, but
/// for the item, in whose place stands anything that can be iterated over, and returns a builder, on
/// which nothing runs before a verb is called:
///
/// | function | the companion returns | where the items run |
/// |---|---|---|
/// | `fn` | `wg::Calls` | on threads |
/// | `async fn` | `wg::local::Calls` | in the task that awaits it; they may borrow |
/// | `async fn` that borrows nothing, and `.tokio()` on the builder | `wg::tokio::Calls` | on tokio, in parallel |
///
/// The verbs are `run`, which returns the results in the order of the items; for functions that
/// return a `Result`, however it is called, `try_run`, `collect_all`, `first_ok` and `quorum`; and,
/// with results while work goes on, `as_completed` and `in_order`. The builder's options are those of `wg::fan_out`.
///
/// ```
/// #[wg::fan_out]
/// async fn fetch(page: &str) -> std::io::Result<usize> {
///     Ok(page.len())
/// }
///
/// # futures::executor::block_on(async {
/// let pages = [String::from("index"), String::from("about us")];
/// let lengths = fetch_all(pages.iter().map(|page| &**page)).limit(8).try_run().await?;
/// assert_eq!(lengths, [5, 8]);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Parameters
///
/// The first parameter that is not `self` is the item, or the one that is marked
/// `#[fan_out(item)]`. The items share the others, so each of them is
///
/// - a reference `&T`, or `&self`;
/// - marked `#[fan_out(clone)]`: each call gets a clone. `self: Arc<Self>` needs no mark;
/// - marked `#[fan_out(copy)]`: each call gets a copy.
///
/// ```
/// use std::sync::Arc;
///
/// struct Shelf(Vec<u32>);
///
/// impl Shelf {
///     #[wg::fan_out]
///     fn take(&self, #[fan_out(copy)] plus: u32, #[fan_out(item)] place: usize) -> Option<u32> {
///         self.0.get(place).map(|number| number + plus)
///     }
///
///     #[wg::fan_out(name = counts)]
///     async fn count(self: Arc<Self>, number: u32, #[fan_out(clone)] label: String) -> String {
///         let count = self.0.iter().filter(|&&other| other == number).count();
///         format!("{label}: {count}")
///     }
/// }
///
/// let shelf = Shelf(vec![7, 7, 9]);
/// assert_eq!(shelf.take_all(1, [2, 3]).run(), [Some(10), None]);
/// let counted = Arc::new(shelf).counts([7, 8], String::from("seen")).run();
/// assert_eq!(futures::executor::block_on(counted), ["seen: 2", "seen: 0"]);
/// ```
///
/// # Options
///
/// - `limit = 32`: how many items are handled at once, where the builder is not told otherwise. Any
///   expression will do. Without it, the default of `wg::fan_out` holds.
/// - `name = check_urls`: the companion's name.
/// - `crate = path::to::wg`: where `wg` is, if it is not `::wg`.
///
/// # What the companion takes over
///
/// Visibility, generics, bounds, and of the attributes `cfg`, `cfg_attr`, `doc`, `deprecated`,
/// `allow` and `expect` (as `allow`), not `inline`, `test`, `track_caller` and others, which are
/// about the function itself. What must be sent to another thread, or be shared among several, is
/// in its bounds. Lifetimes that were left out get names, `'fan` first.
///
/// # Editions
///
/// The function may be of any edition since 2018:
///
/// ```edition2021
/// #[wg::fan_out]
/// fn halves(number: &u32) -> impl Iterator<Item = u32> + '_ + Send {
///     std::iter::successors(Some(*number), |number| Some(number / 2)).take_while(|number| *number > 0)
/// }
///
/// let counts = halves_all(&[8, 3]).run().into_iter().map(Iterator::count);
/// assert_eq!(counts.collect::<Vec<_>>(), [4, 2]);
/// ```
///
/// ```edition2018
/// #[wg::fan_out(limit = 2)]
/// fn gen(number: u32, of: &[u32]) -> bool {
///     of.contains(&number)
/// }
///
/// assert_eq!(gen_all(vec![1, 2], &[2]).run(), [false, true]);
/// ```
///
/// # Where it cannot go
///
/// - In the `impl` of a trait, which may have no further members. On a method in the trait itself it
///   may, or in an `impl` of its own.
/// - On an associated function that has neither `self` nor `Self` in its signature: it looks like a
///   free function.
/// - On functions that are `const`, `unsafe`, `extern` or variadic: wrap them.
/// - Types with a lifetime that is not written at all (`Context`, for `Context<'_>`) want it
///   written.
/// - An item that is an `impl Trait` gives the companion one type parameter more than the function
///   has, the last one.
#[proc_macro_attribute]
pub fn fan_out(args: TokenStream, item: TokenStream) -> TokenStream {
    fallback::expand(args.into(), item.into()).into()
}
