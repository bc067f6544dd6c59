//! The code of the book and of the READMEs, compiled and run as documentation tests.

macro_rules! pages {
    ($($name:ident = $path:literal;)*) => {
        $(#[doc = include_str!(concat!("../../", $path))] pub mod $name {})*
    };
}

pages! {
    readme = "README.md";
    core_readme = "wg-core/README.md";
    scope_readme = "wg-scope/README.md";
    introduction = "book/src/introduction.md";
    first_scope = "book/src/first-scope.md";
    failing = "book/src/failing.md";
    limits = "book/src/limits.md";
    cancelling = "book/src/cancelling.md";
    timeline = "book/src/timeline.md";
    fan_out = "book/src/fan-out.md";
    companion = "book/src/macro.md";
    macros_readme = "wg-macros/README.md";
    workers = "book/src/workers.md";
    futures = "book/src/futures.md";
    on_async = "book/src/async.md";
    shutdown = "book/src/shutdown.md";
    runners = "book/src/runners.md";
    wait_group = "book/src/wait-group.md";
    bugs = "book/src/bugs.md";
    patterns = "book/src/patterns.md";
    migration = "book/src/migration.md";
}
