//! The public API against a plain model, in random order, on one thread.
//!
//! The model knows no word and no lock: a number, a flag, and a queue of those who wait. After
//! every operation the group must look like it, and exactly the wakers that it says must have been
//! woken, in its order.
#![cfg(not(wg_loom))]
#![forbid(unsafe_code)]

mod support;

use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use support::poll;
use wg_core::raw::{self, Misuse};
use wg_core::{OwnedToken, Token, Tokens, TryTokenError, Wait, WaitGroup};

const MAX: usize = (1 << 31) - 1;

#[derive(Clone, Debug)]
enum Op {
    Token,
    TryToken,
    CloneToken(Index),
    DropToken(Index),
    OwnedToken,
    TryOwnedToken,
    CloneOwned(Index),
    DropOwned(Index),
    Tokens(usize),
    NextOf(Index),
    DropBatch(Index),
    Close,
    NewWait,
    /// Polls one of the futures with one of its two wakers.
    Poll(Index, usize),
    DropWait(Index),
    /// Only on an idle group: nobody else would end it.
    Wait,
    WaitTimeout,
    WaitDeadline,
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let n = prop_oneof![8 => 0..4_usize, 1 => Just(MAX - 2), 1 => Just(MAX), 1 => Just(usize::MAX)];
    prop_oneof![
        3 => Just(Op::Token),
        2 => Just(Op::TryToken),
        2 => index().prop_map(Op::CloneToken),
        6 => index().prop_map(Op::DropToken),
        1 => Just(Op::OwnedToken),
        1 => Just(Op::TryOwnedToken),
        1 => index().prop_map(Op::CloneOwned),
        3 => index().prop_map(Op::DropOwned),
        2 => n.prop_map(Op::Tokens),
        2 => index().prop_map(Op::NextOf),
        3 => index().prop_map(Op::DropBatch),
        // Rare, for little happens afterwards.
        1 => prop_oneof![9 => Just(Op::WaitTimeout), 1 => Just(Op::Close)],
        4 => Just(Op::NewWait),
        8 => (index(), 0..2_usize).prop_map(|(wait, waker)| Op::Poll(wait, waker)),
        2 => index().prop_map(Op::DropWait),
        1 => Just(Op::Wait),
        1 => Just(Op::WaitTimeout),
        1 => Just(Op::WaitDeadline),
    ]
}

/// Who was woken: the number of the future, and by which of its wakers.
type Woken = (usize, usize);

struct Recorder(Woken, Arc<Mutex<Vec<Woken>>>);

impl Wake for Recorder {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// What a group is.
#[derive(Default)]
struct Model {
    count: usize,
    closed: bool,
    queue: Vec<Woken>,
    woken: Vec<Woken>,
}

impl Model {
    fn admits(&self, n: usize) -> bool {
        !self.closed && n <= MAX - self.count
    }

    fn leave(&mut self, n: usize) {
        self.count -= n;
        if self.count == 0 {
            self.woken.append(&mut self.queue);
        }
    }
}

struct Future<'a> {
    number: usize,
    wait: Wait<'a>,
    wakers: [Waker; 2],
    polled: bool,
}

struct Machine<'a> {
    group: &'a Arc<WaitGroup>,
    tokens: Vec<Token<'a>>,
    owned: Vec<OwnedToken>,
    batches: Vec<Tokens<'a>>,
    futures: Vec<Future<'a>>,
    born: usize,
    woken: Arc<Mutex<Vec<Woken>>>,
    model: Model,
}

fn pick<T>(index: Index, of: &[T]) -> Option<usize> {
    (!of.is_empty()).then(|| index.index(of.len()))
}

impl<'a> Machine<'a> {
    fn new(group: &'a Arc<WaitGroup>) -> Self {
        Machine {
            group,
            tokens: Vec::new(),
            owned: Vec::new(),
            batches: Vec::new(),
            futures: Vec::new(),
            born: 0,
            woken: Arc::default(),
            model: Model::default(),
        }
    }

