//! Who a task is: its index, its name, and the line that spawned it.

use std::fmt;
use std::panic::Location;
use std::ptr;
use std::sync::Arc;

mod names;

pub(crate) use self::names::Names;

/// Which task something is said of: its index in its scope, its name if it has one, and the line
/// that spawned it.
///
/// Reads `fetch#7 spawned at src/main.rs:41`, or `task#7 …` if it has no name.
#[derive(Clone, PartialEq, Eq)]
pub struct TaskInfo {
    index: u64,
    label: Label,
}

/// What a task is called, and where it was spawned; and when, if a timeline is recorded. That lies
/// where there is room anyhow, so that a task needs no memory for it.
pub(crate) enum Label {
    Site(Stamp, &'static Location<'static>),
    Named(Stamp, Arc<Named>),
}

#[derive(Clone, PartialEq)]
pub(crate) struct Named {
    name: Name,
    site: &'static Location<'static>,
}

/// A name. Most are short, and need no memory of their own.
#[derive(Clone, PartialEq)]
enum Name {
    Short(Short),
    Long(Arc<str>),
}

/// A short name: its bytes, of which the others are zero, and its length. It is copied where a task begins,
/// so it is some words.
#[derive(Clone, Copy, PartialEq)]
#[repr(align(8))]
struct Short {
    bytes: [u8; SHORT],
    length: u8,
}

const SHORT: usize = 23;

/// What a task knows of who it is.
pub(crate) trait Tag {
    /// Returns a label, which may take memory: ordinary tasks run, and are joined, without being asked
    /// for one.
    fn label(&self) -> Label;

    /// Returns what is entered of the task where it runs, which takes none.
    #[inline]
    fn note(&self, index: u64) -> Note {
        Note { index, who: Who::Label(self.label()) }
    }

    /// When the task was spawned, if that was entered.
    fn stamp(&self) -> Stamp;

    /// Whether this label, made of a tag like this, says who the task is.
    fn is_told_by(&self, label: &Label) -> bool;
}

/// The line alone, for the many tasks that have no name, where no timeline is recorded.
#[derive(Clone, Copy)]
pub(crate) struct Site(pub(crate) &'static Location<'static>);

/// The line and a name, where the task lies, if no timeline is recorded: it is spawned, run and freed, mostly
/// by two threads, without memory beside its own that both would have to count and to free.
pub(crate) struct OwnName(Named);

/// A [`TaskInfo`] to be: who somebody is who runs, for the few times that this is asked.
pub(crate) struct Note {
    index: u64,
    who: Who,
}

enum Who {
    Site(Site),
    Label(Label),
    Named(Named),
    /// What the scope keeps in this place of its names.
    Known(usize),
}

impl TaskInfo {
    pub(crate) fn new(index: u64, label: Label) -> Self {
        TaskInfo { index, label }
    }

    /// Returns how many tasks of the scope were spawned before this one.
    #[must_use]
    pub fn index(&self) -> usize {
        usize::try_from(self.index).unwrap_or(usize::MAX)
    }

    /// Returns the name that the task was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.label.name()
    }

    /// Returns the line that spawned the task.
    #[must_use]
    pub fn site(&self) -> &'static Location<'static> {
        self.label.site()
    }
}

impl Label {
    /// Labels a task without a name.
    #[inline]
    pub(crate) fn at(site: &'static Location<'static>) -> Self {
        Label::Site(Stamp::NEVER, site)
    }

    pub(crate) fn named(name: &str, site: &'static Location<'static>) -> Self {
        Named::new(name, site).into_label()
    }

    pub(crate) fn site(&self) -> &'static Location<'static> {
        match self {
            Label::Site(_, site) => site,
            Label::Named(_, named) => named.site,
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Label::Site(..) => None,
            Label::Named(_, named) => Some(named.name.text()),
        }
    }

    /// Enters when the task was spawned.
    pub(crate) fn spawned_at(mut self, spawned: Stamp) -> Self {
        let (Label::Site(stamp, _) | Label::Named(stamp, _)) = &mut self;
        *stamp = spawned;
        self
    }
}

impl Tag for Label {
    #[inline]
    fn label(&self) -> Label {
        self.clone()
    }

