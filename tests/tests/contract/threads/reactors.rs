//! Futures that a runtime of tokio wakes: its timers, sockets and channels work inside of a scope
//! whose futures are polled inside of the runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;

/// Polls a future where tokio's timers and sockets are to be had.
struct In<'a, F>(&'a Handle, Pin<Box<F>>);

fn inside<F: Future>(handle: &Handle, future: F) -> In<'_, F> {
    In(handle, Box::pin(future))
}

impl<F: Future> Future for In<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = self.0.enter();
        self.1.as_mut().poll(context)
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn rule_26_timers_of_tokio_wake_futures_that_borrow() {
    let runtime = runtime();
    let (handle, slept) = (runtime.handle(), AtomicUsize::new(0));
    wg::scope(|s| {
        for millis in 1..=50 {
            let slept = &slept;
            s.spawn_future(inside(handle, async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                slept.fetch_add(1, Relaxed);
            }));
        }
    });
    assert_eq!(slept.into_inner(), 50);
}

#[test]
fn rule_26_sockets_of_tokio_wake_futures_that_borrow() {
    let runtime = runtime();
    let handle = runtime.handle();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let words = [String::from("one"), String::from("two"), String::from("three")];
    let echoes = wg::try_scope(|s| {
        let listener = &listener;
        for _ in 0..words.len() {
            s.spawn_future(inside(handle, async move {
                let (mut stream, _) = listener.accept().await?;
                let mut buffer = Vec::new();
                stream.read_to_end(&mut buffer).await?;
                stream.write_all(&buffer).await
            }));
        }
        let clients = words.iter().map(|word| {
            s.spawn_future(inside(handle, async move {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(word.as_bytes()).await?;
                stream.shutdown().await?;
                let mut echo = String::new();
                stream.read_to_string(&mut echo).await?;
                Ok(echo)
            }))
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join()).collect::<Result<Vec<_>, std::io::Error>>()
    });
    assert_eq!(echoes.unwrap(), words);
}

#[test]
fn rule_26_channels_of_tokio_cross_from_its_tasks_into_a_scope_and_back() {
    let runtime = runtime();
    let (to_scope, mut from_tokio) = mpsc::channel::<usize>(1);
    let (to_tokio, mut from_scope) = mpsc::channel::<usize>(1);
    runtime.spawn(async move {
        for n in 0..1_000 {
            to_scope.send(n).await.unwrap();
        }
    });
    let sum = runtime.spawn(async move {
        let mut sum = 0;
        while let Some(n) = from_scope.recv().await {
            sum += n;
        }
        sum
    });
    let factor = 2;
    wg::options().limit(1).scope(|s| {
        s.spawn_future(async {
            while let Some(n) = from_tokio.recv().await {
                to_tokio.send(n * factor).await.unwrap();
            }
        });
    });
    drop(to_tokio);
    assert_eq!(runtime.block_on(sum).unwrap(), 999_000);
}
