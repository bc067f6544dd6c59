//! Exercise 4: create a goroutine leak: use a WaitGroup, but have goroutines block on an unbuffered
//! channel after `Done`; detect it with `runtime.NumGoroutine`.
//!
//! In Go, `Wait` returns, the function returns, the goroutines stay, and a number that grows is all
//! there is to see. Here they are tasks of a scope. The group says that all are done, and it is
//! right. The scope says who is still there, by name, with the line that started them; and it does
//! not return without them, so that the leak cannot be left behind: it is repaired, or seen.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use wg::WaitGroup;

const ORDERS: usize = 3;

pub(crate) fn run() -> String {
    let group = WaitGroup::new();
    let (send, receive) = sync_channel(0);
    wg::options().name("orders").scope(|s| {
        for (order, token) in group.tokens(ORDERS).enumerate() {
            let send = send.clone();
            s.task("order").spawn(move || {
                drop(token); // Done
                send.send(order) // nobody receives
            });
        }
        group.wait();
        let done = format!("the group waits for {}", group.count());

        let leaked = s.wait_timeout(Duration::from_millis(20));
        let leaked = leaked.map_or_else(|alive| alive.to_string(), |()| "no task alive".to_owned());

        drop(receive); // the repair: every `send` fails now, and its task ends
        let repaired = s.wait_timeout(Duration::MAX);
        let repaired = repaired.map_or("still somebody", |()| "nobody");
        format!("{done}; {leaked}; without the receiver {repaired}")
    })
}
