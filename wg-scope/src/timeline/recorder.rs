//! What a timeline is written into: for each thread a track of its own, whose lock nobody else asks
//! for until somebody reads.
//!
//! Memory is bounded by places that are dealt out: a track gets some at a time, so that threads meet
//! at the timeline's own lock once in many spans, and not at all when there are none left.

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};
use std::time::Instant;

use wg_core::sync::{self, Mutex, now};

use super::span::{OutcomeKind, Span};
use crate::task_info::{Label, Stamp, Tag, TaskInfo};

/// How many places a track gets at once, as long as there are many.
const DEAL: usize = 256;

/// A timeline, as it is recorded.
pub(super) struct Recorder {
    pub(super) start: Instant,
    desk: Mutex<Desk>,
}

struct Desk {
    tracks: Vec<Arc<Track>>,
    /// How many places have not been dealt out.
    left: usize,
    /// How many scopes were entered.
    scopes: usize,
    /// Spans of threads that have no track, because no place was left.
    missed: u64,
}

/// What one thread has recorded.
struct Track {
    thread: Arc<Thread>,
    written: Mutex<Written>,
}

/// Which thread it was, and how many there were before it.
pub(super) struct Thread {
    id: ThreadId,
    pub(super) name: Option<Box<str>>,
    pub(super) number: usize,
}

/// Which scope it was, and how many were entered before it.
pub(super) struct Place {
    pub(super) name: Option<Arc<str>>,
    pub(super) number: usize,
}

#[derive(Default)]
struct Written {
    /// Marks, with room for as many as there are places left, of those that were dealt out.
    block: Vec<Mark>,
    /// Such blocks that are full: nothing is ever copied to make room for more.
    full: Vec<Vec<Mark>>,
    /// Where the marks come from. One that comes from where the mark before it came from shares the
    /// entry: a loop that spawns makes one for all its tasks.
    sources: Vec<Source>,
    /// Whether there will be no more.
    is_full: bool,
    missed: u64,
}

/// A span, in the words of its track.
#[derive(Clone, Copy)]
struct Mark {
    index: u64,
    began: u64,
    ended: u64,
    source: u32,
    spawned: Stamp,
    outcome: OutcomeKind,
    is_future: bool,
}

#[derive(Clone)]
struct Source {
    place: Arc<Place>,
    label: Label,
}

sync::thread_local! {
    /// This thread's tracks. There are few timelines at a time, and mostly one.
    static TRACKS: RefCell<Vec<(Weak<Recorder>, Arc<Track>)>> = const { RefCell::new(Vec::new()) };
}

impl Recorder {
    pub(super) fn new(capacity: usize) -> Self {
        let desk = Desk { tracks: Vec::new(), left: capacity, scopes: 0, missed: 0 };
        Recorder { start: now(), desk: Mutex::new(desk) }
    }

