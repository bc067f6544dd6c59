//! Tells the programs what they are built from and by whom: the report says so, and two programs that
//! are compared must be of the same sources.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let mut sources = DefaultHasher::new();
    for folder in ["../wg-core/src", "../wg-scope/src", "src/bin"] {
        println!("cargo::rerun-if-changed={folder}");
        for file in files(Path::new(folder))? {
            fs::read(file)?.hash(&mut sources);
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=WG_SOURCES={:016x}", sources.finish());
    println!("cargo::rustc-env=WG_RUSTC={}", rustc().unwrap_or_else(|| "rustc".to_owned()));
    Ok(())
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What the compiler says that it is.
fn rustc() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
