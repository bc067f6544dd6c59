//! What was found, and how it is told.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::files::{Dead, Page, Unreadable};

/// What the pages came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) pages: usize,
    links: usize,
    dead: Vec<Dead>,
    pub(crate) unreadable: Vec<Unreadable>,
    /// Why it ended early, if it did.
    pub(crate) stopped: Option<String>,
}

impl Report {
    pub(crate) fn add(&mut self, page: Result<Page, Unreadable>) {
        match page {
            Ok(page) => {
                self.pages += 1;
                self.links += page.links;
                self.dead.extend(page.dead);
            }
            Err(unreadable) => self.unreadable.push(unreadable),
        }
    }

    /// Prints it, the same in every run, whatever was ready first.
    pub(crate) fn print(mut self) -> io::Result<ExitCode> {
        self.dead.sort();
        self.unreadable.sort_by(|a, b| a.path.cmp(&b.path));
        let mut out = io::stdout().lock();
        for Dead { path, line, target } in &self.dead {
            writeln!(out, "{}:{line}: dead link: {target}", path.display())?;
        }
        let Report { pages, links, .. } = self;
        writeln!(out, "pages: {pages}, links: {links}, dead: {}", self.dead.len())?;
        for Unreadable { path, error } in &self.unreadable {
            eprintln!("cannot read {}: {error}", path.display());
        }
        if let Some(why) = &self.stopped {
            eprintln!("stopped: {why}");
        }
        let all_well = self.dead.is_empty() && self.unreadable.is_empty();
        Ok(ExitCode::from(if self.stopped.is_some() { 2 } else { u8::from(!all_well) }))
    }
}

/// Tells how far it is.
pub(crate) fn tell(checked: usize, found: usize) {
    eprintln!("checked {checked} of {found} so far");
}
