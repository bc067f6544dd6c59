//! Stage 1: what files there are.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use wg::Scope;

use crate::progress::Stage;

/// A regular file, as it was when it was found.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) inode: Option<Inode>,
}

/// What hard links to one file have in common: device and inode number.
pub(crate) type Inode = (u64, u64);

/// Something that could not be read, and why.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// What the walk found, in no particular order.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    pub(crate) errors: Vec<Unreadable>,
}

/// Walks the tree below `root`, until `stop` is raised.
///
/// Only regular files are listed: symbolic links are not followed, and reading a pipe or a device
/// could block for ever.
pub(crate) fn walk(root: &Path, stop: &AtomicBool, stage: &Stage) -> Tree {
    let walk = Walk { stop, stage, tree: Mutex::default() };
    wg::scope(|s| walk.visit(s, root.to_owned()));
    walk.tree.into_inner().expect("no task panics while it holds the lock")
}

struct Walk<'a> {
    stop: &'a AtomicBool,
    stage: &'a Stage,
    tree: Mutex<Tree>,
}

impl Walk<'_> {
    fn visit<'scope>(&'scope self, s: &'scope Scope<'scope, '_>, directory: PathBuf) {
        if self.stop.load(Relaxed) {
            return;
        }
        let mut here = Tree::default();
        if let Err(error) = self.list(s, &directory, &mut here) {
            here.errors.push(Unreadable { path: directory, error });
        }
        self.stage.files(here.files.len());
        self.stage.bytes(here.files.iter().map(|file| file.size).sum());
        self.add(here);
    }

    fn list<'scope>(
        &'scope self,
        s: &'scope Scope<'scope, '_>,
        directory: &Path,
        here: &mut Tree,
    ) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            if self.stop.load(Relaxed) {
                break;
            }
            let entry = entry?;
            match self.look(s, &entry) {
                Ok(file) => here.files.extend(file),
                Err(error) => here.errors.push(Unreadable { path: entry.path(), error }),
            }
        }
        Ok(())
    }

    /// The entry if it is a file; if it is a directory, another task visits it.
    fn look<'scope>(
        &'scope self,
        s: &'scope Scope<'scope, '_>,
        entry: &fs::DirEntry,
    ) -> io::Result<Option<File>> {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let directory = entry.path();
            s.spawn(move || self.visit(s, directory));
        }
        if !kind.is_file() {
            return Ok(None);
        }
        let now = entry.metadata()?;
        Ok(Some(File { path: entry.path(), size: now.len(), inode: inode(&now) }))
    }

    fn add(&self, mut here: Tree) {
        let mut tree = self.tree.lock().expect("no task panics while it holds the lock");
        tree.files.append(&mut here.files);
        tree.errors.append(&mut here.errors);
    }
}

#[cfg(unix)]
fn inode(now: &Metadata) -> Option<Inode> {
    use std::os::unix::fs::MetadataExt;
    Some((now.dev(), now.ino()))
}

/// Elsewhere `std` does not tell yet, so hard links count as files of their own.
#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<Inode> {
    None
}
