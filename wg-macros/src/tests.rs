//! What is written, token by token; and that nothing that is written before makes it panic.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use crate::fallback::expand_with;

fn expand(args: TokenStream, item: TokenStream) -> String {
    expand_with(args, item, true).to_string()
}

/// Compares what is added behind the function.
#[track_caller]
fn adds(args: TokenStream, function: TokenStream, companion: TokenStream) {
    let expected = quote!(#function #companion).to_string();
    assert_eq!(expand(args, function), expected);
}

#[test]
fn a_function_has_a_companion_on_threads() {
    let docs = " Fan-out of [`double`](double): calls it once for each item of `number`, many at \
                once, as soon as a verb of the [`Calls`](::wg::Calls) that this returns says how the \
                results are wanted.";
    adds(
        quote!(),
        quote!(
            pub fn double(number: u32) -> u64 {
                number.into()
            }
        ),
        quote! {
            #[doc = #docs]
            #[allow(deprecated, single_use_lifetimes, trivial_bounds, clippy::all, clippy::pedantic, clippy::nursery)]
            #[track_caller]
            pub fn double_all<'fan>(
                number: impl ::core::iter::IntoIterator<
                    Item = u32,
                    IntoIter: ::core::marker::Send + 'fan,
                >
            ) -> ::wg::Calls<'fan, u32, u64>
            where
                u32: 'fan,
                u32: ::core::marker::Send,
                u64: 'fan,
                u64: ::core::marker::Send,
            {
                ::wg::Calls::new(number, move |item| double(item)).name("double")
            }
        },
    );
}

#[test]
fn an_async_method_has_one_in_the_current_task() {
    let docs = " Fan-out of [`get`](Self::get): calls it once for each item of `url`, many at once, \
                as soon as a verb of the [`Calls`](our::wg::local::Calls) that this returns says how \
                the results are wanted.";
    let then = " What [`get`](Self::get) does:";
    adds(
        quote!(limit = 4, name = fetch, crate = our::wg),
        quote! {
            /// Gets it.
            #[cfg(unix)]
            #[inline]
            async fn get<'a, T: Into<Url>, const N: usize>(&self, url: T, to: &Peer<'a>) -> Page<'a>
            where
                T: Clone,
            {
                body that is (not parsed)
            }
        },
        quote! {
            #[doc = #docs]
            #[doc = ""]
            #[doc = #then]
            #[doc = ""]
            /// Gets it.
            #[cfg(unix)]
            #[allow(deprecated, single_use_lifetimes, trivial_bounds, clippy::all, clippy::pedantic, clippy::nursery)]
            #[track_caller]
            fn fetch<'fan, 'a, T: Into<Url>, const N: usize>(
                &'fan self,
                url: impl ::core::iter::IntoIterator<
                    Item = T,
                    IntoIter: ::core::marker::Send + 'fan,
                >,
                to: &'fan Peer<'a>
            ) -> our::wg::local::Calls<'fan, T, Page<'a> >
            where
                T: Clone,
                'a: 'fan,
                T: 'fan,
                T: 'fan,
                T: ::core::marker::Send,
                Page<'a>: 'fan,
            {
                our::wg::local::Calls::new(url, move |item| Self::get::<T, N>(self, item, to))
                    .name("get")
                    .limit(4)
            }
        },
    );
}

#[test]
fn an_async_function_needs_the_feature() {
    let item = quote!(
        async fn get(url: u32) {}
    );
    let told = expand_with(quote!(), item.clone(), false).to_string();
    assert!(told.starts_with(&item.to_string()), "{told}");
    assert!(told.contains("needs the `local` feature"), "{told}");
    assert!(!expand_with(quote!(), item, true).to_string().contains("compile_error"));
}

