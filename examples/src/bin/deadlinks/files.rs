//! The files: which there are, and which links in them are dead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Something that could not be read, and why.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// A file that was checked.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) links: usize,
    pub(crate) dead: Vec<Dead>,
}

/// A link that leads nowhere.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dead {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// Returns the Markdown files below a directory, as they are found. Links are not followed.
pub(crate) fn walk(root: &Path) -> impl Iterator<Item = Result<PathBuf, Unreadable>> + Send {
    let mut left = vec![root.to_owned()];
    std::iter::from_fn(move || {
        while let Some(path) = left.pop() {
            let is_root = path == root;
            let listed = fs::symlink_metadata(&path).and_then(|metadata| {
                if metadata.is_dir() {
                    for entry in fs::read_dir(&path)? {
                        left.push(entry?.path());
                    }
                }
                Ok(metadata.is_file() && path.extension().is_some_and(|ending| ending == "md"))
            });
            match listed {
                Ok(false) if is_root && !path.is_dir() => {
                    let error = io::ErrorKind::NotADirectory.into();
                    return Some(Err(Unreadable { path, error }));
                }
                Ok(false) => {}
                Ok(true) => return Some(Ok(path)),
                Err(error) => return Some(Err(Unreadable { path, error })),
            }
        }
        None
    })
}

/// Checks the links of one file.
pub(crate) fn check(path: PathBuf) -> Result<Page, Unreadable> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Err(Unreadable { path, error }),
    };
    let mut page = Page { links: 0, dead: Vec::new() };
    let mut is_code = false;
    for (number, line) in text.lines().enumerate() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code {
            continue;
        }
        for target in targets(line) {
            page.links += 1;
            if path.parent().is_none_or(|folder| !folder.join(target).exists()) {
                let target = target.to_owned();
                page.dead.push(Dead { path: path.clone(), line: number + 1, target });
            }
        }
    }
    Ok(page)
}

/// The files that a line of Markdown links to: `[text](target#part "title")`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    links.filter(|target| !target.is_empty() && !target.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_files_and_nothing_else() {
        let line = r#"[a](b.md) and ![c](d/e.png "f"), [g](h.md#i), [j](#k), [l](https://m.n/o)."#;
        assert_eq!(targets(line).collect::<Vec<_>>(), ["b.md", "d/e.png", "h.md"]);
        assert_eq!(targets("no [link] (here)").count(), 0);
    }
}
