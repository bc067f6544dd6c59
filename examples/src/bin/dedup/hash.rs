//! Stages 2 and 3: what is in the files.

use std::fs;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use blake3::{Hash, Hasher};

use crate::progress::Stage;
use crate::tree::File;

/// Length of the first block, and of every read.
pub(crate) const BLOCK: u64 = 64 * 1024;

/// How much of a file is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    FirstBlock,
    Whole,
}

impl Extent {
    pub(crate) fn of(self, file: &File) -> u64 {
        match self {
            Extent::FirstBlock => file.size.min(BLOCK),
            Extent::Whole => file.size,
        }
    }
}

/// A file with its hash, or with what kept it from being read.
pub(crate) type Hashed<'f> = (&'f File, io::Result<Hash>);

/// Hashes `files`, at most `limit` at once, until `stop` is raised.
///
/// The result is in no particular order; the files that `stop` prevented are not in it.
pub(crate) fn hash_all<'f>(
    files: &[&'f File],
    extent: Extent,
    limit: usize,
    stop: &AtomicBool,
    stage: &Stage,
) -> Vec<Hashed<'f>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut buffer = vec![0; BLOCK as usize];
        let mut hashed = Vec::new();
        // ORDERING: only the number counts, every worker sees `files` as it was before the scope.
        while let Some(&file) = files.get(next.fetch_add(1, Relaxed)) {
            match hash(file, extent, &mut buffer, stop, stage) {
                Some(result) => hashed.push((file, result)),
                None => break,
            }
            stage.files(1);
        }
        hashed
    };
    wg::scope(|s| {
        let workers: Vec<_> = (0..limit.min(files.len())).map(|_| s.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join()).collect()
    })
}

/// The hash of one file, or `None` once `stop` is raised.
fn hash(
    file: &File,
    extent: Extent,
    buffer: &mut [u8],
    stop: &AtomicBool,
    stage: &Stage,
) -> Option<io::Result<Hash>> {
    let mut hasher = Hasher::new();
    let mut left = extent.of(file);
    let mut source = match fs::File::open(&file.path) {
        Ok(source) => source,
        Err(error) => return Some(Err(error)),
    };
    while left > 0 {
        if stop.load(Relaxed) {
            return None;
        }
        let room = left.min(buffer.len() as u64) as usize;
        let block = &mut buffer[..room];
        if let Err(error) = source.read_exact(block) {
            return Some(Err(explain(error)));
        }
        hasher.update(block);
        stage.bytes(room as u64);
        left -= room as u64;
    }
    Some(unchanged(file, &source).map(|()| hasher.finalize()))
}

/// Refuses a file that has grown: the rest of it was not compared.
fn unchanged(file: &File, source: &fs::File) -> io::Result<()> {
    if source.metadata()?.len() == file.size { Ok(()) } else { Err(changed()) }
}

/// `read_exact` says that its buffer was not filled; the reason is that the file has shrunk.
fn explain(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { changed() } else { error }
}

fn changed() -> io::Error {
    io::Error::other("changed while it was looked at")
}
