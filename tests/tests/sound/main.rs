//! What is sound compiles (rule 4); `ui` has what does not.
#![forbid(unsafe_code)]

mod borrows;
mod errors;
mod helper;