    /// Nanoseconds since the beginning, which last for centuries.
    fn clock(&self) -> u64 {
        let time = now().saturating_duration_since(self.start);
        time.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(time.subsec_nanos()))
    }

    /// Enters a span of this thread, and whence it comes.
    #[inline]
    fn record<L: Tag>(self: &Arc<Self>, mark: Mark, place: &Arc<Place>, tag: &L) {
        let known = TRACKS.try_with(|tracks| {
            let tracks = tracks.borrow();
            let own = tracks.iter().find(|(of, _)| Weak::as_ptr(of) == Arc::as_ptr(self));
            own.map(|(_, track)| self.write(track, mark, place, tag)).is_some()
        });
        if !known.unwrap_or_default() {
            self.record_first(mark, place, tag);
        }
    }

    /// As [`record`](Self::record), where this thread does not know its track.
    #[cold]
    fn record_first<L: Tag>(self: &Arc<Self>, mark: Mark, place: &Arc<Place>, tag: &L) {
        if let Some(track) = self.track() {
            self.write(&track, mark, place, tag);
        }
    }

    #[inline]
    fn write<L: Tag>(&self, track: &Track, mark: Mark, place: &Arc<Place>, tag: &L) {
        let written = &mut *track.written.lock();
        if !written.has_room() && !self.get_room(written) {
            return;
        }
        let last = written.sources.last();
        if !last.is_some_and(|it| tag.is_told_by(&it.label) && Arc::ptr_eq(&it.place, place)) {
            written.sources.push(Source { place: Arc::clone(place), label: tag.label() });
        }
        // There are as many sources as spans at most, and so four billion.
        let source = (written.sources.len() - 1) as u32;
        written.block.push(Mark { source, ..mark });
    }

    /// Gets places for a track that has none left. If there are none, what was to be entered is counted.
    #[cold]
    fn get_room(&self, written: &mut Written) -> bool {
        let places = if written.is_full { 0 } else { self.desk.lock().deal() };
        if places == 0 {
            written.is_full = true;
            written.missed += 1;
            return false;
        }
        written.get(places);
        true
    }

    /// Returns this thread's track, which is made with the first span that has room. None if there is
    /// no room left; then the span is counted here.
    #[cold]
    fn track(self: &Arc<Self>) -> Option<Arc<Track>> {
        let this = thread::current();
        let mut desk = self.desk.lock();
        // In a thread whose locals are gone already, this is the only way to find it.
        let known = desk.tracks.iter().find(|track| track.thread.id == this.id()).cloned();
        let track = match known {
            Some(track) => track,
            None => {
                let places = desk.deal();
                if places == 0 {
                    desk.missed += 1;
                    return None;
                }
                let (id, number) = (this.id(), desk.tracks.len());
                let name = this.name().map(Box::from);
                let thread = Arc::new(Thread { id, name, number });
                let mut written = Written::default();
                written.get(places);
                let track = Arc::new(Track { thread, written: Mutex::new(written) });
                desk.tracks.push(Arc::clone(&track));
                track
            }
        };
        drop(desk);
        let _ = TRACKS.try_with(|tracks| {
            let mut tracks = tracks.borrow_mut();
            tracks.retain(|(of, _)| of.strong_count() > 0);
            tracks.push((Arc::downgrade(self), Arc::clone(&track)));
        });
        Some(track)
    }

    /// Returns what was recorded so far, in the order of the beginnings; what began at the same
    /// instant and lasted longer comes first, as it stands around the others.
    pub(super) fn spans(&self) -> Vec<Span> {
        let tracks = self.desk.lock().tracks.clone();
        let mut spans = Vec::new();
        for track in tracks {
            let written = track.written.lock();
            let (marks, sources) = (written.marks(), written.sources.clone());
            drop(written);
            spans.extend(marks.into_iter().map(|mark| {
                let Source { place, label } = &sources[mark.source as usize];
                let Mark { index, began, ended, spawned, outcome, is_future, .. } = mark;
                Span {
                    task: TaskInfo::new(index, label.clone()),
                    place: Arc::clone(place),
                    thread: Arc::clone(&track.thread),
                    spawned: spawned.up_to(began).unwrap_or(began),
                    began,
                    ended,
                    outcome,
                    is_future,
                }
            }));
        }
        spans.sort_by_key(|span| (span.began, std::cmp::Reverse(span.ended)));
        spans
    }

    /// Returns how many spans there are.
    pub(super) fn kept(&self) -> usize {
        let tracks = self.desk.lock().tracks.clone();
        tracks.iter().map(|track| track.written.lock().kept()).sum()
    }

    /// Returns how many spans found no room.
    pub(super) fn missed(&self) -> u64 {
        let desk = self.desk.lock();
        let (tracks, missed) = (desk.tracks.clone(), desk.missed);
        drop(desk);
        tracks.iter().map(|track| track.written.lock().missed).sum::<u64>() + missed
    }
}

impl Written {
    /// Takes places that were dealt out.
    fn get(&mut self, places: usize) {
        let full = mem::replace(&mut self.block, Vec::with_capacity(places));
        if !full.is_empty() {
            self.full.push(full);
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.block.len() < self.block.capacity()
    }

    fn marks(&self) -> Vec<Mark> {
        let mut marks = self.full.concat();
        marks.extend(&self.block);
        marks
    }

    fn kept(&self) -> usize {
        self.full.iter().map(Vec::len).sum::<usize>() + self.block.len()
    }
}

impl Desk {
    /// Deals out some places. The fewer are left, the fewer at a time, so that hardly any lie with a
    /// thread that does not use them when another one has none.
    fn deal(&mut self) -> usize {
        let places = (self.left / 16).clamp(1, DEAL).min(self.left);
        self.left -= places;
        places
    }
}

/// Threads that were recorded keep their tracks until they make another; what is in them they do not.
impl Drop for Recorder {
    fn drop(&mut self) {
        for track in &self.desk.lock().tracks {
            let written = mem::take(&mut *track.written.lock());
            drop(written);
        }
    }
}

/// A scope, as a timeline records it.
#[derive(Clone)]
pub(crate) struct Lane {
    recorder: Arc<Recorder>,
    place: Arc<Place>,
}

impl Lane {
    pub(super) fn new(recorder: &Arc<Recorder>, name: Option<Arc<str>>) -> Self {
        let mut desk = recorder.desk.lock();
        let number = desk.scopes;
        desk.scopes += 1;
        drop(desk);
        let place = Arc::new(Place { name, number });
        Lane { recorder: Arc::clone(recorder), place }
    }