#[test]
fn the_marks_are_taken_away_unless_another_attribute_needs_them() {
    let marked = quote! { fn get(url: u32, #[fan_out(copy)] #[allow(unused)] n: u32) {} };
    let unmarked = quote! { fn get(url: u32, #[allow(unused)] n: u32) {} };
    assert!(expand(quote!(), marked.clone()).starts_with(&unmarked.to_string()));
    let twice = quote!(#[wg::fan_out] #marked);
    assert!(expand(quote!(), twice.clone()).starts_with(&twice.to_string()));
}

#[test]
fn attributes_about_the_function_itself_are_not_copied() {
    let all = expand(
        quote!(),
        quote! {
            #[inline] #[must_use] #[track_caller] #[tracing::instrument] #[deprecated]
            #[expect(unused)] #[cfg_attr(unix, inline, doc = "x")] #[cfg_attr(unix, cold)]
            fn get(url: u32) {}
        },
    );
    let companion = all.split_once("fn get").unwrap().1;
    for gone in ["inline", "must_use", "instrument", "cold", "expect"] {
        assert!(!companion.contains(gone), "{gone}: {companion}");
    }
    for kept in
        [quote!(#[deprecated]), quote!(#[allow(unused)]), quote!(#[cfg_attr(unix, doc = "x")])]
    {
        assert!(companion.contains(&kept.to_string()), "{kept}: {companion}");
    }
}

/// Everything that the attribute may be put on, and things that it may not.
fn samples() -> Vec<TokenStream> {
    vec![
        quote!(
            pub(crate) fn get<'a, T: ?Sized, const N: usize>(
                &'a self,
                url: &mut [T; N],
                n: &'_ T,
            ) -> &T
            where
                T: Sync,
            {
            }
        ),
        quote!(
            async fn get(
                self: Pin<&Arc<Self>>,
                #[fan_out(clone)] (a, b): (impl Fn(&u8) -> &u8, u8),
                #[fan_out(item)] _: dyn X,
            ) -> impl Y + '_;
        ),
        quote!(
            #[cfg_attr(a, b, c(d = "e"))]
            #[test]
            const unsafe extern "C" fn get(mut self, #[fan_out(copy)] &x: &(dyn A + 'a), ...) -> ! {
                loop {}
            }
        ),
        quote!(default fn r#fn(self: &mut Self, x: for<'b> fn(&'b u8) -> &'b u8, y: <T as U<'_>>::V) -> Option<&u8> {}),
        quote!(
            fn get<'a>(
                url: impl Into<Url> + 'a,
                to: &(impl Sink + ?Sized),
                #[fan_out(copy)] n: u8,
            ) {
            }
        ),
        quote!(
            async fn get<T>(&self, (a, b): (&T, &[&str]), to: &Mutex<Vec<&T>>) -> Page<'_> {}
        ),
        quote!(
            pub struct S<T>(#[a] T)
            where
                T: Copy;
        ),
        quote!(
            impl<T> S<T> {
                fn get(&self) {}
            }
        ),
        quote!(limit = 3, name = all, crate = ::a::b, limt, limit = { f::<A, B>() }, = 7, fn),
    ]
}

/// Numbers that are always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// Leaves out, repeats, exchanges and mixes in tokens, at every depth.
fn mangled(tokens: TokenStream, rate: usize, others: &[TokenTree], dice: &mut Dice) -> TokenStream {
    let mut mangled = Vec::new();
    for token in tokens {
        let token = match token {
            TokenTree::Group(group) => {
                let inner = mangled_group(&group, rate, others, dice);
                TokenTree::Group(inner)
            }
            token => token,
        };
        match dice.below(rate) {
            0 => {}
            1 => mangled.extend([token.clone(), token]),
            2 => mangled.extend([others[dice.below(others.len())].clone(), token]),
            3 => mangled.push(others[dice.below(others.len())].clone()),
            4 if !mangled.is_empty() => mangled.insert(dice.below(mangled.len()), token),
            _ => mangled.push(token),
        }
    }
    mangled.into_iter().collect()
}

fn mangled_group(
    group: &proc_macro2::Group,
    rate: usize,
    others: &[TokenTree],
    dice: &mut Dice,
) -> proc_macro2::Group {
    proc_macro2::Group::new(group.delimiter(), mangled(group.stream(), rate, others, dice))
}

#[test]
fn whatever_it_is_put_on_it_does_not_panic_and_the_rest_is_there() {
    let samples = samples();
    let others: Vec<TokenTree> = samples.iter().cloned().flatten().collect();
    let mut dice = Dice(7);
    let (mut with_companion, mut refused) = (0, 0);
    for _ in 0..6_000 {
        // A few mistakes, or many.
        let rate = 12 << dice.below(8);
        let item = mangled(samples[dice.below(samples.len())].clone(), rate, &others, &mut dice);
        let args = match dice.below(4) {
            0 => mangled(samples[samples.len() - 1].clone(), rate, &others, &mut dice),
            _ => quote!(limit = 2),
        };
        let can_be_read = quote!(#args #item).to_string().parse::<TokenStream>().is_ok();
        let written = expand(args, item);
        if can_be_read {
            // Whatever the compiler then thinks of it.
            written.parse::<TokenStream>().unwrap();
        }
        with_companion += usize::from(written.contains("IntoIterator"));
        refused += usize::from(written.contains("compile_error"));
    }
    assert!(with_companion > 500 && refused > 1_000, "{with_companion} and {refused}");
}
