//! What is written where something is wrong: all that was written before, all that is wrong, and the
//! companion if it can be made, so that its callers are not told of a function that is missing.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::check::check;
use crate::expand::companion;
use crate::model::Function;
use crate::text::Problems;

/// What becomes of an item with this attribute.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    expand_with(args, item, cfg!(feature = "local"))
}

/// As [`expand`], where `wg` has futures or has not.
pub(crate) fn expand_with(args: TokenStream, item: TokenStream, has_local: bool) -> TokenStream {
    let mut problems = Problems::default();
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            problems.push(error);
            let problems = problems.into_tokens();
            return quote!(#item #problems);
        }
    };
    let args = Args::read(args, &mut problems);
    let model = check(&function, has_local, &mut problems);
    let companion = model.and_then(|model| companion(&model, &args));
    let problems = problems.into_tokens();
    quote!(#function #companion #problems)
}