    /// A place in the same timeline for a scope inside this one.
    pub(crate) fn inside(&self, name: Option<Arc<str>>) -> Self {
        Lane::new(&self.recorder, name)
    }

    /// Returns the present as a stamp.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp::at(self.recorder.clock())
    }

    /// Begins a task, or an item.
    pub(crate) fn begin(&self) -> Begun<'_> {
        self.begin_from(None)
    }

    /// As [`begin`](Self::begin), at the end of the span before it, of this timeline, if this thread has
    /// gone straight on from there.
    #[inline]
    pub(crate) fn begin_from(&self, end: Option<Ended>) -> Begun<'_> {
        let began = end.map_or_else(|| self.recorder.clock(), |Ended(nanos)| nanos);
        Begun { lane: self, began }
    }

    /// Enters a future that has ended now, on this thread.
    pub(crate) fn future_ended(
        &self,
        index: u64,
        label: &Label,
        began: Stamp,
        outcome: OutcomeKind,
    ) {
        let ended = self.recorder.clock();
        let began = began.up_to(ended).unwrap_or(ended);
        let spawned = label.stamp();
        let mark = Mark { index, began, ended, source: 0, spawned, outcome, is_future: true };
        self.recorder.record(mark, &self.place, label);
    }
}

/// When a task, or an item, has ended.
#[derive(Clone, Copy)]
pub(crate) struct Ended(u64);

/// A task, or an item, that has begun on this thread.
pub(crate) struct Begun<'a> {
    lane: &'a Lane,
    began: u64,
}

impl Begun<'_> {
    /// Enters that it has ended, which it returns, and begins the next one.
    pub(crate) fn end<L: Tag>(&mut self, index: u64, tag: &L, outcome: OutcomeKind) -> Ended {
        let Lane { recorder, place } = self.lane;
        let (began, ended, spawned) = (self.began, recorder.clock(), tag.stamp());
        let mark = Mark { index, began, ended, source: 0, spawned, outcome, is_future: false };
        recorder.record(mark, place, tag);
        self.began = ended;
        Ended(ended)
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use std::panic::Location;

    use super::*;

    #[test]
    fn a_span_takes_no_more_memory_than_is_said() {
        assert!(size_of::<Mark>() <= 40);
        assert!(size_of::<Source>() <= 24);
    }

    #[test]
    fn all_places_are_dealt_out_and_no_more() {
        for capacity in [0, 1, 15, 16, 5_000, 1_000_000] {
            let recorder = Recorder::new(capacity);
            let mut desk = recorder.desk.lock();
            let mut dealt = 0;
            while desk.left > 0 {
                let places = desk.deal();
                assert!((1..=DEAL).contains(&places));
                dealt += places;
            }
            assert_eq!((dealt, desk.deal()), (capacity, 0));
        }
    }

    #[test]
    fn a_timeline_that_is_gone_leaves_nothing_with_its_threads() {
        let site = std::panic::Location::caller();
        let (label, outcome) = (Label::named("kept", site), OutcomeKind::Value);
        let recorder = Arc::new(Recorder::new(10));
        let lane = Lane::new(&recorder, None);
        lane.begin().end(0, &label, outcome);
        assert_eq!(recorder.spans().len(), 1);
        let track = Arc::downgrade(&recorder.desk.lock().tracks[0]);
        drop((recorder, lane));
        let left = track.upgrade().expect("this thread has it still");
        let written = left.written.lock();
        assert_eq!((written.kept(), written.sources.len()), (0, 0));
        drop(written);
        drop(left);
        // The next timeline makes this thread forget it.
        let recorder = Arc::new(Recorder::new(10));
        Lane::new(&recorder, None).begin().end(0, &label, outcome);
        assert!(track.upgrade().is_none());
    }

    #[test]
    fn a_span_may_begin_where_the_one_before_it_ended() {
        let recorder = Arc::new(Recorder::new(10));
        let (lane, label) = (Lane::new(&recorder, None), Label::at(Location::caller()));
        let end = lane.begin().end(0, &label, OutcomeKind::Value);
        lane.begin_from(Some(end)).end(1, &label, OutcomeKind::Value);
        let spans = recorder.spans();
        let of = |index| spans.iter().find(|span| span.task().index() == index);
        assert_eq!(of(0).map(Span::ended), of(1).map(Span::began));
    }

    #[test]
    fn one_thread_fills_a_timeline_to_the_last_place() {
        let recorder = Arc::new(Recorder::new(5_000));
        let (lane, label) = (Lane::new(&recorder, None), Label::at(Location::caller()));
        let mut begun = lane.begin();
        for index in 0..6_001 {
            begun.end(index, &label, OutcomeKind::Value);
        }
        assert_eq!((recorder.spans().len(), recorder.missed()), (5_000, 1_001));
    }
}
