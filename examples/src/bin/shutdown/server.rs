//! The server, which the book quotes.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use wg::{StillRunning, Stopped};

// ANCHOR: serve
/// From the report to the end of the grace: so that nobody is aborted before it is reported.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Serves at most `most` connections at once until `stop` is ready; then they have `drain` to end.
/// Who has not ended by then is reported, and aborted.
pub(crate) async fn serve(
    listener: TcpListener,
    most: usize,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> Result<(), StillRunning> {
    let options = wg::options().name("connections").limit(most).grace(drain + LAST_CALL);
    let connections = options.tokio().scope(async |s| {
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&s, &listener) => accepted,
            };
            let Ok((socket, peer)) = accepted else { break };
            drop(s.task(&peer.to_string()).spawn(connection(s.clone(), socket, peer)));
        }
        drop(listener); // From here on whoever connects is refused.
        s.cancel("the server shuts down");
        let drained = s.wait_timeout(drain).await;
        drained.inspect_err(|alive| eprintln!("still there: {alive}"))
    });
    connections.await // Here every connection has ended.
}

/// The next connection, as soon as there is room for one more.
async fn accept(
    s: &wg::tokio::Scope,
    listener: &TcpListener,
) -> Result<(TcpStream, SocketAddr), Stopped> {
    loop {
        s.ready().await?;
        match listener.accept().await {
            Ok(accepted) => return Ok(accepted),
            Err(error) => {
                // Out of file descriptors, say. It may get better.
                eprintln!("cannot accept: {error}");
                s.sleep(Duration::from_millis(100)).await?;
            }
        }
    }
}

async fn connection(s: wg::tokio::Scope, mut socket: TcpStream, peer: SocketAddr) {
    if let Err(error) = talk(&s, &mut socket).await {
        eprintln!("{peer}: {error}");
    }
}

/// Answers line after line. A cancel is heard between two requests, never in the middle of one.
async fn talk(s: &wg::tokio::Scope, socket: &mut TcpStream) -> io::Result<()> {
    let (from, mut to) = socket.split();
    let mut lines = BufReader::new(from).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => answer(&line, &mut to).await?,
                None => return Ok(()),
            },
            _ = s.cancelled() => return to.write_all(b"goodbye\n").await,
        }
    }
}
// ANCHOR_END: serve

/// Sends a line back; after `wait 7` that takes seven seconds.
async fn answer(line: &str, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    if let Some(Ok(seconds)) = line.strip_prefix("wait ").map(str::parse) {
        to.write_all(b"waiting\n").await?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    to.write_all(format!("{line}\n").as_bytes()).await
}
