//! Runs the patterns; and proxies for real, over 127.0.0.1, with threads and with tokio.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

const PATTERNS: &str = env!("CARGO_BIN_EXE_patterns");
const PROXIES: [&str; 2] = ["proxy", "proxy-tokio"];

/// A read that takes longer hangs.
const HANGS: Duration = Duration::from_secs(50);

#[test]
fn each_of_the_short_ones_does_what_its_original_does() {
    let end = Command::new(PATTERNS).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let source = include_str!("../src/bin/patterns/done_with_defer.rs");
    let line = source.lines().position(|line| line.contains(".spawn(")).unwrap() + 1;
    let site = format!("spawned at examples/src/bin/patterns/done_with_defer.rs:{line}");
    let told = format!(
        "add before launch: the work of a scope makes 45, of tokens 45\n\
         done with defer: sum 5; x#1 {site} failed: not a number; \
         nothing#2 {site} panicked: no text at all; 0 members are left\n\
         dynamic work: 32 leaves; the first square above 200 is Some(225)\n\
         worker pool: 6 lines have 12 words\n\
         bounded: two at a time [10, 2, 6, 16, 4, 1800, 8], ten kilos at a time 1846\n"
    );
    assert_eq!((text(end.stdout), end.status.code()), (told, Some(0)));
    assert_eq!(text(end.stderr), "");
}

/// A proxy that runs, before a backend that the test plays.
struct Proxy {
    process: Child,
    told: BufReader<ChildStdout>,
    address: SocketAddr,
    backend: TcpListener,
}

impl Proxy {
    fn start(which: &str, connections: usize) -> Proxy {
        let backend = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut process = Command::new(PATTERNS)
            .args([which, "127.0.0.1:0", &backend.local_addr().unwrap().to_string()])
            .arg(connections.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening at ").unwrap().trim_end().parse().unwrap();
        Proxy { process, told, address, backend }
    }

    /// A client's connection, and the other end of it, at the backend.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.address).unwrap();
        let (backend, _) = self.backend.accept().unwrap();
        for side in [&client, &backend] {
            side.set_read_timeout(Some(HANGS)).unwrap();
        }
        (client, backend)
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until it has ended, which it does when every connection has.
    fn end(mut self) {
        let mut rest = String::new();
        self.told.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), self.process.wait().unwrap().code()), ("", Some(0)));
    }
}

/// A test that fails leaves no proxy behind.
impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn hears(mut side: &TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    side.read_exact(&mut heard).unwrap();
    assert_eq!(heard, text.as_bytes());
}

