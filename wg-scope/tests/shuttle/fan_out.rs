//! One function over many items: shares of one job, and streams of what it returns.

use crate::kit::{Bang, Count, Dropped, Error, Narrow, bang, caught, explore, give_way};

/// Runners begin shares while the one who asked works too, and goes.
#[test]
fn rule_11_a_map_keeps_its_limit_and_its_order() {
    explore(|| {
        let door = Narrow::new(2);
        let squares = wg::fan_out(0..8).limit(2).map(|n| {
            door.pass();
            n * n
        });
        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49]);
    });
}

/// Maps within tasks of a map: each waits for its own shares only.
#[test]
fn rule_15_nested_maps_complete() {
    explore(|| {
        let sums = wg::fan_out(0..3).map(|n| {
            let inner = wg::fan_out(0..3).map(|i| {
                give_way();
                i * n
            });
            inner.into_iter().sum::<usize>()
        });
        assert_eq!(sums, [0, 3, 6]);
    });
}

/// The panic stops the others, which are waited for, and no item is lost or dropped twice.
#[test]
fn rule_05_a_panic_in_a_map_is_resumed_when_all_have_ended() {
    explore(|| {
        let dropped = Count::default();
        let items: Vec<_> = (0..6).map(|n| (n, Dropped(&dropped))).collect();
        let number = caught(|| {
            wg::fan_out(items).limit(3).map(|(n, _item)| {
                give_way();
                if n == 3 {
                    bang(Bang(n).0);
                }
            })
        });
        assert_eq!((number, dropped.get()), (3, 6));
    });
}

#[test]
fn rule_06_the_first_error_of_a_map_comes_back() {
    explore(|| {
        let result = wg::fan_out(0..8).limit(3).try_map(|n| {
            give_way();
            if n % 4 == 3 { Err(Error::Own(n)) } else { Ok(n) }
        });
        assert!(matches!(result, Err(Error::Own(3 | 7))), "{result:?}");
    });
}

/// The stream pulls an item when there is room for its result; its reader leaves in the middle.
#[test]
fn rule_16_a_reader_that_leaves_a_stream_ends_it() {
    explore(|| {
        let (returned, ran) = (Count::default(), Count::default());
        let (returned, ran) = (&returned, &ran);
        wg::scope(|s| {
            let stream = s.fan_out(0..8).limit(2).in_order(move |n| {
                ran.up();
                (n, Dropped(returned))
            });
            for (n, (item, _)) in stream.take(3).enumerate() {
                assert_eq!(item, n);
            }
        });
        assert_eq!(returned.get(), ran.get());
    });
}
