//! The trace that is written of a timeline. Apart from the contract, as the values of JSON can be
//! compared with so much that the compiler would infer less there.
#![forbid(unsafe_code)]

use std::io;

use serde_json::Value;
use wg::Timeline;

#[test]
fn a_trace_is_json_with_an_event_for_each_span() {
    let timeline = Timeline::new();
    let odd = "quotes \" and \\, a line\nbreak, ünïcode \u{1f980} and \u{1}";
    wg::options().name(odd).timeline(&timeline).scope(|s| {
        s.task(odd).spawn(|| ()).join();
        s.spawn_future(async {}).join();
        s.spawn(|| ());
    });
    let mut trace = Vec::new();
    timeline.write_chrome(&mut trace).unwrap();
    let trace: Value = serde_json::from_slice(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let with = |phase: &str| events.iter().filter(|it| it["ph"] == phase).collect::<Vec<_>>();
    let (slices, begun, ended, threads) = (with("X"), with("b"), with("e"), with("M"));
    assert_eq!((slices.len(), begun.len(), ended.len()), (2, 1, 1));
    assert_eq!(slices.len() + begun.len() + ended.len() + threads.len(), events.len());
    let slice = slices.iter().find(|it| it["name"] == odd).expect("the name is there, unharmed");
    assert_eq!((&slice["args"]["scope"], &slice["args"]["index"]), (&Value::from(odd), &0.into()));
    assert_eq!(slice["args"]["outcome"], "value");
    assert!(slice["ts"].is_number() && slice["dur"].is_number());
    assert!(slices.iter().any(|it| it["name"].as_str().unwrap().starts_with(file!())));
    assert_eq!((&begun[0]["id"], &begun[0]["name"]), (&ended[0]["id"], &ended[0]["name"]));
    for event in events {
        assert!(threads.iter().any(|thread| thread["tid"] == event["tid"]));
    }
    assert_eq!(trace["otherData"]["missed"], 0);
}

#[test]
fn the_trace_of_nothing_is_json_and_an_error_of_the_file_comes_back() {
    struct Full;

    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let timeline = Timeline::new();
    let mut trace = Vec::new();
    timeline.write_chrome(&mut trace).unwrap();
    let trace: Value = serde_json::from_slice(&trace).unwrap();
    assert_eq!(trace["traceEvents"].as_array().map(Vec::len), Some(0));
    let error = timeline.write_chrome(Full).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
