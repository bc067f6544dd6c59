//! Attributes of functions and parameters: which mean something here, and which the companion gets.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Result, Token, parse_quote};

use crate::text::Problems;

/// What a parameter was marked as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Item,
    Clone,
    Copy,
    /// Something else, which was told.
    Unknown,
}

/// Whether it is this attribute, by whatever path.
pub(crate) fn is_fan_out(attribute: &Attribute) -> bool {
    ends_in(attribute, &["fan_out"])
}

/// Whether it makes an entry point of a function.
pub(crate) fn is_entry_point(attribute: &Attribute) -> bool {
    ends_in(attribute, &["test", "main", "bench"])
}

fn ends_in(attribute: &Attribute, names: &[&str]) -> bool {
    attribute.path().segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// The mark among the attributes of a parameter, if there is one.
pub(crate) fn mark(attributes: &[Attribute], problems: &mut Problems) -> Option<Mark> {
    let mut found = None;
    for attribute in attributes {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            let message = "a parameter of a #[fan_out] function is there or is not, for the \
                           companion as well: put the `cfg` on the whole function";
            problems.at(attribute, message);
        }
        if !is_fan_out(attribute) {
            continue;
        }
        let mark = attribute.parse_args::<Ident>().ok().and_then(|mark| match () {
            () if mark == "item" => Some(Mark::Item),
            () if mark == "clone" => Some(Mark::Clone),
            () if mark == "copy" => Some(Mark::Copy),
            () => None,
        });
        match mark {
            None => {
                let message =
                    "a parameter is marked #[fan_out(item)], #[fan_out(clone)] or #[fan_out(copy)]";
                problems.at(attribute, message);
                found = Some(Mark::Unknown);
            }
            Some(_) if found.is_some() => problems.at(attribute, "one mark is enough"),
            mark => found = mark,
        }
    }
    found
}

/// What the companion gets of an attribute of its function.
pub(crate) fn forwarded(attribute: &Attribute) -> Option<Attribute> {
    let path = attribute.path();
    if ["cfg", "doc", "deprecated", "allow"].iter().any(|name| path.is_ident(name)) {
        return Some(attribute.clone());
    }
    if path.is_ident("expect") {
        // What is expected in the function need not be in the companion.
        let lints = &attribute.meta.require_list().ok()?.tokens;
        return Some(parse_quote!(#[allow(#lints)]));
    }
    if path.is_ident("cfg_attr") {
        let Conditional { predicate, attributes } = attribute.parse_args().ok()?;
        let inner = attributes.into_iter().filter_map(|meta| forwarded(&parse_quote!(#[#meta])));
        let inner: Vec<_> = inner.map(|attribute| attribute.meta).collect();
        if !inner.is_empty() {
            return Some(parse_quote!(#[cfg_attr(#predicate, #(#inner),*)]));
        }
    }
    None
}

/// What stands in a `cfg_attr`.
struct Conditional {
    predicate: Meta,
    attributes: Punctuated<Meta, Token![,]>,
}

impl Parse for Conditional {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let predicate = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok(Conditional { predicate, attributes: Punctuated::parse_terminated(input)? })
    }
}
