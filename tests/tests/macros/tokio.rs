//! On an `async fn`, on tokio.

use std::sync::Arc;

use futures::StreamExt;
use tokio::runtime::Builder;
use tokio::sync::Barrier;

#[wg::fan_out(limit = 4)]
async fn meet(number: u32, #[fan_out(clone)] barrier: Arc<Barrier>) -> Result<u32, String> {
    barrier.wait().await;
    Ok(number)
}

#[wg::fan_out]
async fn task(_: u8) -> tokio::task::Id {
    tokio::task::yield_now().await;
    tokio::task::id()
}

#[wg::fan_out]
async fn refuse(number: u32) -> Result<(), String> {
    if number == 2 { Err(String::from("no")) } else { std::future::pending().await }
}

#[test]
fn both_flavours_run_it() {
    let current = Builder::new_current_thread().build().unwrap();
    let several = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for runtime in [current, several] {
        let met = runtime.block_on(async {
            let barrier = Arc::new(Barrier::new(4));
            tokio::spawn(meet_all(0..8, barrier).tokio().try_run()).await.unwrap()
        });
        assert_eq!(met.unwrap(), (0..8).collect::<Vec<_>>());
    }
}

#[test]
fn items_that_wait_are_the_runtimes_tasks_if_they_are_moved_there() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let all = async {
        let here = tokio::task::id();
        assert_eq!(task_all(0..2).run().await, [here; 2]);
        assert!(task_all(0..9).tokio().run().await.iter().all(|there| *there != here));
    };
    runtime.block_on(async { tokio::spawn(all).await.unwrap() });
}

#[test]
fn the_first_error_drops_the_rest() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let all = runtime.block_on(async { refuse_all(0..4).tokio().limit(4).try_run().await });
    assert_eq!(all, Err(String::from("no")));
}

#[test]
fn results_come_from_the_runtime_while_work_goes_on() {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let met = runtime.block_on(async {
        let calls = meet_all(0..4, Arc::new(Barrier::new(4))).tokio();
        calls.in_order(async |results| results.collect::<Vec<_>>().await).await
    });
    assert_eq!(met, [Ok(0), Ok(1), Ok(2), Ok(3)]);
}
