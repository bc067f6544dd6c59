//! Where the results of a fan-out come together, in the order of their items.
//!
//! Each runner has a part of them. Where the iterator says how many items there are, each result has a
//! place of its own from the beginning. Those for which there is none are not sorted either: each runner
//! keeps them in ascending order, in runs of neighbours, and the runs are put together at the end.

#![allow(unsafe_code)]

mod slots;

use std::mem::replace;
use std::sync::Arc;

use self::slots::{Filled, Slots};

/// Where the parts of one fan-out lie.
pub(crate) struct Places<R>(Option<Arc<Slots<R>>>);

/// The results of one runner.
pub(crate) struct Part<R> {
    filled: Filled<R>,
    /// Those for which there was no slot, whose indices are higher.
    rest: Strands<R>,
}

impl<R> Places<R> {
    /// Places for as many items as a size hint says that there are, if it knows.
    pub(crate) fn new((least, most): (usize, Option<usize>)) -> Self {
        Places(if most == Some(least) { Slots::new(least) } else { None })
    }

    pub(crate) fn none() -> Self {
        Places(None)
    }

    pub(crate) fn part(&self) -> Part<R> {
        Part { filled: Filled::new(self.0.as_ref()), rest: Strands::new() }
    }
}

impl<R> Part<R> {
    /// Adds the result of the item with this index.
    ///
    /// # Safety
    ///
    /// No part of the same places has had, or will have, the result of this item.
    #[inline]
    pub(crate) unsafe fn push(&mut self, index: usize, result: R) {
        // SAFETY: As promised.
        if let Err(result) = unsafe { self.filled.put(index, result) } {
            self.rest.push(index, result);
        }
    }

    /// How many results there are.
    pub(crate) fn len(&self) -> usize {
        self.filled.len() + self.rest.len()
    }

    fn pop(&mut self) -> Option<R> {
        self.filled.pop().or_else(|| self.rest.pop())
    }
}

/// All results in the parts of the same places, in the order of their items. Where the places themselves
/// are still there, they are copied.
pub(crate) fn in_order<R>(parts: Vec<Part<R>>) -> Vec<R> {
    let (filled, rest): (Vec<_>, Vec<_>) =
        parts.into_iter().map(|part| (part.filled, part.rest)).unzip();
    let (mut all, rest) = (slots::in_order(filled), Strands::in_order(rest));
    if all.is_empty() {
        return rest;
    }
    all.extend(rest);
    all
}

/// All results, in no particular order, one by one.
pub(crate) fn in_any_order<R>(parts: Vec<Part<R>>) -> impl Iterator<Item = R> {
    parts.into_iter().flat_map(|mut part| std::iter::from_fn(move || part.pop()))
}

/// Results of one runner whose indices ascend.
#[derive(Debug)]
struct Strand<R> {
    /// The index with which each run begins, and the place of its first result.
    runs: Vec<(usize, usize)>,
    results: Vec<R>,
    /// How much higher the index is that goes on with the last run than there are results.
    ahead: usize,
}

/// Such results of one runner.
#[derive(Debug)]
struct Strands<R> {
    /// The one that grows.
    last: Strand<R>,
    others: Vec<Strand<R>>,
}

impl<R> Strand<R> {
    /// No index goes on with it.
    const NEW: Self = Strand { runs: Vec::new(), results: Vec::new(), ahead: usize::MAX };

    /// The index that goes on with the last run.
    #[inline]
    fn next(&self) -> usize {
        self.ahead.wrapping_add(self.results.len())
    }
}

impl<R> Strands<R> {
    const fn new() -> Self {
        Strands { last: Strand::NEW, others: Vec::new() }
    }

