//! The items of a fan-out: one share at a time has the iterator, nobody waits for it, and who goes away is
//! posted again when it is free.

use std::sync::Arc;

use loom::thread;

use super::kit::{Count, Dropped, exhaust, explore, join};
use crate::thread::crew::stub::Posts;
use crate::thread::fan_out::alone::Puller;
use crate::thread::fan_out::feed::{Claim, Feed};

/// A crew that counts how many shares are posted, and the items of it that were claimed.
#[derive(Default)]
struct Claims {
    posts: Posts,
    claimed: std::sync::Mutex<Vec<usize>>,
}

impl Claims {
    /// The numbers of the items that were claimed.
    fn indices(&self) -> Vec<usize> {
        let mut indices = self.claimed.lock().unwrap().clone();
        indices.sort_unstable();
        indices
    }
}

/// Items that can be dropped once each.
struct Items {
    left: usize,
    dropped: Arc<Count>,
    /// The iterator itself.
    _own: Dropped,
}

impl Iterator for Items {
    type Item = Dropped;

    fn next(&mut self) -> Option<Dropped> {
        self.left = self.left.checked_sub(1)?;
        Some(Dropped(Arc::clone(&self.dropped)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// So many items of which at most `most` are out; who drops them, and who drops the iterator.
fn feed(items: usize, most: usize) -> (Arc<Feed<Items>>, Arc<Count>, Arc<Count>) {
    let (dropped, over) = (Arc::default(), Arc::default());
    let own = Dropped(Arc::clone(&over));
    let items = Items { left: items, dropped: Arc::clone(&dropped), _own: own };
    (Arc::new(Feed::new(items, most)), dropped, over)
}

/// What became of a share that asks for one item, and does not come back from it.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Blocked,
    Ended,
    Gone,
}

/// One share, up to its first item. It keeps its desk, as one that is blocked does.
fn ask(feed: &Feed<Items>, puller: &mut Puller<Items>, crew: &Claims) -> End {
    loop {
        match feed.claim(puller, &crew.posts) {
            Claim::Item(index, _) => {
                crew.claimed.lock().unwrap().push(index);
                return End::Blocked;
            }
            Claim::Ended => return End::Ended,
            Claim::NotNow if feed.has_more() => {}
            Claim::NotNow => return End::Gone,
            Claim::Panicked(..) => unreachable!("nothing panics"),
        }
    }
}

/// One share to its end.
fn work(feed: &Feed<Items>, crew: &Claims) {
    let mut puller = feed.puller();
    while ask(feed, &mut puller, crew) == End::Blocked {}
    assert!(feed.leave(puller).is_none());
}

/// Two shares, each of which blocks in the first item that it gets. One that has found the iterator in use
/// and gone away is posted again, by the one who had it.
#[test]
fn rule_14_who_goes_away_because_the_iterator_is_in_use_is_posted_when_it_is_free() {
    explore(|| {
        let (feed, ..) = feed(3, 4);
        let crew = Arc::new(Claims::default());
        let other = thread::spawn({
            let (feed, crew) = (Arc::clone(&feed), Arc::clone(&crew));
            move || ask(&feed, &mut feed.puller(), &crew)
        });
        let ends = [ask(&feed, &mut feed.puller(), &crew), other.join().unwrap()];
        let gone = ends.iter().filter(|end| **end == End::Gone).count();
        assert!(crew.posts.get() >= gone, "{ends:?}");
        assert!(!ends.contains(&End::Ended), "there are items for both");
        drop(feed.clear());
    });
}

/// As above, with one more. Those who go away, because of each other or of the first, do not all wait for one
/// who has gone.
#[test]
fn rule_14_of_those_who_find_the_iterator_in_use_at_once_none_is_forgotten() {
    explore(|| {
        let (feed, ..) = feed(3, 3);
        let crew = Arc::new(Claims::default());
        let others = [(); 2].map(|()| {
            let (feed, crew) = (Arc::clone(&feed), Arc::clone(&crew));
            thread::spawn(move || ask(&feed, &mut feed.puller(), &crew))
        });
        let own = ask(&feed, &mut feed.puller(), &crew);
        let others = others.map(|other| other.join().unwrap());
        let ends = [&own, &others[0], &others[1]];
        let gone = ends.iter().filter(|end| ***end == End::Gone).count();
        assert!(crew.posts.get() > 0 || gone == 0, "{ends:?}");
        assert!(gone < 3 && !ends.contains(&&End::Ended), "{ends:?}");
        drop(feed.clear());
    });
}

/// What the first share has in hand counts as well, as long as it is alone and from then on.
#[test]
fn rule_09_items_that_were_pulled_alone_are_counted_with_the_others() {
    exhaust(|| {
        let (feed, ..) = feed(12, 3);
        let crew = Claims::default();
        let mut alone = feed.puller();
        for _ in 0..3 {
            assert_eq!(ask(&feed, &mut alone, &crew), End::Blocked);
        }
        assert_eq!(feed.done(), Some(2), "the last one is in hand");
        let [mut second, mut third, mut fourth] = [(); 3].map(|()| feed.puller());
        assert_eq!(ask(&feed, &mut second, &crew), End::Blocked);
        assert_eq!(ask(&feed, &mut third, &crew), End::Blocked);
        let asks = |puller: &mut _| matches!(feed.claim(puller, &crew.posts), Claim::Item(..));
        assert!(!asks(&mut fourth), "three are in hand");
        // Each that is finished makes room for another.
        assert!(asks(&mut alone) && !asks(&mut fourth));
        assert!(asks(&mut alone) && asks(&mut second) && !asks(&mut fourth));
        assert!(feed.leave(alone).is_none());
        assert!(asks(&mut fourth) && asks(&mut third));
        assert_eq!((feed.done(), crew.posts.get()), (Some(7), 0));
        for puller in [second, third, fourth] {
            assert!(feed.leave(puller).is_none());
        }
        assert_eq!((feed.done(), feed.total().0), (Some(10), 12));
    });
}

/// A first share that goes away leaves no item counted that nobody has.
#[test]
fn rule_09_a_first_share_that_goes_away_leaves_its_room_to_others() {
    exhaust(|| {
        for pulled in 0..2 {
            let (feed, ..) = feed(3, 1);
            let crew = Claims::default();
            let mut first = feed.puller();
            (0..pulled).for_each(|_| assert_eq!(ask(&feed, &mut first, &crew), End::Blocked));
            assert!(feed.leave(first).is_none());
            let mut next = feed.puller();
            (pulled..3).for_each(|_| assert_eq!(ask(&feed, &mut next, &crew), End::Blocked));
            assert_eq!(ask(&feed, &mut next, &crew), End::Ended);
            assert_eq!((crew.indices(), feed.done()), (vec![0, 1, 2], Some(3)));
            assert!(feed.leave(next).is_none());
        }
    });
}

/// Two shares, of which the one takes over what the other has pulled ahead, or pulls itself.
#[test]
fn rule_23_each_item_of_a_feed_is_had_once() {
    explore(|| {
        let (feed, dropped, over) = feed(3, 2);
        let crew = Arc::new(Claims::default());
        let other = thread::spawn({
            let (feed, crew) = (Arc::clone(&feed), Arc::clone(&crew));
            move || work(&feed, &crew)
        });
        work(&feed, &crew);
        join([other]);
        // Whoever goes away leaves the rest to the other.
        assert_eq!((dropped.get(), over.get()), (3, 1));
        assert_eq!(crew.indices(), [0, 1, 2]);
        assert_eq!(feed.total(), (3, true));
    });
}

/// As above, with several items pulled at once. What has the same number would have its result put into the
/// same place, by two threads.
#[test]
fn rule_23_items_that_are_pulled_together_have_numbers_of_their_own() {
    explore(|| {
        let (feed, ..) = feed(3, 4);
        let crew = Arc::new(Claims::default());
        // The desks stay: loom does not know that the last one to go comes after all others.
        let work = |feed: Arc<Feed<Items>>, crew: Arc<Claims>| {
            move || {
                let mut puller = feed.puller();
                while ask(&feed, &mut puller, &crew) == End::Blocked {}
                puller
            }
        };
        let other = thread::spawn(work(Arc::clone(&feed), Arc::clone(&crew)));
        let own = work(Arc::clone(&feed), Arc::clone(&crew))();
        let other = other.join().unwrap();
        assert_eq!(crew.indices(), [0, 1, 2]);
        drop((own, other));
    });
}

/// One wants no more items as another pulls one: the iterator is dropped by one of the two, and not kept
/// until the end. What it may hold, somebody may wait for.
#[test]
fn rule_04_an_iterator_that_is_not_needed_any_more_is_dropped_by_the_one_who_has_it() {
    exhaust(|| {
        let (feed, dropped, over) = feed(2, 1);
        let crew = Arc::new(Claims::default());
        let other = thread::spawn({
            let (feed, crew) = (Arc::clone(&feed), Arc::clone(&crew));
            move || {
                let mut puller = feed.puller();
                ask(&feed, &mut puller, &crew);
                assert!(feed.leave(puller).is_none());
            }
        });
        assert!(feed.stop().is_none());
        join([other]);
        assert_eq!(over.get(), 1, "the iterator is kept");
        assert!(feed.has_ended() && dropped.get() <= 1);
        assert!(feed.clear().is_empty());
    });
}
