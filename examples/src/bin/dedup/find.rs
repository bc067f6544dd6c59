//! From a tree to groups of duplicates: which files are compared, and how far.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use blake3::Hash;

use crate::hash::{BLOCK, Extent, hash_all};
use crate::progress::Progress;
use crate::tree::{self, File, Tree, Unreadable};

/// How to search.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    /// Most files hashed at once.
    pub(crate) limit: usize,
    pub(crate) progress: Progress,
    /// Ends the search early when raised.
    pub(crate) stop: &'a AtomicBool,
}

/// What a search has found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The groups that waste most come first, then those with the lowest path.
    pub(crate) groups: Vec<Group>,
    /// How many files were looked at; hard links to one file count once.
    pub(crate) files: usize,
    /// The length of these files together.
    pub(crate) bytes: u64,
    /// In order of their paths.
    pub(crate) errors: Vec<Unreadable>,
    /// Whether the search was stopped: there may be more to find.
    pub(crate) interrupted: bool,
}

/// Files of the same content, in order of their paths.
#[derive(Debug)]
pub(crate) struct Group {
    /// The length of each.
    pub(crate) size: u64,
    pub(crate) paths: Vec<PathBuf>,
}

impl Group {
    /// What deleting all but one would free.
    pub(crate) fn wasted(&self) -> u64 {
        self.size * (self.paths.len() as u64 - 1)
    }
}

impl Search<'_> {
    /// Searches the tree below `root`.
    pub(crate) fn run(&self, root: &Path) -> Found {
        let tree = tree::walk(root, self.stop, &self.progress.walking());
        self.compare(tree)
    }

    fn compare(&self, tree: Tree) -> Found {
        let Tree { mut files, mut errors } = tree;
        keep_one_link(&mut files);

        let looked_alike = same_size(&files);
        let looked_alike = self.classes(&looked_alike, Extent::FirstBlock, &mut errors);
        // A file that fits into a block has been compared in full.
        let (mut same, long): (Vec<_>, Vec<_>) =
            looked_alike.into_iter().partition(|class| class[0].size <= BLOCK);
        let mut long = long.concat();
        long.sort_unstable_by_key(longest_first);
        same.extend(self.classes(&long, Extent::Whole, &mut errors));

        let mut groups: Vec<_> = same.into_iter().map(group).collect();
        groups.sort_by(|a, b| (b.wasted(), &a.paths).cmp(&(a.wasted(), &b.paths)));
        errors.sort_by(|a, b| a.path.cmp(&b.path));
        Found {
            groups,
            files: files.len(),
            bytes: files.iter().map(|file| file.size).sum(),
            errors,
            interrupted: self.stop.load(Relaxed),
        }
    }

    /// Sorts `files` into classes of equal hash; classes of one are left out.
    fn classes<'f>(
        &self,
        files: &[&'f File],
        extent: Extent,
        errors: &mut Vec<Unreadable>,
    ) -> Vec<Vec<&'f File>> {
        if files.is_empty() {
            return Vec::new();
        }
        let stage = self.progress.hashing(files, extent);
        let mut classes: HashMap<(u64, Hash), Vec<&File>> = HashMap::new();
        for (file, hashed) in hash_all(files, extent, self.limit, self.stop, &stage) {
            match hashed {
                Ok(hash) => classes.entry((file.size, hash)).or_default().push(file),
                Err(error) => errors.push(Unreadable { path: file.path.clone(), error }),
            }
        }
        classes.into_values().filter(|class| class.len() > 1).collect()
    }
}

/// Keeps of the hard links to one file that with the lowest path.
fn keep_one_link(files: &mut Vec<File>) {
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut seen = HashSet::with_capacity(files.len());
    files.retain(|file| file.inode.is_none_or(|inode| seen.insert(inode)));
}

/// The files that are not the only ones of their size. Empty files have nothing to compare.
fn same_size(files: &[File]) -> Vec<&File> {
    let mut alike: Vec<&File> = files.iter().filter(|file| file.size > 0).collect();
    alike.sort_by_key(longest_first);
    let runs = alike.chunk_by(|a, b| a.size == b.size);
    runs.filter(|run| run.len() > 1).flatten().copied().collect()
}

/// The order to hash in: no worker is left with a long file when the others are done.
fn longest_first(file: &&File) -> Reverse<u64> {
    Reverse(file.size)
}

fn group(class: Vec<&File>) -> Group {
    let mut paths: Vec<_> = class.iter().map(|file| file.path.clone()).collect();
    paths.sort_unstable();
    Group { size: class[0].size, paths }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree(root: &Path, files: &[(&str, &str)]) -> Tree {
        for (name, content) in files {
            fs::write(root.join(name), content).unwrap();
        }
        tree::walk(root, &AtomicBool::new(false), &Progress::Silent.walking())
    }

    fn compare(tree: Tree, stop: bool) -> Found {
        let stop = AtomicBool::new(stop);
        Search { limit: 2, progress: Progress::Silent, stop: &stop }.compare(tree)
    }

    #[test]
    fn a_raised_flag_ends_the_search_and_marks_its_result() {
        let root = tempfile::tempdir().unwrap();
        let tree = tree(root.path(), &[("a", "same"), ("b", "same"), ("c", "other")]);

        let found = compare(tree, true);

        assert!(found.interrupted);
        assert!(found.groups.is_empty());
        assert!(found.errors.is_empty());
        assert_eq!((found.files, found.bytes), (3, 13));
    }

    #[test]
    fn a_raised_flag_ends_the_walk() {
        let root = tempfile::tempdir().unwrap();
        tree(root.path(), &[("a", "same"), ("b", "same")]);

        let stop = AtomicBool::new(true);
        let found = Search { limit: 2, progress: Progress::Silent, stop: &stop }.run(root.path());

        assert!(found.interrupted);
        assert_eq!(found.files, 0);
    }

    #[test]
    fn a_file_that_vanished_or_changed_is_listed_and_the_others_are_compared() {
        let root = tempfile::tempdir().unwrap();
        let files = ["a", "b", "gone", "grown", "shrunk"].map(|name| (name, "same"));
        let tree = tree(root.path(), &files);
        fs::remove_file(root.path().join("gone")).unwrap();
        fs::write(root.path().join("grown"), "same and more").unwrap();
        fs::write(root.path().join("shrunk"), "sam").unwrap();

        let found = compare(tree, false);

        let listed: Vec<_> = found.errors.iter().map(|one| one.path.clone()).collect();
        assert_eq!(listed, ["gone", "grown", "shrunk"].map(|name| root.path().join(name)));
        assert_eq!(found.groups.len(), 1);
        assert_eq!(found.groups[0].paths, ["a", "b"].map(|name| root.path().join(name)));
        assert!(!found.interrupted);
    }
}
