//! What each parameter is for, and all that is wrong.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    FnArg, GenericArgument, Pat, PatType, PathArguments, ReceiverKind, ReturnType, Safety, Type,
};

use crate::attributes::{Mark, is_entry_point, mark};
use crate::model::{Function, Model, Parameter, Receiver, Role};
use crate::text::{Problems, code};

/// Finds what the companion is made of; there is none unless there are no problems with it.
pub(crate) fn check<'a>(
    function: &'a Function,
    has_local: bool,
    problems: &mut Problems,
) -> Option<Model<'a>> {
    let mut found = Problems::default();
    check_kind(function, has_local, &mut found);
    let marks: Vec<_> = function
        .signature
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Receiver(receiver) => mark(&receiver.attrs, &mut found),
            FnArg::Typed(typed) => mark(&typed.attrs, &mut found),
        })
        .collect();
    let item = find_item(function, &marks, &mut found);
    let (mut receiver, mut parameters) = (None, Vec::new());
    for (place, (input, mark)) in function.signature.inputs.iter().zip(marks).enumerate() {
        match input {
            FnArg::Receiver(it) => receiver = Some(check_receiver(it, mark, &mut found)),
            FnArg::Typed(typed) => {
                let role = if item == Some(place) {
                    Role::Item
                } else {
                    check_shared(typed, mark, &mut found)
                };
                let name = name(typed, function, role, place);
                parameters.push(Parameter { name, ty: (*typed.ty).clone(), role });
            }
        }
    }
    let model = found.are_none().then_some(Model { function, receiver, parameters });
    problems.append(found);
    model
}

/// What kinds of functions there are no companions for.
fn check_kind(function: &Function, has_local: bool, problems: &mut Problems) {
    let signature = &function.signature;
    if let Some(constness) = signature.constness {
        let message = "#[fan_out] cannot make a companion that is `const`; wrap the `const fn` in \
                       a plain one";
        problems.at(constness, message);
    }
    if let Safety::Unsafe(unsafety) = signature.safety {
        problems.at(unsafety, "#[fan_out] cannot call an unsafe fn for you; wrap it in a safe one");
    }
    if let Some(abi) = &signature.abi {
        let message = "#[fan_out] cannot make a companion that is `extern`; wrap the function in a \
                       plain one";
        problems.at(abi, message);
    }
    if let Some(variadic) = &signature.variadic {
        let message = "#[fan_out] cannot pass on arguments whose number it does not know; wrap the \
                       function in a plain one";
        problems.at(variadic, message);
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        if matches!(**ty, Type::Never(_)) {
            let message = "a function that never returns has no results to fan in; for a loop use \
                           wg::fan_out(items, |x| …)";
            problems.at(ty, message);
        }
    }
    if signature.asyncness.is_some() && !has_local {
        let message = "async #[fan_out] needs the `local` feature: wg-scope = { features = \
                       [\"macros\", \"local\"] }";
        problems.at(signature.asyncness, message);
    }
    for attribute in function.attributes.iter().filter(|attribute| is_entry_point(attribute)) {
        let message = "put #[fan_out] on the function that is called, not on an entry point";
        problems.at(attribute, message);
    }
}

/// The place of the item among the parameters: the one that is marked, or the first.
fn find_item(
    function: &Function,
    marks: &[Option<Mark>],
    problems: &mut Problems,
) -> Option<usize> {
    let signature = &function.signature;
    let inputs = marks.iter().zip(&signature.inputs).enumerate();
    let mut marked = inputs.filter(|(_, (mark, input))| {
        **mark == Some(Mark::Item) && matches!(input, FnArg::Typed(_))
    });
    let item = marked.next().map(|(place, _)| place);
    for (place, _) in marked {
        problems.at(&signature.inputs[place], "one item is enough: the others are shared");
    }
    let first = || signature.inputs.iter().position(|input| matches!(input, FnArg::Typed(_)));
    let item = item.or_else(first);
    if item.is_none() {
        let message = "#[fan_out] needs a parameter to run over: the first non-self parameter is \
                       the item";
        problems.push(syn::Error::new(signature.paren_token.span.join(), message));
    } else if let Some(place) = item {
        if matches!(marks[place], Some(Mark::Clone | Mark::Copy)) {
            let message = "this is the item, which each call has for itself: mark the one that is \
                           to be the item with #[fan_out(item)], or this one with nothing";
            problems.at(&signature.inputs[place], message);
        }
    }
    item
}

