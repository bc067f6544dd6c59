//! Names for lifetimes that were left out.
//!
//! What is lent to all items is lent for one lifetime, `'fan`. Lifetimes inside of types get names
//! of their own, because those of a `&Mutex<Vec<&str>>` must not be made one.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{VisitMut, visit_lifetime_mut, visit_type_mut, visit_type_reference_mut};
use syn::{Lifetime, ParenthesizedGenericArguments, Signature, Type, TypeFnPtr};

/// Gives names, and remembers which there are in the parameters.
pub(crate) struct Lifetimes {
    taken: BTreeSet<String>,
    /// That of the calls.
    pub(crate) fan: Lifetime,
    /// Those that were left out inside of types.
    pub(crate) fresh: Vec<Lifetime>,
    /// All that the parameters have.
    used: BTreeSet<Lifetime>,
}

impl Lifetimes {
    /// For the companion of this function.
    pub(crate) fn new(signature: &Signature) -> Self {
        let mut taken = BTreeSet::new();
        collect(signature.to_token_stream(), &mut taken);
        let mut lifetimes = Lifetimes {
            taken,
            fan: Lifetime::new("'fan", Span::call_site()),
            fresh: Vec::new(),
            used: BTreeSet::new(),
        };
        lifetimes.fan = lifetimes.free("fan");
        lifetimes
    }

    /// A lifetime that nobody else has.
    fn free(&mut self, name: &str) -> Lifetime {
        let mut name = name.to_owned();
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        Lifetime::new(&format!("'{name}"), Span::call_site())
    }

    /// The type of a parameter, with all its lifetimes: `'fan` where it is a reference.
    pub(crate) fn complete(&mut self, ty: &Type) -> Type {
        let mut ty = ty.clone();
        let mut outer = &mut ty;
        loop {
            match outer {
                Type::Group(group) => outer = &mut group.elem,
                Type::Paren(paren) => outer = &mut paren.elem,
                Type::Reference(reference) => {
                    let lifetime = reference.lifetime.get_or_insert_with(|| self.fan.clone());
                    if lifetime.ident == "_" {
                        *lifetime = self.fan.clone();
                    }
                    break;
                }
                _ => break,
            }
        }
        InParameters(self).visit_type_mut(&mut ty);
        ty
    }

    /// That of `&self`, or of `&'a self`.
    pub(crate) fn of_self(&mut self, written: Option<&Lifetime>) -> Lifetime {
        written.filter(|written| written.ident != "_").unwrap_or(&self.fan).clone()
    }

    /// The type of the result, with the lifetimes that the compiler would put there; none if there
    /// are none that it could, of which it tells by itself.
    pub(crate) fn complete_output(&self, ty: &Type, of_self: Option<&Lifetime>) -> Option<Type> {
        let only = self.used.first().filter(|_| self.used.len() == 1);
        let mut ty = ty.clone();
        let mut output = InOutput { lifetime: of_self.or(only), is_known: true };
        output.visit_type_mut(&mut ty);
        output.is_known.then_some(ty)
    }

    /// The one lifetime in the type of a `self` that is a reference.
    pub(crate) fn first_in(ty: &Type) -> Option<Lifetime> {
        let mut first = First(None);
        first.visit_type_mut(&mut ty.clone());
        first.0
    }
}

fn collect(tokens: TokenStream, names: &mut BTreeSet<String>) {
    let mut after_quote = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), names),
            TokenTree::Ident(name) if after_quote => _ = names.insert(name.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                after_quote = true;
                continue;
            }
            _ => {}
        }
        after_quote = false;
    }
}

/// Names what was left out in parameters.
struct InParameters<'a>(&'a mut Lifetimes);

impl InParameters<'_> {
    fn fresh(&mut self) -> Lifetime {
        let number = self.0.fresh.len() + 1;
        let fresh = self.0.free(&format!("fan{number}"));
        self.0.fresh.push(fresh.clone());
        fresh
    }
}

impl VisitMut for InParameters<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.fresh());
        }
        visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.fresh();
        }
        self.0.used.insert(lifetime.clone());
        visit_lifetime_mut(self, lifetime);
    }

    // What is left out there is left to each call of it.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}

/// Puts one lifetime wherever one was left out.
struct InOutput<'a> {
    lifetime: Option<&'a Lifetime>,
    is_known: bool,
}

impl InOutput<'_> {
    fn put(&mut self, place: &mut Lifetime) {
        match self.lifetime {
            Some(lifetime) => *place = lifetime.clone(),
            None => self.is_known = false,
        }
    }
}

impl VisitMut for InOutput<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        reference.lifetime.get_or_insert_with(|| Lifetime::new("'_", Span::call_site()));
        visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            self.put(lifetime);
        }
    }

    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}

/// Finds the first lifetime of a reference.
struct First(Option<Lifetime>);

impl VisitMut for First {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Reference(reference) = ty {
            let lifetime = reference.lifetime.clone();
            self.0 = self.0.take().or(lifetime);
        }
        visit_type_mut(self, ty);
    }
}
