//! Pattern 6: the two-way TCP proxy of Kubernetes, with threads.
//!
//! The Go original is `ProxyTCP` in pkg/proxy/userspace/proxysocket.go of Kubernetes, as long as it
//! had a proxy in user space. In short:
//!
//! ```go
//! func ProxyTCP(in, out *net.TCPConn) {
//!     var wg sync.WaitGroup
//!     wg.Add(2)
//!     go copyBytes("from backend", in, out, &wg)
//!     go copyBytes("to backend", out, in, &wg)
//!     wg.Wait()
//! }
//!
//! func copyBytes(direction string, dest, src *net.TCPConn, wg *sync.WaitGroup) {
//!     defer wg.Done()
//!     // copies from src to dest, logs the bytes or the error, and closes both
//! }
//! ```
//!
//! What a direction did is logged where it happened and lost to the caller, and whichever direction
//! ends first closes both connections, so that a client which has said all it has to say, and shuts
//! its side down, hears no answer. Here both come back, bytes or the error, the sockets are
//! borrowed, and a direction that ends closes its own half only.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};

// ANCHOR: pattern
/// How many bytes went each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) to_backend: u64,
    pub(crate) from_backend: u64,
}

/// Carries bytes both ways between two connections until both have said that no more come.
pub(crate) fn proxy_tcp(client: &TcpStream, backend: &TcpStream) -> io::Result<Carried> {
    wg::try_scope(|s| {
        let to_backend = s.task("to backend").spawn(|| copy_bytes(client, backend));
        let from_backend = s.task("from backend").spawn(|| copy_bytes(backend, client));
        Ok(Carried { to_backend: to_backend.join()?, from_backend: from_backend.join()? })
    })
}

fn copy_bytes(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<u64> {
    let copied = io::copy(&mut from, &mut to);
    if copied.is_ok() {
        // The end is carried on, too. It fails if the other side has gone meanwhile, which the
        // other direction will tell.
        let _ = to.shutdown(Shutdown::Write);
    } else {
        // A thread that waits for bytes hears of no cancel. Of this it does.
        for side in [from, to] {
            let _ = side.shutdown(Shutdown::Both);
        }
    }
    copied
}
// ANCHOR_END: pattern

/// Proxies that many connections, each as a task, and returns when all of them are over.
pub(crate) fn serve(listen: &str, backend: &str, connections: usize) -> io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    println!("listening at {}", listener.local_addr()?);
    wg::options().name("connections").scope(|s| {
        for client in listener.incoming().take(connections) {
            let client = client?;
            let peer = client.peer_addr().map_or_else(|_| "?".to_owned(), |peer| peer.to_string());
            s.task(&peer).spawn(move || {
                let carried =
                    TcpStream::connect(backend).and_then(|backend| proxy_tcp(&client, &backend));
                tell(carried);
            });
        }
        Ok(())
    })
}

/// Prints what became of a connection.
pub(crate) fn tell(carried: io::Result<Carried>) {
    match carried {
        Ok(Carried { to_backend, from_backend }) => {
            println!("carried {to_backend} bytes to the backend, {from_backend} from it");
        }
        Err(error) => println!("broken: {error}"),
    }
}
