//! Who is next, and what fits: every decision of the semaphore, over plain data.
//!
//! Nothing here blocks, wakes or is shared; whoever calls holds the lock. Transitions answer with
//! what is to be done when the lock is left.
//!
//! *Held* is the sum of the weights that were granted, each in full. A request heavier than the
//! capacity therefore leaves a debt while it is held, and so does a capacity that was lowered. A
//! debt is paid by giving back, and needs no rule of its own.
//!
//! After each transition the head of the line does not fit: whoever could be served has been.

use std::collections::VecDeque;

/// A place in the line. Later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

#[derive(Debug)]
struct Request<W> {
    ticket: Ticket,
    weight: u64,
    waiter: W,
}

/// The line, and the book of what is lent.
#[derive(Debug)]
pub(super) struct Line<W> {
    capacity: u64,
    held: u64,
    requests: VecDeque<Request<W>>,
    next: Ticket,
}

/// What has become of a request.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked<W> {
    /// Granted, without waiting. The waiter is not needed.
    Granted(W),
    /// Put in the line.
    Waiting(Ticket),
}

/// What has become of a waiter that wants to leave.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Withdrawn<W> {
    /// It is off the line: drop it, and wake those who were held up by it.
    Left { waiter: W, granted: Granted<W>, available: u64 },
    /// It was granted before: the permits are its own.
    Granted,
}

/// Those who were taken off the line with their permits, in its order, and are to be woken. One of
/// them, the common case, needs no memory.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted<W> {
    first: Option<W>,
    rest: Vec<W>,
}

impl<W> Granted<W> {
    fn push(&mut self, waiter: W) {
        match self.first {
            None => self.first = Some(waiter),
            Some(_) => self.rest.push(waiter),
        }
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = W> {
        self.first.into_iter().chain(self.rest)
    }
}

impl<W> Line<W> {
    pub(super) const fn new(capacity: u64) -> Self {
        Line { capacity, held: 0, requests: VecDeque::new(), next: Ticket(0) }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(super) fn available(&self) -> u64 {
        self.capacity.saturating_sub(self.held)
    }

    pub(super) fn waiters(&self) -> usize {
        self.requests.len()
    }

    /// Enters what was lent, and has come back, without this book.
    pub(super) fn reckon(&mut self, free: u64) {
        debug_assert!(free <= self.capacity, "{free} free of {}", self.capacity);
        self.held = self.capacity - free;
    }

    /// What may be lent without asking this book: nothing while somebody waits, or while there is a
    /// debt.
    pub(super) fn to_lend(&self) -> Option<u64> {
        if self.requests.is_empty() { self.capacity.checked_sub(self.held) } else { None }
    }

    /// Grants a request if nobody waits and it fits.
    #[must_use]
    pub(super) fn try_take(&mut self, weight: u64) -> bool {
        let granted = self.requests.is_empty() && self.fits(weight);
        if granted {
            self.held += weight;
        }
        granted
    }

    /// Grants a request, or puts it at the end of the line.
    pub(super) fn ask(&mut self, weight: u64, waiter: W) -> Asked<W> {
        if self.try_take(weight) {
            return Asked::Granted(waiter);
        }
        let ticket = self.next;
        self.requests.push_back(Request { ticket, weight, waiter });
        self.next.0 += 1;
        Asked::Waiting(ticket)
    }

    pub(super) fn give_back(&mut self, weight: u64) -> Granted<W> {
        debug_assert!(weight <= self.held, "{weight} given back of {}", self.held);
        self.held -= weight;
        self.grant()
    }

    pub(super) fn set_capacity(&mut self, capacity: u64) -> Granted<W> {
        self.capacity = capacity;
        self.grant()
    }

    /// Takes a waiter off the line, unless it was granted what it wanted.
    pub(super) fn withdraw(&mut self, ticket: Ticket) -> Withdrawn<W> {
        let Some(Request { waiter, .. }) =
            self.place(ticket).and_then(|place| self.requests.remove(place))
        else {
            return Withdrawn::Granted;
        };
        let available = self.available();
        Withdrawn::Left { waiter, granted: self.grant(), available }
    }

    /// The waiter with this ticket, unless it was granted what it wanted.
    pub(super) fn find(&mut self, ticket: Ticket) -> Option<&mut W> {
        let place = self.place(ticket)?;
        Some(&mut self.requests[place].waiter)
    }

    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.requests.binary_search_by_key(&ticket, |request| request.ticket).ok()
    }

    /// What nobody else shares with fits always: an item heavier than the whole budget runs alone.
    fn fits(&self, weight: u64) -> bool {
        self.held == 0 || weight <= self.available()
    }

