//! C: the word, which is wg-core.

mod blocking;
mod futures;
mod handoff;
mod word;

pub(super) use self::blocking::crowd as blocked_threads;
pub(super) use self::futures::crowd as waiting_futures;
use crate::row::{Against, ROW, Row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "C1",
            what: "token + drop, uncontended",
            against: Against::Peer("bare pair"),
            target: Some(1.10),
            contenders: word::token,
            ..ROW
        },
        Row {
            name: "C2",
            what: "wait on an idle group",
            against: Against::Peer("acquire load"),
            target: Some(1.50),
            contenders: word::idle_wait,
            ..ROW
        },
        Row {
            name: "C3",
            what: "token + drop, by two threads at once",
            against: Against::Peer("bare pair"),
            target: Some(1.10),
            contenders: word::token_by_two,
            ..ROW
        },
        Row {
            name: "C4a",
            what: "last done → blocked waiter runs, on another core",
            against: Against::Peer("futex"),
            target: Some(1.10),
            contenders: handoff::across,
            ..ROW
        },
        Row {
            name: "C4b",
            what: "last done → blocked waiter runs, on the same core",
            against: Against::Peer("futex"),
            target: Some(1.10),
            contenders: handoff::within,
            ..ROW
        },
        Row {
            name: "C5a",
            what: "last done → async waiter polled",
            against: Against::Peer("tokio Notify"),
            target: Some(1.00),
            contenders: futures::released,
            ..ROW
        },
        Row {
            name: "C5b",
            what: "an async wait from begin to end",
            against: Against::Peer("tokio Notify"),
            target: Some(1.00),
            contenders: futures::whole,
            ..ROW
        },
        Row {
            name: "C6",
            what: "tokens(100), dropped one by one; each",
            against: Against::Peer("100 singles"),
            target: Some(0.60),
            contenders: word::batch,
            ..ROW
        },
        Row {
            name: "C7a",
            what: "1,000 async waiters released at once; each",
            against: Against::Peer("tokio Notify"),
            target: Some(1.00),
            contenders: futures::many,
            ..ROW
        },
        Row {
            name: "C7b",
            what: "1,000 blocked waiters released at once; each",
            against: Against::Peer("std Condvar"),
            target: Some(1.00),
            contenders: blocking::contenders,
            ..ROW
        },
    ]
}
