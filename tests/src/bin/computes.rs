//! Computes, in tasks and in a fan-out with a limit far above the cores, and says how many runners there were
//! (rule 13). They stay for seconds when they have nothing to do, so all are there at the end.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Keeps a core busy for so long.
fn compute(time: Duration) -> u64 {
    let (begin, mut steps) = (Instant::now(), 0_u64);
    loop {
        steps = black_box(steps) + 1;
        if begin.elapsed() >= time {
            return steps;
        }
    }
}

/// The threads of this process that have such a name.
fn threads(name: &str) -> usize {
    let tasks =
        std::fs::read_dir("/proc/self/task").expect("the system says which threads there are");
    let names = tasks.flatten().flat_map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.filter(|its| its.starts_with(name)).count()
}

fn main() {
    let (brief, long) = (Duration::from_micros(100), Duration::from_millis(50));
    for _ in 0..4 {
        let steps = wg::fan_out(0..2_000).limit(100).map(|_| compute(brief));
        assert!(steps.len() == 2_000 && steps.iter().all(|&steps| steps > 0));
    }
    wg::options().limit(100).scope(|s| {
        (0..20).for_each(|_| drop(s.spawn(|| compute(long))));
    });
    wg::scope(|s| (0..20).for_each(|_| drop(s.spawn(|| compute(long)))));
    println!("{}", threads("wg-runner"));
}
