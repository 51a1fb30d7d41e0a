//! Each fault does to a plain socket what it says, and is counted; the answers are what a node would answer.

mod answers;
mod calls;
mod door;
mod exchanges;
mod tls;

use super::{Fault, FaultId, Handle, Options, Provider, Rule, Sizes};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Long enough for a loaded machine; only tests that fail wait so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long silence must last to be taken for silence.
const SILENCE: Duration = Duration::from_millis(150);

const BALANCE: &str = r#"{"jsonrpc":"2.0","id":7,"method":"eth_getBalance","params":["0x00000000000000000000000000000000000000aa","latest"]}"#;

fn start() -> Handle {
    let sizes = Sizes {
        transactions: 3,
        ..Sizes::default()
    };
    Provider::start(Options {
        sizes,
        ..Options::default()
    })
    .unwrap()
}

/// A provider with one rule in force.
fn start_with(rule: Rule) -> (Handle, FaultId) {
    let provider = start();
    let id = provider.inject(rule);
    (provider, id)
}

/// A plain client that hides nothing.
struct Client(TcpStream);

/// A response as it came.
#[derive(Debug)]
struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    fn connect(provider: &Handle) -> Self {
        let stream = TcpStream::connect(provider.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send(&mut self, body: &str) {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.0.write_all((head + body).as_bytes()).unwrap();
    }

    fn read_head(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(String::from_utf8(head).unwrap())
    }

    /// Reads an answer with a length.
    fn read(&mut self) -> io::Result<Response> {
        let mut response = Response {
            head: self.read_head()?,
            body: Vec::new(),
        };
        response.body.resize(
            response.header("content-length").unwrap().parse().unwrap(),
            0,
        );
        self.0.read_exact(&mut response.body)?;
        Ok(response)
    }

    fn ask(&mut self, body: &str) -> Response {
        self.send(body);
        self.read().unwrap()
    }

    fn call(&mut self, method: &str, params: &str) -> Value {
        let answer = self
            .ask(&format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#
            ))
            .json();
        assert_eq!(answer["id"], 1);
        answer
    }

    /// What still comes, until the end or a reset.
    fn rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut rest = Vec::new();
        let end = self.0.read_to_end(&mut rest).map(drop);
        (rest, end)
    }

    fn assert_reset(&mut self) {
        let error = self.rest().1.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    fn assert_end(&mut self) {
        let (rest, end) = self.rest();
        assert!(rest.is_empty() && end.is_ok(), "{rest:?} {end:?}");
    }

    /// Nothing comes, and the connection stays open.
    fn assert_silent(&mut self) {
        self.0.set_read_timeout(Some(SILENCE)).unwrap();
        let kind = self.0.read(&mut [0]).unwrap_err().kind();
        assert!(
            matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            "{kind:?}"
        );
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

fn ask(provider: &Handle, body: &str) -> Response {
    Client::connect(provider).ask(body)
}

/// The result of a call to a method without parameters.
fn result(provider: &Handle, method: &str) -> Value {
    Client::connect(provider).call(method, "[]")["result"].clone()
}

/// Asks once under a fault and checks that it struck once.
fn ask_under(fault: Fault) -> Response {
    let (provider, id) = start_with(Rule::always(fault));
    let response = ask(&provider, BALANCE);
    assert_eq!(provider.hits(id), 1);
    response
}

/// Sends a request under a fault and hands over the connection; checks that the fault struck once by then.
fn send_under(fault: Fault, check: impl FnOnce(&mut Client)) {
    let (provider, id) = start_with(Rule::always(fault));
    let mut client = Client::connect(&provider);
    client.send(BALANCE);
    check(&mut client);
    assert_eq!(provider.hits(id), 1);
}
