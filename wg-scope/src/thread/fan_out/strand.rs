//! Results in the order of their items, without a sort of the results: each runner keeps its own in
//! ascending order, in runs of neighbours, and the runs are put together at the end.

/// Results of one runner whose indices ascend.
#[derive(Debug)]
struct Strand<R> {
    /// The index with which each run begins, and the place of its first result.
    runs: Vec<(usize, usize)>,
    results: Vec<R>,
    /// The index that would go on with the last run.
    next: usize,
}

/// All results of one runner.
#[derive(Debug)]
pub(super) struct Strands<R>(Vec<Strand<R>>);

impl<R> Strands<R> {
    pub(super) const fn new() -> Self {
        Strands(Vec::new())
    }

    #[inline]
    pub(super) fn push(&mut self, index: usize, result: R) {
        match self.0.last_mut() {
            Some(strand) if strand.next == index => {
                strand.results.push(result);
                strand.next += 1;
            }
            _ => self.push_apart(index, result),
        }
    }

    #[cold]
    fn push_apart(&mut self, index: usize, result: R) {
        match self.0.last_mut() {
            Some(strand) if strand.next < index => {
                strand.runs.push((index, strand.results.len()));
                strand.results.push(result);
                strand.next = index + 1;
            }
            // The first; or it was taken over from another runner, from before what was done here.
            _ => self.0.push(Strand {
                runs: vec![(index, 0)],
                results: vec![result],
                next: index + 1,
            }),
        }
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Puts all results into the order of their indices.
    pub(super) fn into_ordered(mut self) -> Vec<R> {
        if self.0.len() == 1 {
            return self.0.pop().expect("there is one").results;
        }
        let mut runs: Vec<(usize, usize, usize)> = Vec::new();
        for (place, strand) in self.0.iter().enumerate() {
            let ends = strand.runs.iter().skip(1).map(|&(_, first)| first);
            let ends = ends.chain([strand.results.len()]);
            let length = |(&(begin, first), end)| (begin, end - first, place);
            runs.extend(strand.runs.iter().zip(ends).map(length));
        }
        // Made for input that consists of few ascending sequences, as this does.
        runs.sort();
        let count = self.0.iter().map(|strand| strand.results.len()).sum();
        let mut ordered = Vec::with_capacity(count);
        let mut sources: Vec<_> =
            self.0.into_iter().map(|strand| strand.results.into_iter()).collect();
        for (_, length, place) in runs {
            ordered.extend(sources[place].by_ref().take(length));
        }
        ordered
    }

    /// All results, in no particular order, one by one.
    pub(super) fn into_any(self) -> impl Iterator<Item = R> {
        self.0.into_iter().flat_map(|strand| strand.results)
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
