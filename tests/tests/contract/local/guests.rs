//! Tasks of an inner scope that await tasks of the outer one, whose slot the task has that waits for
//! them: on both places.

use futures::executor::block_on;
use wg::{local, tokio as on_tokio};

#[test]
fn rule_11_the_tasks_of_an_inner_scope_join_those_of_the_outer_one_at_a_limit_of_one() {
    let sum = block_on(wg::options().limit(1).local().scope(async |s| {
        let outer = s.clone();
        s.spawn(async move {
            let one = outer.spawn(async { 1 });
            local::scope(async |inner| inner.spawn(one).join().await.unwrap() + 1).await
        })
        .join()
        .await
    }));
    assert_eq!(sum, 2);
}

#[test]
fn rule_11_so_they_do_where_all_run_in_parallel() {
    for workers in [1, 2] {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(workers).build().unwrap();
        for limit in [1, 2] {
            let sum = runtime.block_on(wg::options().limit(limit).tokio().scope(async |s| {
                let outer = s.clone();
                s.spawn(async move {
                    let one = outer.spawn(async { 1 });
                    on_tokio::scope(async |inner| {
                        let deeper = on_tokio::scope(async |innermost| {
                            innermost.spawn(one).join().await.unwrap()
                        });
                        inner.spawn(deeper).join().await + 1
                    })
                    .await
                })
                .join()
                .await
            }));
            assert_eq!(sum, 2);
        }
    }
}