    fn len(&self) -> usize {
        self.all().map(|strand| strand.results.len()).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Strand<R>> {
        self.others.iter().chain([&self.last])
    }

    fn push(&mut self, index: usize, result: R) {
        // What takes no room is the same everywhere.
        if index != self.last.next() && size_of::<R>() > 0 {
            self.begin_run(index);
        }
        self.last.results.push(result);
    }

    fn pop(&mut self) -> Option<R> {
        loop {
            if let Some(result) = self.last.results.pop() {
                return Some(result);
            }
            self.last = self.others.pop()?;
        }
    }

    #[cold]
    fn begin_run(&mut self, index: usize) {
        if !self.last.results.is_empty() && index < self.last.next() {
            // It was taken over from another runner, from before what was done here.
            self.others.push(replace(&mut self.last, Strand::NEW));
        }
        let strand = &mut self.last;
        strand.runs.push((index, strand.results.len()));
        strand.ahead = index - strand.results.len();
    }

    /// All results in these, in the order of their indices.
    fn in_order(all: Vec<Self>) -> Vec<R> {
        let all = all.into_iter().flat_map(|it| it.others.into_iter().chain([it.last]));
        let mut strands: Vec<_> = all.collect();
        strands.retain(|strand| !strand.results.is_empty());
        if strands.len() == 1 {
            return strands.pop().expect("there is one").results;
        }
        if size_of::<R>() == 0 {
            return strands.into_iter().flat_map(|strand| strand.results).collect();
        }
        let mut runs: Vec<(usize, usize, usize)> = Vec::new();
        for (place, strand) in strands.iter().enumerate() {
            let ends = strand.runs.iter().skip(1).map(|&(_, first)| first);
            let ends = ends.chain([strand.results.len()]);
            let length = |(&(begin, first), end)| (begin, end - first, place);
            runs.extend(strand.runs.iter().zip(ends).map(length));
        }
        // Made for input that consists of few ascending sequences, as this does.
        runs.sort();
        let count = strands.iter().map(|strand| strand.results.len()).sum();
        let mut ordered = Vec::with_capacity(count);
        let mut sources: Vec<_> =
            strands.into_iter().map(|strand| strand.results.into_iter()).collect();
        for (_, length, place) in runs {
            ordered.extend(sources[place].by_ref().take(length));
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Parts of the same places, which have the results of these items.
    fn parts<R>(
        places: Places<R>,
        indices: &[&[usize]],
        result: impl Fn(usize) -> R,
    ) -> Vec<Part<R>> {
        let part = |indices: &&[usize]| {
            let mut part = places.part();
            // SAFETY: Each of the tests below has each index once.
            indices.iter().for_each(|&index| unsafe { part.push(index, result(index)) });
            assert_eq!(part.len(), indices.len());
            part
        };
        indices.iter().map(part).collect()
    }

    /// With places for all, for some, and for none.
    fn all_places<R>(count: usize) -> [Places<R>; 3] {
        [
            Places::new((count, Some(count))),
            Places::new((count / 2, Some(count / 2))),
            Places::none(),
        ]
    }

    #[test]
    fn results_of_several_runners_come_out_in_the_order_of_their_items() {
        for places in all_places(10) {
            let parts =
                parts(places, &[&[0, 1, 2, 7, 8, 3, 4], &[], &[6, 9, 5]], |n| n.to_string());
            assert_eq!(in_order(parts), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn results_that_all_have_places_are_not_moved() {
        let places = Places::new((4, Some(4)));
        let parts = parts(places, &[&[2, 3], &[0, 1]], |n| n);
        let first = parts[0].filled.address();
        let ordered = in_order(parts);
        assert_eq!((ordered.as_ptr(), ordered), (first, vec![0, 1, 2, 3]));
    }

    #[test]
    fn holes_close_up() {
        for places in all_places(12) {
            let parts = parts(places, &[&[5], &[2, 9]], |n| n.to_string());
            assert_eq!(in_order(parts), ["2", "5", "9"]);
        }
        for places in all_places::<u8>(3) {
            assert_eq!(in_order(parts(places, &[&[], &[]], |_| 0)), []);
        }
        assert_eq!(in_order(Vec::<Part<u8>>::new()), []);
    }

    #[test]
    fn more_results_than_there_were_to_be_are_none_the_worse() {
        for some in [&[[1, 4].as_slice(), &[0, 2, 3]], &[&[0, 1, 2, 3], &[4]]] {
            let ordered = in_order(parts(Places::new((2, Some(2))), some, |n| n * 10));
            assert_eq!(ordered, [0, 10, 20, 30, 40]);
            assert!(ordered.capacity() >= ordered.len());
        }
    }

    #[test]
    fn an_iterator_that_says_it_is_endless_takes_no_memory() {
        for count in [usize::MAX, usize::MAX / 8, 1 << 40] {
            let places = Places::<u64>::new((count, Some(count)));
            assert!(places.0.is_none());
            assert_eq!(in_order(parts(places, &[&[0, 7]], |n| n as u64)), [0, 7]);
        }
    }

    #[test]
    fn results_without_a_size_are_counted() {
        for places in all_places(4) {
            assert_eq!(in_order(parts(places, &[&[3, 1], &[0, 2]], |_| ())).len(), 4);
        }
    }

    #[test]
    fn each_result_is_dropped_once_whatever_becomes_of_it() {
        struct Counts<'a>(&'a Cell<usize>);

        impl Drop for Counts<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }

        let some: &[&[usize]] = &[&[0, 1, 5], &[3, 2], &[7]];
        for how in 0..4 {
            for places in all_places(8) {
                let dropped = Cell::new(0);
                let mut parts = parts(places, some, |_| Counts(&dropped));
                match how {
                    0 => drop(parts),
                    1 => drop(in_order(parts)),
                    2 => assert_eq!(in_any_order(parts).count(), 6),
                    _ => {
                        drop(parts.remove(1).pop());
                        assert_eq!(dropped.get(), 2);
                        drop(in_any_order(parts).next());
                    }
                }
                assert_eq!(dropped.get(), 6);
            }
        }
    }

    #[test]
    fn a_result_whose_drop_panics_takes_no_other_with_it() {
        struct Bad<'a>(&'a Cell<usize>);

        impl Drop for Bad<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
                panic!("dropped");
            }
        }

        let dropped = Cell::new(0);
        let places = Places::new((4, Some(4)));
        drop(parts(places, &[&[0, 2], &[1]], |_| Bad(&dropped)));
        assert_eq!(dropped.get(), 3);
    }
}