fn check_receiver(
    receiver: &syn::Receiver,
    mark: Option<Mark>,
    problems: &mut Problems,
) -> Receiver {
    let span = receiver.self_token.span;
    let (ty, lifetime, role) = match &receiver.kind {
        ReceiverKind::Reference(_, lifetime, None) => (None, lifetime.clone(), Some(Role::Lent)),
        ReceiverKind::Reference(_, _, Some(_)) => {
            problems.at(receiver, cannot_be_shared("&mut self", "&self"));
            return Receiver { ty: None, lifetime: None, role: Role::Lent, span };
        }
        ReceiverKind::Typed(_, ty) => (Some((**ty).clone()), None, shared_self(ty)),
        _ => (None, None, None),
    };
    if ty.as_ref().is_some_and(is_mutable_reference) {
        problems.at(receiver, cannot_be_shared(&code(&ty), "&self"));
    }
    let role = match mark {
        Some(Mark::Clone) => Role::Cloned,
        Some(Mark::Copy) => Role::Copied,
        Some(Mark::Item) => {
            problems.at(receiver, "`self` is shared: the item is another parameter");
            Role::Lent
        }
        Some(Mark::Unknown) => Role::Lent,
        None => role.unwrap_or_else(|| {
            let written = ty
                .as_ref()
                .map_or_else(|| String::from("self"), |ty| format!("self: {}", code(ty)));
            let message = format!(
                "`{written}` would be moved into the first item: take `self: Arc<Self>` or `&self`"
            );
            problems.at(receiver, message);
            Role::Lent
        }),
    };
    Receiver { ty, lifetime, role, span }
}

/// How a `self` is shared whose type is written out.
fn shared_self(ty: &Type) -> Option<Role> {
    match ty {
        Type::Reference(_) => Some(Role::Lent),
        Type::Group(group) => shared_self(&group.elem),
        Type::Paren(paren) => shared_self(&paren.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let inner = match &last.arguments {
                PathArguments::AngleBracketed(arguments) => arguments.args.first(),
                _ => None,
            };
            match inner {
                Some(_) if last.ident == "Arc" => Some(Role::Cloned),
                Some(GenericArgument::Type(Type::Reference(reference))) => {
                    let is_shared = last.ident == "Pin" && reference.mutability.is_none();
                    is_shared.then_some(Role::Copied)
                }
                Some(GenericArgument::Type(inner)) if last.ident == "Pin" => {
                    shared_self(inner).filter(|&role| role == Role::Cloned)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn check_shared(typed: &PatType, mark: Option<Mark>, problems: &mut Problems) -> Role {
    match mark {
        Some(Mark::Clone) => Role::Cloned,
        Some(Mark::Copy) => Role::Copied,
        // One item too many, or no mark at all: which was told already.
        Some(Mark::Item | Mark::Unknown) => Role::Lent,
        None if is_mutable_reference(&typed.ty) => {
            let written = code(&typed.ty);
            let shared = written.replacen("mut ", "", 1);
            problems.at(&typed.ty, cannot_be_shared(&written, &shared));
            Role::Lent
        }
        None if is_reference(&typed.ty) => Role::Lent,
        None => {
            let ty = code(&typed.ty);
            let pattern = code(&typed.pat);
            let pattern = pattern.strip_prefix("mut ").unwrap_or(&pattern);
            let parameter = format!("{pattern}: {ty}");
            let mark = if is_surely_copy(&ty) { "copy" } else { "clone" };
            let message = format!(
                "parameter `{parameter}` would be moved into the first item: take `&{ty}`, or mark \
                 it #[fan_out({mark})]"
            );
            problems.at(typed, message);
            Role::Lent
        }
    }
}

fn cannot_be_shared(written: &str, shared: &str) -> String {
    format!(
        "items run at the same time, so `{written}` cannot be shared: take `{shared}` (with a Mutex \
         or atomics inside)"
    )
}

/// Looks through what macros and parentheses put around a type.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

fn is_reference(ty: &Type) -> bool {
    matches!(bare(ty), Type::Reference(_))
}

fn is_mutable_reference(ty: &Type) -> bool {
    matches!(bare(ty), Type::Reference(reference) if reference.mutability.is_some())
}

/// Only for the choice of an advice: a name says nothing for certain.
fn is_surely_copy(ty: &str) -> bool {
    let numbers = ["u8", "u16", "u32", "u64", "u128", "usize", "f32", "f64"];
    let signed = ["i8", "i16", "i32", "i64", "i128", "isize", "bool", "char"];
    let times = ["Duration", "Instant"];
    let last = ty.rsplit("::").next().unwrap_or(ty);
    numbers.contains(&ty) || signed.contains(&ty) || times.contains(&last)
}

/// What a parameter is called in the companion: as it is, if it has one name, and not that of the
/// function, which has to be called there.
fn name(typed: &PatType, function: &Function, role: Role, place: usize) -> Ident {
    match &*typed.pat {
        Pat::Ident(pattern) if pattern.ident.unraw() != function.signature.ident.unraw() => {
            pattern.ident.clone()
        }
        pattern => {
            // Not to be mixed up with other names.
            let span = Span::mixed_site().located_at(pattern.span());
            match role {
                Role::Item => Ident::new("items", span),
                _ => format_ident!("shared_{place}", span = span),
            }
        }
    }
}