    fn refused<T>(&self, result: Result<T, TryTokenError>) {
        let expected = if self.model.closed { TryTokenError::Closed } else { TryTokenError::Full };
        assert_eq!(result.err(), Some(expected));
    }

    fn apply(&mut self, op: Op) {
        let group = self.group;
        match op {
            Op::Token if self.model.admits(1) => {
                self.tokens.push(group.token());
                self.model.count += 1;
            }
            Op::TryToken if self.model.admits(1) => {
                self.tokens.push(group.try_token().unwrap());
                self.model.count += 1;
            }
            Op::OwnedToken if self.model.admits(1) => {
                self.owned.push(group.owned_token());
                self.model.count += 1;
            }
            Op::TryOwnedToken if self.model.admits(1) => {
                self.owned.push(group.try_owned_token().unwrap());
                self.model.count += 1;
            }
            Op::Token | Op::TryToken => self.refused(group.try_token()),
            Op::OwnedToken | Op::TryOwnedToken => self.refused(group.try_owned_token()),

            Op::CloneToken(index) => {
                // Into a full group it would panic, which `group` tests.
                let Some(one) = pick(index, &self.tokens) else { return };
                if self.model.count < MAX {
                    self.tokens.push(self.tokens[one].clone());
                    self.model.count += 1;
                }
            }
            Op::CloneOwned(index) => {
                let Some(one) = pick(index, &self.owned) else { return };
                if self.model.count < MAX {
                    self.owned.push(self.owned[one].clone());
                    self.model.count += 1;
                }
            }
            Op::DropToken(index) => {
                let Some(one) = pick(index, &self.tokens) else { return };
                drop(self.tokens.swap_remove(one));
                self.model.leave(1);
            }
            Op::DropOwned(index) => {
                let Some(one) = pick(index, &self.owned) else { return };
                drop(self.owned.swap_remove(one));
                self.model.leave(1);
            }

            Op::Tokens(n) if self.model.admits(n) => {
                self.batches.push(group.tokens(n));
                self.model.count += n;
            }
            // More than any group holds is not even asked for the other reason.
            Op::Tokens(n) if n > MAX => assert!(group.try_tokens(n).is_err()),
            Op::Tokens(n) => self.refused(group.try_tokens(n)),
            Op::NextOf(index) => {
                let Some(one) = pick(index, &self.batches) else { return };
                let left = self.batches[one].len();
                let next = self.batches[one].next();
                assert_eq!(next.is_some(), left > 0);
                assert_eq!(self.batches[one].len(), left.saturating_sub(1));
                self.tokens.extend(next);
            }
            Op::DropBatch(index) => {
                let Some(one) = pick(index, &self.batches) else { return };
                let batch = self.batches.swap_remove(one);
                let left = batch.len();
                drop(batch);
                if left > 0 {
                    self.model.leave(left);
                }
            }

            Op::Close => {
                assert_eq!(group.close(), !self.model.closed);
                self.model.closed = true;
            }

            Op::NewWait => {
                let number = self.born;
                self.born += 1;
                let wakers = [0, 1].map(|which| {
                    Waker::from(Arc::new(Recorder((number, which), Arc::clone(&self.woken))))
                });
                let wait = group.wait_async();
                self.futures.push(Future { number, wait, wakers, polled: false });
            }
            Op::Poll(index, which) => {
                let Some(one) = pick(index, &self.futures) else { return };
                let Future { number, wait, wakers, polled } = &mut self.futures[one];
                let me = (*number, which);
                let queue = &mut self.model.queue;
                let expected = match queue.iter_mut().find(|waiting| waiting.0 == me.0) {
                    Some(waiting) => {
                        *waiting = me;
                        Poll::Pending
                    }
                    None if !*polled && self.model.count > 0 => {
                        queue.push(me);
                        Poll::Pending
                    }
                    None => Poll::Ready(()),
                };
                *polled = true;
                assert_eq!(poll(wait, &wakers[which]), expected);
            }
            Op::DropWait(index) => {
                let Some(one) = pick(index, &self.futures) else { return };
                let future = self.futures.swap_remove(one);
                self.model.queue.retain(|waiting| waiting.0 != future.number);
            }

            Op::Wait => {
                if self.model.count == 0 {
                    group.wait();
                }
            }
            Op::WaitTimeout => self.ends(group.wait_timeout(Duration::ZERO)),
            Op::WaitDeadline => self.ends(group.wait_deadline(Instant::now())),
        }
    }