    #[inline]
    fn stamp(&self) -> Stamp {
        let (Label::Site(stamp, _) | Label::Named(stamp, _)) = self;
        *stamp
    }

    /// Of those that lie in memory of their own, only copies: no text is compared.
    #[inline]
    fn is_told_by(&self, label: &Label) -> bool {
        match (self, label) {
            (Label::Site(_, own), Label::Site(_, other)) => ptr::eq(*own, *other),
            (Label::Named(_, own), Label::Named(_, other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }
}

impl Tag for Site {
    #[inline]
    fn label(&self) -> Label {
        Label::at(self.0)
    }

    #[inline]
    fn note(&self, index: u64) -> Note {
        Note { index, who: Who::Site(*self) }
    }

    #[inline]
    fn stamp(&self) -> Stamp {
        Stamp::NEVER
    }

    #[inline]
    fn is_told_by(&self, label: &Label) -> bool {
        matches!(label, Label::Site(_, site) if ptr::eq(*site, self.0))
    }
}

impl OwnName {
    #[inline]
    pub(crate) fn new(name: &str, site: &'static Location<'static>) -> Self {
        OwnName(Named::new(name, site))
    }
}

impl Tag for OwnName {
    #[cold]
    fn label(&self) -> Label {
        self.0.clone().into_label()
    }

    #[inline]
    fn note(&self, index: u64) -> Note {
        Note { index, who: Who::Named(self.0.clone()) }
    }

    #[inline]
    fn stamp(&self) -> Stamp {
        Stamp::NEVER
    }

    #[inline]
    fn is_told_by(&self, label: &Label) -> bool {
        matches!(label, Label::Named(_, named) if **named == self.0)
    }
}

impl From<TaskInfo> for Note {
    #[inline]
    fn from(TaskInfo { index, label }: TaskInfo) -> Self {
        Note { index, who: Who::Label(label) }
    }
}

impl Note {
    /// `names`: those of the scope whose task it is.
    pub(crate) fn info(&self, names: &Names) -> TaskInfo {
        let label = match &self.who {
            Who::Site(site) => site.label(),
            Who::Label(label) => label.clone(),
            Who::Named(named) => named.clone().into_label(),
            Who::Known(place) => names.label(*place).expect("a name that is known is kept"),
        };
        TaskInfo { index: self.index, label }
    }
}

impl Named {
    #[inline]
    fn new(name: &str, site: &'static Location<'static>) -> Self {
        Named { name: Name::of(name), site }
    }

    fn into_label(self) -> Label {
        Label::Named(Stamp::NEVER, Arc::new(self))
    }
}

impl Name {
    #[inline]
    fn of(name: &str) -> Self {
        match u8::try_from(name.len()) {
            Ok(length) if name.len() <= SHORT => {
                let mut bytes = [0; SHORT];
                bytes[..name.len()].copy_from_slice(name.as_bytes());
                Name::Short(Short { bytes, length })
            }
            _ => Name::Long(name.into()),
        }
    }

    #[inline]
    fn is(&self, name: &str) -> bool {
        match self {
            Name::Short(Short { bytes, length }) => {
                usize::from(*length) == name.len() && bytes[..name.len()] == *name.as_bytes()
            }
            Name::Long(own) => **own == *name,
        }
    }

    fn text(&self) -> &str {
        match self {
            Name::Short(Short { bytes, length }) => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).expect("it was a name")
            }
            Name::Long(name) => name,
        }
    }
}

/// An instant of a timeline in six bytes: its nanoseconds, of which the high bits are left out. What
/// it stands for is the latest such instant before one that is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp([u8; 6]);

impl Stamp {
    /// No instant.
    pub(crate) const NEVER: Self = Stamp([0; 6]);

    /// Some instant or other, where nobody asks which.
    pub(crate) const SOME: Self = Stamp([1; 6]);

    /// After so many nanoseconds its bytes are the same again: some three days.
    const TURN: u64 = 1 << 48;

    pub(crate) fn at(nanos: u64) -> Self {
        // The one instant in a turn that would read as none is told a nanosecond late.
        let [a, b, c, d, e, f, ..] = (nanos % Self::TURN).max(1).to_le_bytes();
        Stamp([a, b, c, d, e, f])
    }

