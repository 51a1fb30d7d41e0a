//! Forwarding allocates nothing: the real data plane on a real shard, a real provider behind it, and an allocator that counts
//! what the shard's thread asks for. Measures no time.

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

/// What happens on a shard beside requests (its once-a-second look around, the executor's timers) may allocate this often
/// in the time that a measurement takes. A request that allocated would exceed it many times over.
const BESIDE_REQUESTS: u64 = 20;

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
    fn start() -> Self {
        let provider = Provider::start(Options {
            keep_requests: 0,
            ..Options::default()
        })
        .expect("a provider");
        let listen = free_address();
        let config = config(listen, &provider.url());
        let (stop, stopped) = oneshot::channel();
        let (told, ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            node::run_until(config, COUNTED_MAIN, stopped, move |running| {
                drop(told.send(()));
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
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join().expect("the node does not panic");
            assert_eq!(ended, Ok(()));
        }
    }
}

fn config(listen: SocketAddr, upstream: &str) -> Config {
    let text = format!(
        "version: 1\nserver:\n  listen: [\"{listen}\"]\n  admin: off\n  cores: 1\n  drain_timeout: 1s\nchains:\n  ethereum:\n    chain_id: 1\n    probe: {{ enabled: false }}\n    upstreams:\n      - {{ name: one, http: \"{upstream}\" }}\n"
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
    fn ask(&mut self, at_once: usize) {
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
        assert!(body.contains(&format!("\"id\":{id},")), "{body}");
        assert!(body.contains("\"result\":"), "{body}");
    }
}

/// Distinct questions, so that none is answered from anything but the provider.
fn request(id: u64) -> String {
    let body = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"eth_getBalance\",\"params\":[\"0x{id:040x}\",\"latest\"]}}"
    );
    format!(
        "POST /rpc/ethereum HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends `REQUESTS` calls and gives the shard's allocations meanwhile.
fn measure(client: &mut Client, at_once: usize) -> u64 {
    let before = counting::allocations();
    for _ in 0..REQUESTS / at_once {
        client.ask(at_once);
    }
    counting::allocations() - before
}

fn assert_none(what: &str, client: &mut Client, at_once: usize) {
    // Until everything that grows has grown: buffers, tables, the connection to the provider.
    measure(client, at_once);
    let allocated = measure(client, at_once);
    println!("{what}: {allocated} allocations in {REQUESTS} requests");
    if allocated > BESIDE_REQUESTS {
        counting::trace(true);
        for _ in 0..4 {
            client.ask(at_once);
        }
        counting::trace(false);
        panic!(
            "{what}: {allocated} allocations in {REQUESTS} requests; those of the next few:\n{}",
            counting::places()
        );
    }
}

// One test: the counter is the process's, and shards of other tests would be counted too.
#[test]
fn forwarded_requests_allocate_nothing() {
    let node = Node::start();
    let mut client = Client::connect(node.listen);
    assert_none("one at a time", &mut client, 1);
    assert_none("pipelined", &mut client, 8);
}
