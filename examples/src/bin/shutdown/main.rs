//! `shutdown` is a small server that shuts down gracefully.
//!
//! It sends back each line that it gets. [`server`] is all of it: a scope in which each connection
//! is a task. When it is asked to stop it accepts nobody any more, tells the connections, gives
//! them some seconds, reports who is still there, and aborts those. The book goes through it
//! (book/src/shutdown.md). With `--demo`, [`demo`] plays its clients, and asks it to stop.

#![forbid(unsafe_code)]

mod demo;
mod server;

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;

/// Echoes lines over TCP, and shuts down gracefully at Ctrl-C
#[derive(Debug, Parser)]
#[command(name = "shutdown", version, after_help = AFTER_HELP)]
struct Args {
    /// Address to listen at
    #[arg(default_value = "127.0.0.1:7007")]
    address: String,

    /// Most connections at once
    #[arg(long, value_name = "N", default_value = "100")]
    most: NonZeroUsize,

    /// How long connections have to end, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    drain: u64,

    /// Play four clients of a server of their own, and end
    #[arg(long)]
    demo: bool,
}

const AFTER_HELP: &str = "Exit codes: 0 everyone ended in time, or it was the demo, 1 somebody was \
                          aborted, or it could not listen";

#[tokio::main]
async fn main() -> io::Result<ExitCode> {
    let Args { address, most, drain, demo } = Args::parse();
    let drain = Duration::from_millis(drain);
    let drained = if demo {
        demo::run(drain).await?
    } else {
        let listener = TcpListener::bind(address).await?;
        println!("listening at {}", listener.local_addr()?);
        server::serve(listener, most.get(), ctrl_c(), drain).await
    };
    Ok(match drained {
        Ok(()) => ExitCode::SUCCESS,
        Err(alive) => {
            println!("aborted: {}", alive.count());
            if demo { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    })
}

/// Ready at the first Ctrl-C, or at once if none can be heard.
async fn ctrl_c() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("cannot hear Ctrl-C: {error}");
    }
}
