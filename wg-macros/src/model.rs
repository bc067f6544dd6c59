//! A function, as far as it matters here.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, FnArg, Lifetime, Result, Signature, Token, Type, Visibility};

use crate::attributes::is_fan_out;

/// What was written: everything but the body, of which only the tokens are known.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let ahead = input.fork();
        if !is_function(&ahead) {
            let span = input.span();
            let message = "#[fan_out] goes on a function or method; for a loop use \
                           wg::fan_out(items, |x| …)";
            return Err(Error::new(span, message));
        }
        Ok(Function { attributes, visibility, signature: input.parse()?, body: input.parse()? })
    }
}

/// Skips what may stand before `fn`.
fn is_function(ahead: ParseStream<'_>) -> bool {
    while !ahead.is_empty() && !ahead.peek(Token![fn]) {
        let may_precede = ahead.peek(Token![const])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern])
            || ahead.peek(syn::LitStr);
        if !may_precede {
            return false;
        }
        let _: Result<proc_macro2::TokenTree> = ahead.parse();
    }
    ahead.peek(Token![fn])
}

impl ToTokens for Function {
    /// The function as it was written, without the marks of its parameters: nobody else knows them.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let mut signature = self.signature.clone();
        // They are another `#[fan_out]`'s as well, if there is one.
        if !self.attributes.iter().any(is_fan_out) {
            for input in &mut signature.inputs {
                let attributes = match input {
                    FnArg::Receiver(receiver) => &mut receiver.attrs,
                    FnArg::Typed(typed) => &mut typed.attrs,
                };
                attributes.retain(|attribute| !is_fan_out(attribute));
            }
        }
        tokens.extend(self.attributes.iter().map(ToTokens::to_token_stream));
        self.visibility.to_tokens(tokens);
        signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

/// What the companion is made of: a function without mistakes, and what its parameters are for.
pub(crate) struct Model<'a> {
    pub(crate) function: &'a Function,
    pub(crate) receiver: Option<Receiver>,
    /// Without the receiver.
    pub(crate) parameters: Vec<Parameter>,
}

/// `self`.
pub(crate) struct Receiver {
    /// Its type, if it was written out; otherwise it is `self` or a reference to it.
    pub(crate) ty: Option<Type>,
    /// The lifetime in `&'a self`.
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) role: Role,
    pub(crate) span: Span,
}

pub(crate) struct Parameter {
    /// What it is called in the companion.
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) role: Role,
}

/// What a parameter is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Item,
    /// Shared by reference.
    Lent,
    /// Shared as clones.
    Cloned,
    /// Shared as copies.
    Copied,
}
