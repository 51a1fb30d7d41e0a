//! What parsing costs, on the golden vectors: `cargo bench --bench parse`. Each line is nanoseconds an operation, the best of
//! seven rounds; run it under `valgrind --tool=callgrind` for instruction counts. It judges nothing and fails nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use wire::envelope::{Envelope, Limits};
use wire::http1::{HeadLimits, parse_request_head};
use wire::response::parse_reply;

const BALANCE: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x0000000000000000000000000000000000000001","latest"]}"#;
const ANSWER: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":"0x1bc16d674ec80000"}"#;
const HEAD: &[u8] = b"POST /rpc/ethereum HTTP/1.1\r\nhost: 127.0.0.1:8545\r\ncontent-type: application/json\r\naccept: */*\r\ncontent-length: 118\r\n\r\n";

fn main() {
    let mut envelope = Envelope::new();
    let limits = Limits::default();
    report("request head, 4 fields", || {
        let head = parse_request_head(black_box(HEAD), &HeadLimits::default());
        black_box(head.is_ok());
    });
    report("envelope, eth_getBalance", || {
        black_box(envelope.parse(black_box(BALANCE), &limits).is_ok());
    });
    report("reply, a balance", || {
        black_box(parse_reply(black_box(ANSWER), 1).is_ok());
    });
    let logs = long_answer();
    report("reply, a megabyte of logs", || {
        black_box(parse_reply(black_box(&logs), 1).is_ok());
    });
    report("method lookup", || {
        black_box(engine::method::lookup(black_box(b"eth_getBalance")));
    });
}

/// An answer like eth_getLogs gives, about a megabyte.
fn long_answer() -> Vec<u8> {
    let log = r#"{"address":"0x00000000000000000000000000000000000000aa","topics":["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"],"data":"0x","blockNumber":"0x10","logIndex":"0x0","removed":false}"#;
    let logs = vec![log; (1 << 20) / log.len()].join(",");
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":[{logs}]}}"#).into_bytes()
}

/// Prints the best of seven rounds of about 20 ms.
fn report(what: &str, mut operation: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let (began, mut count) = (Instant::now(), 0u32);
        while began.elapsed() < Duration::from_millis(20) {
            operation();
            count += 1;
        }
        best = best.min(began.elapsed().as_nanos() as f64 / f64::from(count));
    }
    println!("{what:<28} {best:>12.0} ns");
}