fn hears_the_end(mut side: &TcpStream) {
    assert_eq!(side.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_proxy_carries_bytes_both_ways_in_any_order() {
    for which in PROXIES {
        let mut proxy = Proxy::start(which, 1);
        let (mut client, mut backend) = proxy.connect();
        backend.write_all(b"220 ready\n").unwrap(); // the backend speaks first
        hears(&client, "220 ready\n");
        for _ in 0..3 {
            client.write_all(b"ping").unwrap();
            hears(&backend, "ping");
            backend.write_all(b"pong!").unwrap();
            hears(&client, "pong!");
        }
        drop((client, backend));
        assert_eq!(proxy.line(), "carried 12 bytes to the backend, 25 from it", "{which}");
        proxy.end();
    }
}

#[test]
fn both_directions_are_carried_at_once_however_much_it_is() {
    const MUCH: usize = 8 << 20; // more than all buffers on the way

    fn floods_and_reads(side: &TcpStream) {
        thread::scope(|threads| {
            threads.spawn(move || {
                let mut side = side;
                side.write_all(&vec![7; MUCH]).unwrap();
                side.shutdown(Shutdown::Write).unwrap();
            });
            let mut heard = Vec::new();
            let mut side = side;
            side.read_to_end(&mut heard).unwrap();
            assert_eq!((heard.len(), heard.iter().all(|&byte| byte == 7)), (MUCH, true));
        });
    }

    for which in PROXIES {
        let mut proxy = Proxy::start(which, 1);
        let (client, backend) = proxy.connect();
        thread::scope(|threads| {
            threads.spawn(|| floods_and_reads(&client));
            floods_and_reads(&backend);
        });
        let told = format!("carried {MUCH} bytes to the backend, {MUCH} from it");
        assert_eq!(proxy.line(), told, "{which}");
        proxy.end();
    }
}

#[test]
fn a_client_that_closes_its_half_still_hears_the_answer() {
    for which in PROXIES {
        let mut proxy = Proxy::start(which, 1);
        let (mut client, mut backend) = proxy.connect();
        client.write_all(b"all I have to say").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        hears(&backend, "all I have to say");
        hears_the_end(&backend); // the end was carried on
        for _ in 0..3 {
            backend.write_all(b"answer").unwrap();
            hears(&client, "answer");
        }
        drop(backend);
        hears_the_end(&client);
        assert_eq!(proxy.line(), "carried 17 bytes to the backend, 18 from it", "{which}");
        proxy.end();
    }
}

#[test]
fn a_backend_that_closes_first_ends_the_connection_when_the_client_has_closed_too() {
    for which in PROXIES {
        let mut proxy = Proxy::start(which, 1);
        let (client, mut backend) = proxy.connect();
        backend.write_all(b"goodbye").unwrap();
        drop(backend);
        hears(&client, "goodbye");
        hears_the_end(&client);
        drop(client);
        assert_eq!(proxy.line(), "carried 0 bytes to the backend, 7 from it", "{which}");
        proxy.end();
    }
}

/// The other direction waits for bytes that never come, and has to be ended.
#[test]
fn a_direction_that_breaks_ends_the_other_and_its_error_comes_back() {
    for which in PROXIES {
        let mut proxy = Proxy::start(which, 1);
        let (mut client, backend) = proxy.connect();
        client.write_all(b"unread").unwrap();
        let mut peeked = [0; 6];
        while backend.peek(&mut peeked).unwrap() < 6 {}
        drop(backend); // with bytes unread: the connection is reset
        let mut heard = Vec::new();
        match client.read_to_end(&mut heard) {
            Ok(bytes) => assert_eq!(bytes, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert!(proxy.line().starts_with("broken: "), "{which}");
        proxy.end();
    }
}

#[test]
fn a_proxy_serves_many_at_once_and_ends_when_the_last_has_ended() {
    for which in PROXIES {
        let mut proxy = Proxy::start(which, 20);
        // All of them are there before the first of them says anything.
        let mut pairs: Vec<_> = (0..20).map(|_| proxy.connect()).collect();
        for (client, backend) in pairs.iter_mut().rev() {
            client.write_all(b"hello").unwrap();
            hears(backend, "hello");
        }
        let last = pairs.pop().unwrap();
        drop(pairs);
        for _ in 0..19 {
            assert_eq!(proxy.line(), "carried 5 bytes to the backend, 0 from it", "{which}");
        }
        assert_eq!(proxy.process.try_wait().unwrap(), None, "one is still connected");
        let (client, mut backend) = last;
        backend.write_all(b"!").unwrap();
        hears(&client, "!");
        drop((client, backend));
        assert_eq!(proxy.line(), "carried 5 bytes to the backend, 1 from it", "{which}");
        proxy.end();
    }
}

#[test]
fn the_book_quotes_the_patterns_that_are_there() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    let book = read("../book/src/patterns.md").unwrap();
    let mut quoted = 0;
    for include in book.split("{{#include ../../examples/").skip(1) {
        let (path, rest) = include.split_once(':').unwrap();
        assert!(rest.starts_with("pattern}}\n"), "{path}");
        let source = read(path).unwrap();
        let (_, shown) = source.split_once("// ANCHOR: pattern\n").unwrap();
        let (shown, _) = shown.split_once("// ANCHOR_END: pattern\n").unwrap();
        assert!(shown.contains("wg::"), "{path}");
        assert!(source.starts_with("//! Pattern "), "{path} begins with its original");
        quoted += 1;
    }
    assert_eq!(quoted, 7);
}
