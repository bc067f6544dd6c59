//! What stands in the brackets of the attribute.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, ExprLit, ExprUnary, Lit, Path, Result, Token, UnOp};

use crate::text::{Problems, nearest};

/// The options, each of which may be missing.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) name: Option<Ident>,
    pub(crate) limit: Option<Expr>,
    pub(crate) krate: Option<Path>,
}

const OPTIONS: [&str; 3] = ["name", "limit", "crate"];

impl Args {
    /// Reads what can be read; whatever else there is goes to `problems`.
    pub(crate) fn read(tokens: TokenStream, problems: &mut Problems) -> Self {
        let mut args = Args::default();
        let all = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = args.option(input) {
                    problems.push(error);
                    skip_to_comma(input);
                }
                if !input.is_empty() {
                    let comma: Result<Token![,]> = input.parse();
                    if let Err(error) = comma {
                        problems.push(error);
                        skip_to_comma(input);
                        let _: Option<Token![,]> = input.parse()?;
                    }
                }
            }
            Ok(())
        };
        if let Err(error) = all.parse2(tokens) {
            problems.push(error);
        }
        args
    }

    fn option(&mut self, input: ParseStream<'_>) -> Result<()> {
        let expected = "expected one of the options: name, limit, crate";
        let option = input.call(Ident::parse_any).map_err(|error| at(error.span(), expected))?;
        let text = option.to_string();
        if !OPTIONS.contains(&text.as_str()) {
            return Err(unknown(&option, &text));
        }
        input.parse::<Token![=]>().map_err(|_| {
            at(option.span(), format!("`{text}` needs a value: {}", example(&text)))
        })?;
        let is_new = match text.as_str() {
            "name" => {
                let name = input.call(Ident::parse_any).map_err(|error| {
                    at(error.span(), "the companion's name is a plain word: name = check_urls")
                })?;
                // A keyword is no name, but an option that was given.
                let name = if syn::parse_str::<Ident>(&name.to_string()).is_ok() {
                    name
                } else {
                    return Err(at(
                        name.span(),
                        format!("`{name}` is a keyword: choose another name"),
                    ));
                };
                self.name.replace(name).is_none()
            }
            "limit" => {
                let limit: Expr = input.parse()?;
                check_limit(&limit)?;
                self.limit.replace(limit).is_none()
            }
            _ => {
                let path = input.call(Path::parse_mod_style).map_err(|error| {
                    at(error.span(), "`crate` is the path of wg: crate = path::to::wg")
                })?;
                self.krate.replace(path).is_none()
            }
        };
        if is_new {
            Ok(())
        } else {
            Err(at(option.span(), format!("option `{text}` is given twice")))
        }
    }
}

fn at(span: Span, message: impl std::fmt::Display) -> Error {
    Error::new(span, message)
}

fn example(option: &str) -> &'static str {
    match option {
        "name" => "name = check_urls",
        "limit" => "limit = 32",
        _ => "crate = path::to::wg",
    }
}

fn unknown(option: &Ident, text: &str) -> Error {
    let guess = nearest(text, &OPTIONS).map(|guess| format!("; did you mean `{guess}`?"));
    let guess = guess.unwrap_or_default();
    at(option.span(), format!("unknown option `{text}`{guess} (options: name, limit, crate)"))
}

/// Refuses literals that can be no limit. Whatever is computed is looked at when it is used.
fn check_limit(limit: &Expr) -> Result<()> {
    let negative = |expr: &Expr| {
        matches!(expr, Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. })
            if matches!(**expr, Expr::Lit(_)))
    };
    match limit {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => match number.base10_digits() {
            "0" => Err(Error::new_spanned(limit, "limit must be at least 1")),
            _ => Ok(()),
        },
        Expr::Lit(_) => {
            Err(Error::new_spanned(limit, "limit must be an integer, at least 1: limit = 32"))
        }
        limit if negative(limit) => Err(Error::new_spanned(limit, "limit must be at least 1")),
        _ => Ok(()),
    }
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: Result<TokenTree> = input.parse();
    }
}