    /// Whether it stands for an instant at all.
    pub(crate) fn is_set(self) -> bool {
        self != Self::NEVER
    }

    /// Returns the latest instant up to `later` that it can stand for.
    pub(crate) fn up_to(self, later: u64) -> Option<u64> {
        let [a, b, c, d, e, f] = self.0;
        let low = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        self.is_set().then(|| later.saturating_sub(later.wrapping_sub(low) % Self::TURN))
    }
}

/// Says who the task is. When it was spawned stays with the task: to leave that out costs a report
/// nothing, and to take it along does.
impl Clone for Label {
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Label::Site(_, site) => Label::at(site),
            Label::Named(_, named) => Label::Named(Stamp::NEVER, Arc::clone(named)),
        }
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.site() == other.site() && self.name() == other.name()
    }
}

impl Eq for Label {}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("task");
        let site = self.site();
        write!(f, "{name}#{} spawned at {}:{}", self.index, site.file(), site.line())
    }
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskInfo({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_told_by_name_index_and_line() {
        let site = Location::caller();
        let at = format!("{}:{}", site.file(), site.line());
        let plain = TaskInfo::new(7, Label::at(site));
        assert_eq!(plain.to_string(), format!("task#7 spawned at {at}"));
        let named = TaskInfo::new(7, Label::named("fetch", site));
        assert_eq!(named.to_string(), format!("fetch#7 spawned at {at}"));
        assert_ne!(plain, named);
    }

    #[test]
    fn names_of_any_length_are_told_as_they_were_given() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let name = "x".repeat(length);
            let task = TaskInfo::new(0, Label::named(&name, Location::caller()));
            assert_eq!(task.name(), Some(name.as_str()));
        }
        // In bytes, so a character is never cut.
        for name in ["é".repeat(11), "é".repeat(12), format!("x{}", "é".repeat(11))] {
            let task = TaskInfo::new(0, Label::named(&name, Location::caller()));
            assert_eq!(task.name(), Some(name.as_str()));
        }
    }

    #[test]
    fn when_a_task_was_spawned_takes_no_memory_and_is_no_part_of_who_it_is() {
        assert!(size_of::<Label>() <= 16);
        let site = Location::caller();
        for label in [Label::at(site), Label::named("fetch", site)] {
            let stamped = label.clone().spawned_at(Stamp::at(5));
            assert!(stamped.is_told_by(&label) && stamped == label);
            assert_eq!(stamped.stamp().up_to(9), Some(5));
            assert!(!label.stamp().is_set() && !stamped.clone().stamp().is_set());
        }
        assert!(!Label::at(site).is_told_by(&Label::named("fetch", site)));
        assert!(!Label::named("fetch", site).is_told_by(&Label::named("fetch", site)));
    }

    #[test]
    fn a_task_that_has_its_name_itself_is_told_by_labels_that_say_the_same() {
        assert!(size_of::<OwnName>() <= 40);
        let site = Location::caller();
        for name in ["", "fetch", "a name of more bytes than fit into a task"] {
            let own = OwnName::new(name, site);
            assert!(own.label() == Label::named(name, site) && own.is_told_by(&own.label()));
            assert!(!own.stamp().is_set() && !own.label().stamp().is_set());
            assert!(own.is_told_by(&Label::named(name, site)));
            for other in [Label::at(site), Label::named("fetched", site)] {
                assert!(!own.is_told_by(&other));
            }
            assert!(!own.is_told_by(&Label::named(name, Location::caller())));
        }
    }

    #[test]
    fn a_stamp_is_the_latest_instant_that_fits() {
        let turn = Stamp::TURN;
        for nanos in [1, 2, 12_345, turn - 1, turn + 7, 9 * turn + 1] {
            let stamp = Stamp::at(nanos);
            assert_eq!(stamp.up_to(nanos), Some(nanos));
            assert_eq!(stamp.up_to(nanos + turn - 1), Some(nanos));
            assert_eq!(stamp.up_to(nanos + turn), Some(nanos + turn));
        }
        // The instants that would read as none, and what is later than it can be.
        assert_eq!(Stamp::at(0).up_to(0), Some(0));
        assert_eq!(Stamp::at(turn).up_to(turn + 9), Some(turn + 1));
        assert_eq!(Stamp::NEVER.up_to(9), None);
    }
}
