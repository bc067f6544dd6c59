//! Messages: collecting them, guessing what was meant, and showing code in them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Error;

/// All that is wrong: somebody who makes three mistakes wants to hear of three.
#[derive(Default)]
pub(crate) struct Problems(Option<Error>);

impl Problems {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Adds others.
    pub(crate) fn append(&mut self, others: Problems) {
        others.0.into_iter().for_each(|error| self.push(error));
    }

    /// Points at `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    pub(crate) fn are_none(&self) -> bool {
        self.0.is_none()
    }

    /// What makes the compiler say it.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.map(Error::into_compile_error).unwrap_or_default()
    }
}

/// The word that `text` is at most two slips of the keyboard away from.
pub(crate) fn nearest<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    let distances = words.iter().map(|&word| (distance(text, word), word));
    distances.min().filter(|&(slips, _)| slips <= 2).map(|(_, word)| word)
}

/// How many letters must be added, removed or replaced.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (place, other) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row.pop().unwrap_or(0)
}

/// Code as one would write it: the tokens alone do not know where spaces go.
pub(crate) fn code(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(&mut text, tokens.into_token_stream());
    text
}

fn write(text: &mut String, tokens: TokenStream) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                if open == "[" && text.ends_with(|c: char| c.is_alphanumeric()) {
                    text.push(' ');
                }
                text.push_str(open);
                write(text, group.stream());
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                sign @ (',' | ';') => text.extend([sign, ' ']),
                sign @ ('+' | '=') => text.extend([' ', sign, ' ']),
                '-' => text.push_str(" -"),
                '>' if text.ends_with('-') => text.push_str("> "),
                sign @ '&' if text.ends_with(|c: char| c.is_alphanumeric()) => {
                    text.extend([' ', sign])
                }
                sign => text.push(sign),
            },
            word => {
                if text.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_has_its_spaces_where_one_puts_them() {
        let all = [
            "Config",
            "&mut Vec<u32>",
            "&'a [Option<&'a str>; 3]",
            "std::io::Result<()>",
            "(u8, &dyn Fn(u32, u32) -> u32)",
            "impl Into<String> + Send",
            "Box<dyn Iterator<Item = u8> + 'static>",
        ];
        for text in all {
            let ty: syn::Type = syn::parse_str(text).unwrap();
            assert_eq!(code(ty), text);
        }
    }

    #[test]
    fn slips_are_counted() {
        assert_eq!(nearest("limt", &["name", "limit", "crate"]), Some("limit"));
        assert_eq!(nearest("nmae", &["name", "limit", "crate"]), Some("name"));
        assert_eq!(nearest("threads", &["name", "limit", "crate"]), None);
    }
}
