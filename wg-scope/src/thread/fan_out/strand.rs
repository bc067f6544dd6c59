//! Results in the order of their items, without a sort of the results: each runner keeps its own in
//! ascending order, in runs of neighbours, and the runs are put together at the end.

use std::mem::replace;

/// Results of one runner whose indices ascend.
#[derive(Debug)]
struct Strand<R> {
    /// The index with which each run begins, and the place of its first result.
    runs: Vec<(usize, usize)>,
    results: Vec<R>,
    /// How much higher the index is that goes on with the last run than there are results.
    ahead: usize,
}

/// All results of one runner.
#[derive(Debug)]
pub(super) struct Strands<R> {
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
    pub(super) const fn new() -> Self {
        Strands { last: Strand::NEW, others: Vec::new() }
    }

    /// How many results there are.
    pub(super) fn len(&self) -> usize {
        self.all().map(|strand| strand.results.len()).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Strand<R>> {
        self.others.iter().chain([&self.last])
    }

    #[inline]
    pub(super) fn push(&mut self, index: usize, result: R) {
        if index != self.last.next() {
            self.begin_run(index);
        }
        self.last.results.push(result);
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

    pub(super) fn append(&mut self, other: Self) {
        self.others.extend(other.others);
        self.others.push(other.last);
    }

    /// Puts all results into the order of their indices.
    pub(super) fn into_ordered(self) -> Vec<R> {
        let mut strands = self.others;
        strands.push(self.last);
        strands.retain(|strand| !strand.results.is_empty());
        if strands.len() == 1 {
            return strands.pop().expect("there is one").results;
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

    /// All results, in no particular order, one by one.
    pub(super) fn into_any(self) -> impl Iterator<Item = R> {
        self.others.into_iter().chain([self.last]).flat_map(|strand| strand.results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_runners_come_out_in_the_order_of_their_items() {
        let mut one = Strands::new();
        for index in [0, 1, 2, 7, 8, 3, 4] {
            one.push(index, index * 10);
        }
        let mut other = Strands::new();
        for index in [6, 9, 5] {
            other.push(index, index * 10);
        }
        one.append(other);
        assert_eq!(one.len(), 10);
        assert_eq!(one.into_ordered(), (0..10).map(|n| n * 10).collect::<Vec<_>>());
    }

    #[test]
    fn holes_close_up() {
        let mut one = Strands::new();
        one.push(5, 'b');
        let mut other = Strands::new();
        other.push(2, 'a');
        other.push(9, 'c');
        one.append(other);
        assert_eq!(one.into_ordered(), ['a', 'b', 'c']);
        assert_eq!(Strands::<u8>::new().into_ordered(), []);
    }
}
