//! The command line, the same for both programs.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Checks the links between the Markdown files below a directory
///
/// A link is dead if it names a file that is not there. Links into the web are not followed.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Directory to search
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,

    /// Most files read at once
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) workers: NonZeroUsize,

    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) deadline: Option<u64>,

    /// Stop at the first file that cannot be read
    #[arg(long)]
    pub(crate) strict: bool,

    /// Tell on stderr how far it is
    #[arg(long)]
    pub(crate) progress: bool,
}

const EXIT_CODES: &str =
    "Exit codes: 0 all links lead somewhere, 1 dead links or unreadable files, 2 stopped early";

impl Args {
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.deadline.map(Duration::from_secs)
    }
}
