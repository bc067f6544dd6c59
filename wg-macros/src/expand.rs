//! The companion: a shell around one call of `wg`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit_mut::{
    VisitMut, visit_type_impl_trait_mut, visit_type_mut, visit_type_reference_mut,
};
use syn::{
    GenericParam, Lifetime, Path, ReturnType, Token, Type, TypeImplTrait, TypeReference,
    WherePredicate, parse_quote, parse_quote_spanned,
};

use crate::args::Args;
use crate::attributes::forwarded;
use crate::check::bare;
use crate::lifetimes::Lifetimes;
use crate::model::{Model, Receiver, Role};
use crate::text::code;

/// Writes it; there is none where the compiler does not understand the function either.
pub(crate) fn companion(model: &Model<'_>, args: &Args) -> Option<TokenStream> {
    let signature = &model.function.signature;
    let krate = args.krate.clone().unwrap_or_else(|| parse_quote!(::wg));
    let calls: Path = match signature.asyncness {
        Some(_) => parse_quote!(#krate::local::Calls),
        None => parse_quote!(#krate::Calls),
    };
    let name = args.name.clone().unwrap_or_else(|| {
        format_ident!("{}_all", signature.ident.unraw(), span = signature.ident.span())
    });

    let mut parts = Parts::new(signature);
    let of_self = model.receiver.as_ref().and_then(|receiver| parts.receiver(receiver));
    for parameter in &model.parameters {
        parts.parameter(
            &parameter.name,
            &parameter.ty,
            parameter.role,
            signature.generics.params.iter(),
        );
    }
    let output = parts.output(&signature.output, of_self.as_ref())?;
    let generics = parts.generics(&signature.generics);
    let Parts { lifetimes, parameters, arguments, predicates, items, item, .. } = parts;
    let (fan, item) = (&lifetimes.fan, item?);
    let predicates = outlives(&lifetimes, &signature.generics, predicates);

    let function = function(model);
    let (handed, limit) = (handed(), args.limit.iter());
    let attributes = model.function.attributes.iter().filter_map(forwarded);
    let docs = docs(model, &items, &calls);
    let visibility = &model.function.visibility;
    let text = signature.ident.unraw().to_string();
    // The compiler is to point at the item where it cannot be sent.
    let new = quote_spanned!(item.span().resolved_at(Span::call_site())=> #calls::new);
    // Whatever a lint has to say about the signature, it says of the function's.
    Some(quote! {
        #docs
        #(#attributes)*
        #[allow(deprecated, single_use_lifetimes, trivial_bounds, clippy::all, clippy::pedantic, clippy::nursery)]
        #[track_caller]
        #visibility fn #name<#generics>(#(#parameters),*) -> #calls<#fan, #item, #output>
        where
            #(#predicates,)*
        {
            #new(#items, move |#handed| #function(#(#arguments),*))
                .name(#text)
                #(.limit(#limit))*
        }
    })
}

/// What the closure calls the item.
fn handed() -> Ident {
    Ident::new("item", Span::mixed_site())
}

/// The function, by the path and with the types by which its companion can call it.
fn function(model: &Model<'_>) -> TokenStream {
    let signature = &model.function.signature;
    let name = &signature.ident;
    let is_associated = model.receiver.is_some() || mentions_self(signature.to_token_stream());
    let path = if is_associated { quote!(Self::#name) } else { quote!(#name) };
    // Those that can be told apart from nothing that is handed over.
    let arguments = signature.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
    });
    let arguments: Vec<_> = arguments.collect();
    if arguments.is_empty() { path } else { quote!(#path::<#(#arguments),*>) }
}

fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Group(group) => mentions_self(group.stream()),
        proc_macro2::TokenTree::Ident(ident) => ident == "Self",
        _ => false,
    })
}

/// The first lines of the companion's documentation; those of the function follow.
fn docs(model: &Model<'_>, items: &Ident, calls: &Path) -> TokenStream {
    let name = &model.function.signature.ident;
    let of = if model.receiver.is_some() { "Self::" } else { "" };
    // A raw name is no link.
    let link = match name.unraw() == *name {
        true => format!("[`{name}`]({of}{name})"),
        false => format!("`{name}`"),
    };
    let calls = code(calls);
    let first = format!(
        " Fan-out of {link}: calls it once for each item of `{items}`, many at once, as soon as a \
         verb of the [`Calls`]({calls}) that this returns says how the results are wanted."
    );
    let then = format!(" What {link} does:");
    let has_docs =
        model.function.attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    let then = has_docs.then(|| quote!(#[doc = ""] #[doc = #then] #[doc = ""]));
    quote!(#[doc = #first] #then)
}

/// What of the companion comes from the parameters.
struct Parts {
    is_async: bool,
    /// The function's type parameters.
    types: Vec<Ident>,
    lifetimes: Lifetimes,
    parameters: Vec<TokenStream>,
    /// What the function is called with.
    arguments: Vec<TokenStream>,
    predicates: Vec<WherePredicate>,
    /// The name and the type of the item, and its type parameters.
    items: Ident,
    item: Option<Type>,
    item_parameters: Vec<GenericParam>,
}

/// What can be demanded of a type.
#[derive(Clone, Copy)]
enum Auto {
    Send,
    Sync,
}

impl Parts {
    fn new(signature: &syn::Signature) -> Self {
        Parts {
            is_async: signature.asyncness.is_some(),
            types: signature.generics.type_params().map(|ty| ty.ident.clone()).collect(),
            lifetimes: Lifetimes::new(signature),
            parameters: Vec::new(),
            arguments: Vec::new(),
            predicates: Vec::new(),
            items: handed(),
            item: None,
            item_parameters: Vec::new(),
        }
    }

    /// Adds `self`; returns the lifetime that results have it from, if it is a reference.
    fn receiver(&mut self, receiver: &Receiver) -> Option<Lifetime> {
        let token = Ident::new("self", receiver.span);
        let (own, elided): (Type, _) = match (&receiver.ty, receiver.role) {
            (None, Role::Lent) => {
                let lifetime = self.lifetimes.of_self(receiver.lifetime.as_ref());
                self.parameters.push(quote!(&#lifetime #token));
                (parse_quote_spanned!(receiver.span=> &#lifetime Self), Some(lifetime))
            }
            (None, _) => {
                self.parameters.push(quote!(#token));
                (parse_quote_spanned!(receiver.span=> Self), None)
            }
            (Some(ty), _) => {
                let ty = self.lifetimes.complete(ty);
                self.parameters.push(quote!(#token: #ty));
                let lifetime = Lifetimes::first_in(&ty);
                (ty, lifetime)
            }
        };
        self.share(quote!(#token), &own, receiver.role);
        elided
    }

    fn parameter<'a>(
        &mut self,
        name: &Ident,
        ty: &Type,
        role: Role,
        generics: impl Iterator<Item = &'a GenericParam>,
    ) {
        let mut ty = self.lifetimes.complete(ty);
        if role != Role::Item {
            add_bounds(&mut ty, role, &self.lifetimes.fan);
            self.parameters.push(quote!(#name: #ty));
            self.share(quote!(#name), &ty, role);
            return;
        }
        let mut names = Names { taken: words(ty.to_token_stream()), parameters: Vec::new() };
        generics.for_each(|parameter| names.taken.extend(words(parameter.to_token_stream())));
        names.visit_type_mut(&mut ty);
        self.item_parameters = names.parameters;
        let fan = &self.lifetimes.fan;
        self.parameters.push(quote! {
            #name: impl ::core::iter::IntoIterator<
                Item = #ty,
                IntoIter: ::core::marker::Send + #fan,
            >
        });
        let handed = handed();
        self.arguments.push(quote!(#handed));
        self.predicates.push(parse_quote!(#ty: #fan));
        self.demand(&ty, Auto::Send);
        self.items = name.clone();
        self.item = Some(ty);
    }

    /// Hands over what the items share, and demands that they can.
    fn share(&mut self, name: TokenStream, ty: &Type, role: Role) {
        let fan = &self.lifetimes.fan;
        let span = ty.span().resolved_at(Span::call_site());
        let (argument, owned) = match role {
            Role::Cloned => {
                let argument = quote!(::core::clone::Clone::clone(&#name));
                (argument, Some(quote_spanned!(span=> ::core::clone::Clone)))
            }
            Role::Copied => (name, Some(quote_spanned!(span=> ::core::marker::Copy))),
            Role::Lent | Role::Item => (name, None),
        };
        self.arguments.push(argument);
        if has_impl(ty) {
            // It cannot be named, and has its bounds where it stands.
            return;
        }
        if let Some(owned) = owned {
            self.predicates.push(parse_quote_spanned!(span=> #ty: #owned + #fan));
            self.demand(ty, Auto::Sync);
        }
        self.demand(ty, Auto::Send);
    }

    /// Demands that a type can be sent or shared, as far as that depends on type parameters or can
    /// be told here and now. A type that has a lifetime is left to the compiler itself: where it is told
    /// that `Guard<'fan>` is `Send`, it doubts that `Guard` is with another lifetime, which is what
    /// it wants to know of a future that holds one.
    fn demand(&mut self, ty: &Type, auto: Auto) {
        match bare(ty) {
            Type::Reference(reference) => {
                let is_object = matches!(bare(&reference.elem), Type::TraitObject(_));
                let auto = if reference.mutability.is_some() { auto } else { Auto::Sync };
                if !is_object {
                    // An object alone would be another type: what it lives for is said by the
                    // reference.
                    self.demand(&reference.elem, auto);
                }
            }
            ty if has_lifetime(ty.to_token_stream()) => {
                // What it asks of its type parameters is not known: so both.
                let words = words(ty.to_token_stream());
                let types = self.types.iter().filter(|ty| words.contains(&ty.to_string()));
                self.predicates.extend(types.map(|ty| -> WherePredicate {
                    parse_quote!(#ty: ::core::marker::Send + ::core::marker::Sync)
                }));
            }
            ty if has_impl(ty) => {}
            ty if self.is_async && mentions_self(ty.to_token_stream()) => {}
            ty => {
                let span = ty.span().resolved_at(Span::call_site());
                self.predicates.push(match auto {
                    Auto::Send => parse_quote_spanned!(span=> #ty: ::core::marker::Send),
                    Auto::Sync => parse_quote_spanned!(span=> #ty: ::core::marker::Sync),
                });
            }
        }
    }

    fn output(&mut self, output: &ReturnType, of_self: Option<&Lifetime>) -> Option<Type> {
        let ReturnType::Type(_, ty) = output else { return Some(parse_quote!(())) };
        let ty = self.lifetimes.complete_output(ty, of_self)?;
        if !has_impl(&ty) {
            let fan = &self.lifetimes.fan;
            self.predicates.push(parse_quote!(#ty: #fan));
            self.demand(&ty, Auto::Send);
        }
        Some(ty)
    }

    /// Those of the function, behind the lifetimes that it does not name, and before the types.
    fn generics(&self, generics: &syn::Generics) -> Punctuated<GenericParam, Token![,]> {
        let fresh = std::iter::once(&self.lifetimes.fan).chain(&self.lifetimes.fresh);
        let fresh = fresh.map(|lifetime| -> GenericParam { parse_quote!(#lifetime) });
        let all = fresh.chain(generics.params.iter().cloned());
        all.chain(self.item_parameters.iter().cloned()).collect()
    }
}

/// All bounds: the function's own, those of what is shared, and that all lives as long as the calls.
fn outlives(
    lifetimes: &Lifetimes,
    generics: &syn::Generics,
    predicates: Vec<WherePredicate>,
) -> Vec<WherePredicate> {
    let fan = &lifetimes.fan;
    let fresh = lifetimes.fresh.iter().map(|fresh| parse_quote!(#fresh: #fan));
    let own = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Lifetime(parameter) => {
            let lifetime = &parameter.lifetime;
            Some(parse_quote!(#lifetime: #fan))
        }
        GenericParam::Type(parameter) => {
            let ty = &parameter.ident;
            Some(parse_quote!(#ty: #fan))
        }
        GenericParam::Const(_) => None,
    });
    let written = generics.where_clause.iter().flat_map(|clause| clause.predicates.iter().cloned());
    written.chain(fresh).chain(own).chain(predicates).collect()
}

/// All words that are used.
fn words(tokens: TokenStream) -> Vec<String> {
    let words = tokens.into_iter().flat_map(|token| match token {
        proc_macro2::TokenTree::Group(group) => words(group.stream()),
        proc_macro2::TokenTree::Ident(ident) => vec![ident.to_string()],
        _ => Vec::new(),
    });
    words.collect()
}

fn has_lifetime(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Group(group) => has_lifetime(group.stream()),
        proc_macro2::TokenTree::Punct(punct) => punct.as_char() == '\'',
        _ => false,
    })
}

/// Gives names to what an item is only known by its bounds: the result's type has to name it.
struct Names {
    taken: Vec<String>,
    parameters: Vec<GenericParam>,
}

impl VisitMut for Names {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_type_mut(self, ty);
        let Type::ImplTrait(TypeImplTrait { bounds, .. }) = ty else { return };
        let mut name = String::from("Item");
        while self.taken.contains(&name) {
            name.push('_');
        }
        self.taken.push(name.clone());
        let name = Ident::new(&name, Span::call_site());
        self.parameters.push(parse_quote!(#name: #bounds));
        *ty = parse_quote!(#name);
    }
}

/// Whether there is an `impl Trait` in it.
fn has_impl(ty: &Type) -> bool {
    struct Finds(bool);
    impl VisitMut for Finds {
        fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
            self.0 = true;
            visit_type_impl_trait_mut(self, ty);
        }
    }
    let mut finds = Finds(false);
    finds.visit_type_mut(&mut ty.clone());
    finds.0
}

/// Demands of each `impl Trait` in what is shared that it can be.
fn add_bounds(ty: &mut Type, role: Role, fan: &Lifetime) {
    struct Adds<'a> {
        role: Role,
        fan: &'a Lifetime,
        depth: usize,
    }
    impl VisitMut for Adds<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            let depth = usize::from(!matches!(ty, Type::Paren(_) | Type::Group(_)));
            self.depth += depth;
            visit_type_mut(self, ty);
            self.depth -= depth;
            let Type::ImplTrait(TypeImplTrait { bounds, .. }) = ty else { return };
            let fan = self.fan;
            bounds.push(parse_quote!(::core::marker::Sync));
            if (self.role, self.depth) != (Role::Lent, 1) {
                bounds.push(parse_quote!(::core::marker::Send));
                bounds.push(parse_quote!(#fan));
            }
            match (self.role, self.depth) {
                (Role::Cloned, 0) => bounds.push(parse_quote!(::core::clone::Clone)),
                (Role::Copied, 0) => bounds.push(parse_quote!(::core::marker::Copy)),
                _ => {}
            }
        }

        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            visit_type_reference_mut(self, reference);
            let TypeReference { elem, .. } = reference;
            if matches!(**elem, Type::ImplTrait(_)) {
                // Now that there are several bounds.
                *elem = parse_quote!((#elem));
            }
        }
    }
    Adds { role, fan, depth: 0 }.visit_type_mut(ty);
}
