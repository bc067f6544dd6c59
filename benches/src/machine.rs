//! Where and with what was measured.

use std::{env, fs, thread};

use crate::go;

/// The machine, in the order in which the report says it.
pub(crate) fn machine() -> Vec<(&'static str, String)> {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model(&text));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let kernel = kernel.map(|release| format!("{} {}", env::consts::OS, release.trim()));
    let memory =
        fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory(&text, "MemTotal"));
    vec![
        ("cores", cores().to_string()),
        ("CPU", model.unwrap_or_else(|| "unknown".to_owned())),
        ("memory", memory.map_or_else(unknown, |kb| format!("{} MB", kb / 1024))),
        ("kernel", kernel.unwrap_or_else(|| env::consts::OS.to_owned())),
        ("architecture", env::consts::ARCH.to_owned()),
    ]
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// How busy the machine is: the mean number of those who run or want to, over the last minute.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The load in words.
pub(crate) fn describe_load() -> String {
    let load = load().map_or_else(unknown, |load| format!("{load:.2}"));
    format!("load {load} on {} cores", cores())
}

/// What can be had of memory without swapping, in kB.
pub(crate) fn available_memory() -> Option<u64> {
    memory(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}

/// Whether a process can have so many threads. What is scarce are mappings: Linux allows 65,530 of
/// them, and a thread takes four, for its two stacks and what guards these. Whoever has no more of
/// them is ended by std, which cannot say so.
pub(crate) fn has_room_for_threads(threads: usize) -> bool {
    let limit = |file| fs::read_to_string(file).ok()?.trim().parse().ok();
    let mappings: usize = limit("/proc/sys/vm/max_map_count").unwrap_or(usize::MAX);
    let most: usize = limit("/proc/sys/kernel/threads-max").unwrap_or(usize::MAX);
    mappings / 5 >= threads && most / 2 >= threads
}

/// The CPU's name in `/proc/cpuinfo`.
fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// An amount in `/proc/meminfo`, in kB.
fn memory(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The versions of all that took part, ours first.
pub(crate) fn versions() -> Vec<(&'static str, String)> {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let mut versions = vec![
        ("wg", env!("CARGO_PKG_VERSION").to_owned()),
        ("rustc", env!("WG_RUSTC").trim_start_matches("rustc ").to_owned()),
        ("Go", go::version().unwrap_or_else(|| "absent".to_owned())),
    ];
    for peer in [
        "atomic-wait",
        "crossbeam-channel",
        "crossbeam-utils",
        "flume",
        "futures",
        "rayon",
        "tokio",
        "tokio-util",
    ] {
        versions.push((peer, version(LOCK, peer).unwrap_or_else(unknown)));
    }
    versions
}

/// The version of a package in the text of a `Cargo.lock`.
fn version(lock: &str, package: &str) -> Option<String> {
    let mut lines = lock.lines();
    lines.find(|line| *line == format!("name = \"{package}\""))?;
    Some(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_packages_own() {
        let lock = "[[package]]\nname = \"tokio-util\"\nversion = \"0.7.20\"\n\n\
                    [[package]]\nname = \"tokio\"\nversion = \"1.54.1\"\n";
        assert_eq!(version(lock, "tokio").as_deref(), Some("1.54.1"));
        assert_eq!(version(lock, "toki"), None);
    }

    #[test]
    fn every_peer_has_a_version() {
        for (name, version) in versions() {
            assert_ne!(version, "unknown", "{name}");
        }
    }

    #[test]
    fn there_is_room_for_a_thread_and_not_for_all_there_could_be() {
        assert!(has_room_for_threads(1));
        assert!(!has_room_for_threads(usize::MAX) || cfg!(not(target_os = "linux")));
    }

    #[test]
    fn the_system_is_asked_in_its_own_words() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A CPU @ 2.00GHz\n";
        assert_eq!(model(cpuinfo).as_deref(), Some("A CPU @ 2.00GHz"));
        let meminfo = "MemTotal:       100 kB\nMemAvailable:    40 kB\n";
        assert_eq!(memory(meminfo, "MemAvailable"), Some(40));
        assert_eq!(memory(meminfo, "Mem"), None);
    }
}
