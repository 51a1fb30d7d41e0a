//! Neither forwarding nor a hit allocates anything: the real data plane on a real shard, a real provider behind it, and an allocator that counts
//! what the shard's thread asks for. Measures no time.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod counting;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread::JoinHandle;

use config::{Config, GivenEnvironment};
use livechain::control::{Seat, ShardMain};
use livechain::control_plane::node;
use livechain::data_plane;
use perf::provider::{Handle, Options, Provider};
use tokio::sync::oneshot;

/// The shard's own main, on a thread that is counted.
const COUNTED_MAIN: ShardMain = |seat: Seat| -> Pin<Box<dyn Future<Output = ()>>> {
    counting::count_this_thread();
    data_plane::SHARD_MAIN(seat)
};

/// Where the executor begins: its own timers and its sleep allocate for each tick and each park of the shard, however many
/// requests come between them.
const EXECUTOR: [&str; 3] = ["rt/executor.rs", "rt/turns.rs", "control_plane/fleet.rs"];

/// Requests of one measurement.
const REQUESTS: usize = 1000;

/// A node inside this process, on one core.
struct Node {
    listen: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), String>>>,
    _provider: Handle,
}

impl Node {
    fn start(rest: &str) -> Self {
        let provider = Provider::start(Options {
            keep_requests: 0,
            ..Options::default()
        })
        .expect("a provider");
        let listen = free_address();
        let config = config(listen, &provider.url(), rest);
        let (stop, stopped) = oneshot::channel();
        let (told, ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            node::run_until(config, COUNTED_MAIN, stopped, move |running| {
                told.send(()).expect("the test waits");
                drop(running);
            })
        });
        ready.recv().expect("the node starts");
        Self {
            listen,
            stop: Some(stop),
            thread: Some(thread),
            _provider: provider,
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already, which the join tells.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let ended = thread.join().expect("the node does not panic");
            assert_eq!(ended, Ok(()));
        }
    }
}

fn config(listen: SocketAddr, upstream: &str, rest: &str) -> Config {
    let text = format!(
        "\
version: 1
server: {{ listen: [\"{listen}\"], admin: off, cores: 1, drain_timeout: 1s }}
{rest}
chains:
  ethereum:
    chain_id: 1
    probe: {{ enabled: false }}
    heads: {{ enabled: false }}
    upstreams:
      - {{ name: one, http: \"{upstream}\" }}
"
    );
    let environment = GivenEnvironment::default();
    let catalog = data_plane::catalog();
    config::parse(&text, "test.yaml", Path::new("."), &environment, &catalog)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}

/// A client with one connection that lives.
struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
    next_id: u64,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let writer = TcpStream::connect(address).expect("the node listens");
        writer.set_nodelay(true).expect("an option");
        let reader = BufReader::new(writer.try_clone().expect("a clone"));
        Self {
            writer,
            reader,
            next_id: 1,
        }
    }

    /// Sends so many calls at once and reads their answers, in order.
    fn ask(&mut self, at_once: usize, request: fn(u64) -> String) {
        let first = self.next_id;
        self.next_id += at_once as u64;
        let requests: String = (first..self.next_id).map(request).collect();
        self.writer.write_all(requests.as_bytes()).expect("sent");
        for id in first..self.next_id {
            self.answer(id);
        }
    }

    fn answer(&mut self, id: u64) {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.reader.read_line(&mut line).expect("a line");
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("a body");
        let body = String::from_utf8(body).expect("text");
        let ids = [format!("\"id\":{id},"), format!("\"id\":\"n{id}\",")];
        assert!(ids.iter().any(|id| body.contains(id)), "{body}");
        assert!(body.contains("\"result\":"), "{body}");
    }
}

fn post(head: &str, body: &str) -> String {
    format!(
        "POST /rpc/ethereum HTTP/1.1\r\nhost: localhost\r\n{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A question that nobody has asked before, under an id that may go to the provider.
fn distinct(id: u64) -> String {
    post(
        "",
        &format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"eth_getBalance\",\"params\":[\"0x{id:040x}\",\"latest\"]}}"
        ),
    )
}

/// The same from a page in a browser, under an id that may not: the call is written anew, and so is its answer.
fn rewritten(id: u64) -> String {
    post(
        "origin: https://dapp.example\r\naccept: */*\r\nuser-agent: Mozilla/5.0\r\nx-request-id: 6f1c0b5e\r\n",
        &format!(
            "{{\"id\":\"n{id}\",\"jsonrpc\":\"2.0\",\"params\":[\"0x{id:040x}\",\"latest\"],\"method\":\"eth_getBalance\"}}"
        ),
    )
}

/// The same question again and again.
fn same(id: u64) -> String {
    post(
        "",
        &format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"eth_getBalance\",\"params\":[\"0x{:040x}\",\"latest\"]}}",
            1
        ),
    )
}

/// Sends `REQUESTS` calls and asserts that they made the shard allocate nothing.
fn assert_none(what: &str, client: &mut Client, at_once: usize, request: fn(u64) -> String) {
    let mut ask = || {
        for _ in 0..REQUESTS / at_once {
            client.ask(at_once, request);
        }
    };
    // Until everything that grows has grown: buffers, tables, the connection to the provider. What grows with time and not with
    // requests may do so once more.
    ask();
    let mut last = Vec::new();
    for _ in 0..3 {
        let places = counting::during(&mut ask);
        let total = places.len();
        last = places
            .into_iter()
            .filter(|place| place.is_beyond(&EXECUTOR))
            .collect();
        println!(
            "{what}: {} allocations in {REQUESTS} requests, and {} of the executor's",
            last.len(),
            total - last.len()
        );
        if last.is_empty() {
            return;
        }
    }
    panic!(
        "{what}: {} allocations in {REQUESTS} requests:\n{}",
        last.len(),
        counting::told(&last)
    );
}

// One test: the counter is the process's, and shards of other tests would be counted too.
#[test]
fn requests_allocate_nothing() {
    let forwarding = Node::start("cache: { enabled: false }");
    let mut client = Client::connect(forwarding.listen);
    assert_none("forwarded, one at a time", &mut client, 1, distinct);
    assert_none("forwarded, pipelined", &mut client, 8, distinct);
    assert_none("forwarded, rewritten", &mut client, 1, rewritten);
    drop((client, forwarding));

    let keeping = Node::start("methods: { eth_getBalance: { cache: { ttl: 1h } } }");
    let mut client = Client::connect(keeping.listen);
    assert_none("hits, one at a time", &mut client, 1, same);
    assert_none("hits, pipelined", &mut client, 8, same);
    drop((client, keeping));
}