    /// A timed wait of no time ends so.
    fn ends(&self, result: Result<(), wg_core::TimedOut>) {
        match result {
            Ok(()) => assert_eq!(self.model.count, 0),
            Err(late) => assert!(late.count() > 0 && late.count() == self.model.count),
        }
    }

    fn compare(&self) {
        let Model { count, closed, ref queue, ref woken } = self.model;
        let waiters = queue.len();
        // `count` comes last: it may carry out what others have left undone.
        assert_eq!(*self.woken.lock().unwrap(), *woken);
        assert_eq!(self.group.waiters(), waiters);
        assert_eq!(self.group.is_closed(), closed);
        let shown = format!("WaitGroup {{ count: {count}, waiters: {waiters}, closed: {closed} }}");
        assert_eq!(format!("{:?}", self.group), shown);
        assert_eq!(self.group.count(), count);
    }

    /// Everybody leaves.
    fn finish(mut self) {
        self.tokens.clear();
        self.owned.clear();
        self.batches.clear();
        if self.model.count > 0 {
            self.model.leave(self.model.count);
        }
        self.compare();
        self.group.wait();
        for Future { mut wait, wakers, .. } in self.futures {
            assert_eq!(poll(&mut wait, &wakers[0]), Poll::Ready(()));
        }
    }
}

#[derive(Clone, Debug)]
enum RawOp {
    Add(isize),
    Done,
    Wait,
}

fn raw_op() -> impl Strategy<Value = RawOp> {
    const MOST: isize = MAX as isize;
    let delta = prop_oneof![
        4 => -3..4_isize,
        1 => prop::sample::select(&[MOST, MOST - 1, -MOST, -MOST - 1, isize::MIN, isize::MAX][..]),
        1 => any::<isize>(),
    ];
    prop_oneof![3 => delta.prop_map(RawOp::Add), 2 => Just(RawOp::Done), 1 => Just(RawOp::Wait)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_is_a_number_a_flag_and_a_queue(ops in prop::collection::vec(op(), 0..60)) {
        let group = Arc::new(WaitGroup::new());
        let mut machine = Machine::new(&group);
        for op in ops {
            machine.apply(op);
            machine.compare();
        }
        machine.finish();
    }

    #[test]
    fn a_raw_group_is_a_number(ops in prop::collection::vec(raw_op(), 0..60)) {
        let group = raw::WaitGroup::new();
        let mut count: i128 = 0;
        for op in ops {
            let delta = match op {
                RawOp::Add(delta) => delta,
                RawOp::Done => -1,
                RawOp::Wait => 0,
            };
            let next = count + delta as i128;
            let expected = match next {
                ..0 => Err(Misuse::NegativeCounter),
                _ if next > MAX as i128 => Err(Misuse::Overflow),
                _ => Ok(()),
            };
            match op {
                RawOp::Add(delta) => assert_eq!(group.add(delta), expected),
                RawOp::Done => assert_eq!(group.done(), expected),
                // Only when it returns.
                RawOp::Wait if count == 0 => assert_eq!(group.wait(), Ok(())),
                RawOp::Wait => {}
            }
            if expected.is_ok() {
                count = next;
            }
            let shown = format!("WaitGroup {{ count: {count}, waiters: 0 }}");
            assert_eq!(format!("{group:?}"), shown);
        }
    }
}
