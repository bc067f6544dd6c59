//! C: the word, which is wg-core.

mod blocking;
mod futures;
mod handoff;
mod word;

use crate::row::{Against, Rounds, Row};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "C1",
            what: "token + drop, uncontended",
            unit: "ns",
            against: Against::Peer("bare pair"),
            target: Some(1.10),
            absent: &["Go"],
            rounds: Rounds::Many,
            contenders: word::token,
        },
        Row {
            name: "C2",
            what: "wait on an idle group",
            unit: "ns",
            against: Against::BestPeer,
            target: Some(1.50),
            absent: &["Go"],
            rounds: Rounds::Many,
            contenders: word::idle_wait,
        },
        Row {
            name: "C3",
            what: "token + drop, by two threads at once",
            unit: "ns",
            against: Against::Peer("bare pair"),
            target: Some(1.10),
            absent: &[],
            rounds: Rounds::Many,
            contenders: word::token_by_two,
        },
        Row {
            name: "C4a",
            what: "last done → blocked waiter runs, on another core",
            unit: "ns",
            against: Against::Peer("futex"),
            target: Some(1.10),
            absent: &[],
            rounds: Rounds::Many,
            contenders: handoff::across,
        },
        Row {
            name: "C4b",
            what: "last done → blocked waiter runs, on the same core",
            unit: "ns",
            against: Against::Peer("futex"),
            target: Some(1.10),
            absent: &[],
            rounds: Rounds::Many,
            contenders: handoff::within,
        },
        Row {
            name: "C5a",
            what: "last done → async waiter polled",
            unit: "ns",
            against: Against::Peer("tokio Notify"),
            target: Some(1.00),
            absent: &[],
            rounds: Rounds::Many,
            contenders: futures::released,
        },
        Row {
            name: "C5b",
            what: "an async wait from begin to end",
            unit: "ns",
            against: Against::Peer("tokio Notify"),
            target: Some(1.00),
            absent: &[],
            rounds: Rounds::Many,
            contenders: futures::whole,
        },
        Row {
            name: "C6",
            what: "tokens(100), dropped one by one; each",
            unit: "ns",
            against: Against::Peer("100 singles"),
            target: Some(0.60),
            absent: &[],
            rounds: Rounds::Many,
            contenders: word::batch,
        },
        Row {
            name: "C7a",
            what: "1,000 async waiters released at once; each",
            unit: "ns",
            against: Against::Peer("tokio Notify"),
            target: Some(1.00),
            absent: &[],
            rounds: Rounds::Many,
            contenders: futures::many,
        },
        Row {
            name: "C7b",
            what: "1,000 blocked waiters released at once; each",
            unit: "ns",
            against: Against::Peer("std Condvar"),
            target: Some(1.00),
            absent: &["Go"],
            rounds: Rounds::Many,
            contenders: blocking::contenders,
        },
    ]
}