    /// Grants to the head of the line while it fits.
    fn grant(&mut self) -> Granted<W> {
        let mut granted = Granted { first: None, rest: Vec::new() };
        while let Some(head) = self.requests.front() {
            if !self.fits(head.weight) {
                break;
            }
            let Some(head) = self.requests.pop_front() else { break };
            self.held += head.weight;
            granted.push(head.waiter);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(capacity: u64, held: u64) -> Line<char> {
        let mut line = Line::new(capacity);
        line.held = held;
        line
    }

    fn wait(line: &mut Line<char>, weight: u64, name: char) -> Ticket {
        match line.ask(weight, name) {
            Asked::Waiting(ticket) => ticket,
            Asked::Granted(_) => panic!("{name} was granted {weight}"),
        }
    }

    fn names(granted: Granted<char>) -> String {
        granted.into_iter().collect()
    }

    #[test]
    fn what_fits_is_decided_by_what_is_held_for_every_small_case() {
        for capacity in 1..6 {
            for held in 0..8 {
                for weight in 1..8 {
                    let fits = held + weight <= capacity || held == 0;
                    let mut line = line(capacity, held);
                    assert_eq!(line.try_take(weight), fits, "{capacity} {held} {weight}");
                    assert_eq!(line.held, held + if fits { weight } else { 0 });
                }
            }
        }
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        let mut line = line(u64::MAX, 0);
        assert!(line.try_take(u64::MAX));
        assert!(!line.try_take(1));
        assert_eq!((line.available(), line.to_lend()), (0, Some(0)));
        wait(&mut line, u64::MAX, 'a');
        wait(&mut line, 1, 'b');
        assert_eq!(names(line.set_capacity(1)), "");
        assert_eq!(names(line.give_back(u64::MAX)), "a");
        assert_eq!(names(line.give_back(u64::MAX)), "b");
    }

    #[test]
    fn what_is_given_back_goes_to_the_head_and_on_while_it_fits() {
        let mut line = line(4, 4);
        for (weight, name) in [(2, 'a'), (1, 'b'), (3, 'c'), (1, 'd')] {
            wait(&mut line, weight, name);
        }
        assert_eq!(names(line.give_back(1)), "");
        assert_eq!(names(line.give_back(3)), "ab");
        assert_eq!((line.held, line.available(), line.waiters()), (3, 1, 2));
        assert_eq!(names(line.give_back(2)), "c");
        assert_eq!(names(line.give_back(1)), "d");
    }

    #[test]
    fn nobody_is_served_past_the_line() {
        let mut line = line(4, 2);
        let head = wait(&mut line, 3, 'a');
        assert!(!line.try_take(1));
        let _behind = wait(&mut line, 1, 'b');
        assert_eq!(line.to_lend(), None);
        let Withdrawn::Left { waiter, granted, available } = line.withdraw(head) else { panic!() };
        assert_eq!((waiter, names(granted), available), ('a', "b".to_owned(), 2));
        assert_eq!(line.to_lend(), Some(1));
    }

    #[test]
    fn a_place_is_given_up_once_and_only_before_it_is_granted() {
        let mut line = line(1, 1);
        let [first, second] = [wait(&mut line, 1, 'a'), wait(&mut line, 1, 'b')];
        assert_eq!(names(line.give_back(1)), "a");
        assert_eq!(line.withdraw(first), Withdrawn::Granted);
        assert_eq!(line.find(first), None);
        assert_eq!(line.find(second), Some(&mut 'b'));
        assert!(matches!(line.withdraw(second), Withdrawn::Left { waiter: 'b', .. }));
        assert_eq!(line.withdraw(second), Withdrawn::Granted);
        assert_eq!((line.held, line.waiters()), (1, 0));
    }

    #[test]
    fn a_debt_is_lent_to_nobody_until_it_is_paid() {
        let mut line = line(4, 4);
        let _ = line.set_capacity(2);
        assert_eq!((line.to_lend(), line.available()), (None, 0));
        let _ = line.give_back(1);
        assert_eq!((line.to_lend(), line.try_take(1)), (None, false));
        let _ = line.give_back(1);
        assert_eq!((line.to_lend(), line.try_take(1)), (Some(0), false));
        let _ = line.give_back(1);
        assert!(line.try_take(1));
    }

    #[test]
    fn reckoning_is_the_inverse_of_lending() {
        for held in 0..=5 {
            let mut line = line(5, held);
            let lent = line.to_lend().unwrap();
            line.reckon(lent);
            assert_eq!(line.held, held);
        }
    }
}
