//! Four clients, one of which does not behave.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use wg::StillRunning;

use crate::server::serve;

/// How many connections the server has room for: `late` is one too many.
const MOST: usize = 2;

/// Starts a server, talks to it, and has it shut down. Returns what the server returned.
pub(crate) async fn run(drain: Duration) -> io::Result<Result<(), StillRunning>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    wg::local::try_scope(async |s| {
        let stopped = async { stopped.await.unwrap_or_default() };
        let server = s.spawn(async { Ok(serve(listener, MOST, stopped, drain).await) });

        let mut quick = Client::connect("quick", address).await?;
        quick.asks("hello").await?;
        drop(quick);
        let mut idle = Client::connect("idle", address).await?;
        idle.asks("hello").await?;
        let mut stuck = Client::connect("stuck", address).await?;
        stuck.asks("wait 3600").await?;
        let mut late = Client::connect("late", address).await?;

        println!("the server is asked to stop");
        let _ = stop.send(());
        idle.listens().await?;
        late.listens().await?;
        stuck.listens().await?;
        server.await
    })
    .await
}

struct Client {
    name: &'static str,
    socket: BufReader<TcpStream>,
}

impl Client {
    async fn connect(name: &'static str, address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        Ok(Client { name, socket: BufReader::new(socket) })
    }

    async fn asks(&mut self, line: &str) -> io::Result<()> {
        println!("{} asks: {line}", self.name);
        self.socket.write_all(format!("{line}\n").as_bytes()).await?;
        self.listens().await
    }

    /// Tells what the server says next.
    async fn listens(&mut self) -> io::Result<()> {
        let mut line = String::new();
        let name = self.name;
        match self.socket.read_line(&mut line).await {
            Ok(0) => println!("{name} is cut off"),
            Ok(_) => println!("{name} hears: {}", line.trim_end()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                println!("{name} is cut off");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
