//! Pattern 6 again: the two-way TCP proxy, with futures on tokio. See [`crate::proxy`] for the Go
//! original.
//!
//! Each connection is a task of the runtime. Its two directions borrow the sockets, so they are
//! futures of a local scope inside that task. Here a direction that fails cancels the other where
//! it waits, and no socket has to be shut down for that.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use crate::proxy::{Carried, tell};

// ANCHOR: pattern
/// Carries bytes both ways between two connections until both have said that no more come.
async fn proxy_tcp(mut client: TcpStream, mut backend: TcpStream) -> io::Result<Carried> {
    let (from_client, to_client) = client.split();
    let (from_backend, to_backend) = backend.split();
    let both = wg::local::try_scope(async |s| {
        let to_backend = s.task("to backend").spawn(copy_bytes(from_client, to_backend));
        let from_backend = s.task("from backend").spawn(copy_bytes(from_backend, to_client));
        Ok(Carried {
            to_backend: to_backend.join().await?,
            from_backend: from_backend.join().await?,
        })
    });
    both.await
}

async fn copy_bytes(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<u64> {
    let copied = copy(&mut from, &mut to).await?;
    // The end is carried on, too. It fails if the other side has gone meanwhile, which the other
    // direction will tell.
    let _ = to.shutdown().await;
    Ok(copied)
}
// ANCHOR_END: pattern

/// Proxies that many connections, each as a task, and returns when all of them are over.
#[tokio::main]
pub(crate) async fn serve(listen: &str, backend: &str, connections: usize) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    println!("listening at {}", listener.local_addr()?);
    let backend = backend.to_owned();
    let all = wg::options().name("connections").tokio().scope(async |s| {
        for _ in 0..connections {
            let (client, peer) = listener.accept().await?;
            let backend = backend.clone();
            let carried =
                async move { proxy_tcp(client, TcpStream::connect(backend).await?).await };
            drop(s.task(&peer.to_string()).spawn(async { tell(carried.await) }));
        }
        Ok(())
    });
    all.await
}
