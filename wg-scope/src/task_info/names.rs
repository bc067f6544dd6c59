//! Names that many tasks of one scope have: kept once, by the scope.
//!
//! Mostly a line gives the same name to all tasks that it spawns. So a scope keeps, of the first few lines
//! that spawn tasks with names, the first name that each gives; a task for which it is kept is as small as
//! one without a name. Other names lie in their tasks: a scope may live long, and have as many names as tasks.

use std::panic::Location;
use std::ptr;
use std::sync::OnceLock;

use super::{Label, Named, Note, Stamp, Tag, Who};

/// Of how many lines names are kept.
const LINES: usize = 4;

/// The names that a scope keeps. Most keep none, and take no memory for them.
#[derive(Default)]
pub(crate) struct Names(OnceLock<Box<[OnceLock<Kept>; LINES]>>);

struct Kept {
    named: Named,
    place: usize,
}

/// A name that the scope keeps, and the line that gave it.
#[derive(Clone, Copy)]
pub(crate) struct Known<'scope>(&'scope Kept);

impl Names {
    /// The name as it is kept, if it is; a name that is the first of its line is kept from here on, if there
    /// is room.
    #[inline]
    pub(crate) fn know(&self, name: &str, site: &'static Location<'static>) -> Option<Known<'_>> {
        match self.0.get().and_then(|all| all[0].get()) {
            Some(kept) if ptr::eq(kept.named.site, site) => kept.known(name),
            _ => self.find(name, site),
        }
    }

    /// As [`know`](Self::know), where the first line is another.
    #[inline(never)]
    fn find(&self, name: &str, site: &'static Location<'static>) -> Option<Known<'_>> {
        for (place, kept) in self.0.get_or_init(Box::default).iter().enumerate() {
            let kept = kept.get_or_init(|| Kept { named: Named::new(name, site), place });
            if ptr::eq(kept.named.site, site) {
                return kept.known(name);
            }
        }
        None
    }

    /// What is kept in this place.
    pub(super) fn label(&self, place: usize) -> Option<Label> {
        let kept = self.0.get()?.get(place)?.get()?;
        Some(kept.named.clone().into_label())
    }
}

impl Kept {
    #[inline]
    fn known(&self, name: &str) -> Option<Known<'_>> {
        self.named.name.is(name).then_some(Known(self))
    }
}

impl Tag for Known<'_> {
    #[cold]
    fn label(&self) -> Label {
        self.0.named.clone().into_label()
    }

    #[inline]
    fn note(&self, index: u64) -> Note {
        Note { index, who: Who::Known(self.0.place) }
    }

    #[inline]
    fn stamp(&self) -> Stamp {
        Stamp::NEVER
    }

    #[inline]
    fn is_told_by(&self, label: &Label) -> bool {
        matches!(label, Label::Named(_, named) if **named == self.0.named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_info::TaskInfo;

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    #[test]
    fn the_first_name_of_each_of_the_first_lines_is_kept_and_no_other() {
        // Also on one line, they are different places.
        let (names, lines) = (Names::default(), [here(), here(), here(), here(), here()]);
        let (late, early) = lines.split_last().unwrap();
        for (line, name) in
            early.iter().zip(["a", "b", "a", "a name that is longer than a word or two"])
        {
            for _ in 0..2 {
                let known = names.know(name, line).expect("it is the first of its line");
                assert!(
                    known.label() == Label::named(name, line) && known.is_told_by(&known.label())
                );
                let info = known.note(7).info(&names);
                assert_eq!(info, TaskInfo::new(7, Label::named(name, line)));
            }
            for other in ["", "other", "ab"] {
                assert!(names.know(other, line).is_none());
            }
        }
        assert!(names.know("a", late).is_none());
        assert!(!names.know("a", early[0]).unwrap().is_told_by(&Label::named("a", early[2])));
    }

    #[test]
    fn a_task_whose_name_is_kept_is_as_small_as_one_without() {
        assert_eq!(size_of::<Known<'_>>(), size_of::<crate::task_info::Site>());
    }
}
