//! Stages that turn bytes to views and back.

use std::hint::black_box;

use wire::block::{Form, block_of};
use wire::canonical::write_params;
use wire::envelope::{Envelope, Limits};
use wire::facts::result_facts;
use wire::http1::{
    BodyLength, Connection, HeadLimits, RequestMemo, RequestPrefix, ResponseMemo, ResponseParts,
    Version, parse_request_head, parse_response_head, write_request_head, write_request_prefix,
    write_response_head,
};
use wire::response::{BatchReplies, ResultStream, parse_reply};
use wire::splice::{write_call, write_result};

use super::Stage;

const BALANCE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x00000000219ab540356cbb839cbe05303d7705fa","latest"]}"#;
const BALANCE_PARAMS: &str = r#"["0x00000000219ab540356cbb839cbe05303d7705fa","latest"]"#;
const CHECKSUMMED: &str = r#"["0x00000000219ab540356cBB839Cbe05303d7705Fa","latest"]"#;
const CALL_PARAMS: &str = r#"[{"to":"0x6b175474e89094c44da98b954eedeac495271d0f","data":"0x70a08231000000000000000000000000bf4ed7b27f1d666546e30d74d50d173d20bca754"},"latest"]"#;
const FILTER_PARAMS: &str = r#"[{"fromBlock":"0x1312d00","toBlock":"0x1312d64","address":"0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48","topics":["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",null]}]"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":"0x1bc16d674ec80000"}"#;
const RESULT: &[u8] = br#""0x1bc16d674ec80000""#;
const REQUEST_HEAD: &str = "POST /rpc/ethereum HTTP/1.1\r\nhost: 127.0.0.1:8545\r\ncontent-type: application/json\r\naccept: */*\r\ncontent-length: 118\r\n\r\n";
const BROWSER_HEAD: &str = "POST /rpc/ethereum HTTP/1.1\r\nHost: rpc.example.org\r\nConnection: keep-alive\r\nContent-Length: 118\r\nsec-ch-ua: \"Chromium\";v=\"130\"\r\nsec-ch-ua-platform: \"Linux\"\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\ncontent-type: application/json\r\nAccept: */*\r\nOrigin: https://app.example.org\r\nReferer: https://app.example.org/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n";
const RESPONSE_HEAD: &str = "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 54\r\nConnection: keep-alive\r\nVary: Origin\r\n\r\n";
const TRANSACTION: &str = r#"{"blockHash":"0x1d59ff54b1eb26b013ce3cb5fc9dab3705b415a67127a003c3e61eb445bb8df2","blockNumber":"0x5daf3b","from":"0xa7d9ddbe1f17865597fbd27ec712455208b6b76d","gas":"0xc350","gasPrice":"0x4a817c800","hash":"0x88df016429689c079f3b2f6ad39fa052532c56795b733da78a91ebe6a713944b","input":"0x68656c6c6f21","nonce":"0x15","to":"0xf02c1c8e6114b1dbe8937a39260b5b0a374432bb","transactionIndex":"0x41","value":"0xf3dbb76162000","v":"0x25","r":"0x1b5e176d927f8e9ab405058b2d2457392da3e20f328b16ddabcebc33eaac5fea","s":"0x4ba69724e8f69de52f0125ad8b3c5c2cef33019bac3249e2c0a2192766d1721c"}"#;
const LOG: &str = r#"{"address":"0x00000000000000000000000000000000000000aa","topics":["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"],"data":"0x","blockNumber":"0x10","logIndex":"0x0","removed":false}"#;

/// In the order of a call's path.
pub(super) fn stages() -> impl Iterator<Item = Stage> {
    let stage = |at, of, times, run| Stage { at, of, times, run };
    [
        stage("head", "request, 4 fields", 1000, |times| {
            request_head(REQUEST_HEAD, times);
        }),
        stage("head", "request of a browser, 12 fields", 1000, |times| {
            request_head(BROWSER_HEAD, times);
        }),
        stage("head", "request, the one before again", 1000, |times| {
            request_again(REQUEST_HEAD, times);
        }),
        stage("head", "request of a browser, again", 1000, |times| {
            request_again(BROWSER_HEAD, times);
        }),
        stage("parse", "eth_getBalance", 1000, |times| {
            envelope(BALANCE, times);
        }),
        stage("parse", "100 × eth_getBalance in a batch", 100, |times| {
            envelope(&batch(BALANCE), times);
        }),
        stage("key", "eth_getBalance", 1000, |times| {
            key(BALANCE_PARAMS, times);
        }),
        stage("key", "eth_getBalance, checksummed", 1000, |times| {
            key(CHECKSUMMED, times);
        }),
        stage("key", "eth_call, members out of order", 1000, |times| {
            key(CALL_PARAMS, times);
        }),
        stage("key", "eth_getLogs, members out of order", 1000, |times| {
            key(FILTER_PARAMS, times);
        }),
        stage("block", "eth_getBalance", 1000, |times| {
            block(BALANCE_PARAMS, 1, Form::NumberTagOrHash, times);
        }),
        stage("block", "eth_call", 1000, |times| {
            block(CALL_PARAMS, 1, Form::NumberTagOrHash, times);
        }),
        stage("block", "eth_getLogs", 1000, |times| {
            block(FILTER_PARAMS, 0, Form::Range, times);
        }),
        stage("splice", "a call under our own id", 1000, splice_call),
        stage("splice", "an upstream's request head", 1000, upstream_head),
        stage("head", "response, 5 fields", 1000, response_head),
        stage(
            "head",
            "response, the one before again",
            1000,
            response_again,
        ),
        stage("reply", "a balance", 1000, |times| reply(ANSWER, times)),
        stage("reply", "100 balances in a batch", 100, batch_reply),
        stage("reply", "100 kB of logs", 20, |times| {
            reply(&logs_answer(), times);
        }),
        stage("reply", "100 kB of calldata", 20, |times| {
            reply(&calldata_answer(), times);
        }),
        stage("reply", "100 kB of logs, streamed by 16 kB", 20, streamed),
        stage("facts", "a balance", 1000, |times| {
            facts(RESULT, times);
        }),
        stage("facts", "a transaction", 1000, |times| {
            facts(TRANSACTION.as_bytes(), times);
        }),
        stage("facts", "100 kB of logs", 20, |times| {
            facts(logs().as_bytes(), times);
        }),
        stage("splice", "an answer", 1000, splice_result),
        stage("splice", "a response head", 1000, client_head),
    ]
    .into_iter()
}

fn request_head(head: &str, times: u64) {
    let limits = HeadLimits::default();
    for _ in 0..times {
        let head = parse_request_head(black_box(head.as_bytes()), black_box(&limits));
        assert!(matches!(black_box(head), Ok(Some(_))));
    }
}

fn request_again(head: &str, times: u64) {
    let limits = HeadLimits::default();
    let mut memo = RequestMemo::default();
    for _ in 0..times {
        let head = memo.parse(black_box(head.as_bytes()), black_box(&limits));
        assert!(matches!(black_box(head), Ok(Some(_))));
    }
}

fn response_again(times: u64) {
    let limits = HeadLimits::default();
    let mut memo = ResponseMemo::default();
    for _ in 0..times {
        let head = memo.parse(black_box(RESPONSE_HEAD.as_bytes()), black_box(&limits));
        assert!(matches!(black_box(head), Ok(Some(_))));
    }
}

fn response_head(times: u64) {
    let limits = HeadLimits::default();
    for _ in 0..times {
        let head = parse_response_head(black_box(RESPONSE_HEAD.as_bytes()), false, &limits);
        assert!(matches!(black_box(head), Ok(Some(_))));
    }
}

fn batch(call: &str) -> String {
    format!("[{}]", vec![call; 100].join(","))
}

fn envelope(body: &str, times: u64) {
    let mut envelope = Envelope::new();
    let limits = Limits::default();
    for _ in 0..times {
        let parsed = envelope.parse(black_box(body.as_bytes()), black_box(&limits));
        assert!(parsed.is_ok() && !black_box(envelope.items()).is_empty());
    }
}

fn key(params: &str, times: u64) {
    let mut out = Vec::with_capacity(1024);
    for _ in 0..times {
        out.clear();
        let written = write_params(black_box(&mut out), black_box(Some(params.as_bytes())));
        assert!(black_box(written).is_ok());
    }
}

fn block(params: &str, index: usize, form: Form, times: u64) {
    for _ in 0..times {
        black_box(block_of(
            black_box(Some(params.as_bytes())),
            black_box(index),
            black_box(form),
            true,
        ));
    }
}

fn splice_call(times: u64) {
    let mut out = Vec::with_capacity(1024);
    for _ in 0..times {
        out.clear();
        let params = black_box(Some(BALANCE_PARAMS.as_bytes()));
        write_call(
            &mut out,
            black_box(123_456),
            black_box(b"eth_getBalance"),
            params,
        );
        black_box(&out);
    }
}

fn upstream_head(times: u64) {
    let mut prefix = Vec::new();
    let parts = RequestPrefix {
        target: b"/v2/0123456789abcdef",
        host: b"eth-mainnet.example.org",
        accept_gzip: true,
        user_agent: b"livechain/0.1.0",
        extra_block: b"",
    };
    write_request_prefix(&mut prefix, &parts).expect("a head");
    let mut out = Vec::with_capacity(1024);
    for _ in 0..times {
        out.clear();
        write_request_head(&mut out, black_box(&prefix), black_box(118));
        black_box(&out);
    }
}

fn reply(body: &str, times: u64) {
    for _ in 0..times {
        let reply = parse_reply(black_box(body.as_bytes()), black_box(1));
        assert!(black_box(reply).is_ok());
    }
}

fn batch_reply(times: u64) {
    let replies: Vec<_> = (0..100)
        .map(|id| ANSWER.replace("\"id\":1", &format!("\"id\":{}", id + 1)))
        .collect();
    let body = format!("[{}]", replies.join(","));
    let mut replies = BatchReplies::new();
    for _ in 0..times {
        let parsed = replies.parse(black_box(body.as_bytes()), black_box(1), 100);
        assert!(black_box(parsed).is_ok());
    }
}

/// A result as eth_getLogs gives it, about 100 kB.
fn logs() -> String {
    format!("[{}]", vec![LOG; 100_000 / LOG.len()].join(","))
}

fn logs_answer() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{}}}"#, logs())
}

fn calldata_answer() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":"0x{}"}}"#,
        "0f".repeat(50_000)
    )
}

fn streamed(times: u64) {
    let body = logs_answer();
    for _ in 0..times {
        let mut stream = ResultStream::new(1);
        for slice in black_box(body.as_bytes()).chunks(16 * 1024) {
            assert!(black_box(stream.feed(slice)).is_ok());
        }
        assert_eq!(stream.finish(), Ok(()));
    }
}

fn facts(result: &[u8], times: u64) {
    for _ in 0..times {
        black_box(result_facts(black_box(result)));
    }
}

fn splice_result(times: u64) {
    let mut out = Vec::with_capacity(1024);
    for _ in 0..times {
        out.clear();
        write_result(&mut out, black_box(b"42"), black_box(RESULT));
        black_box(&out);
    }
}

fn client_head(times: u64) {
    let mut out = Vec::with_capacity(1024);
    for _ in 0..times {
        out.clear();
        let parts = ResponseParts {
            status: 200,
            version: Version::Http11,
            content_type: Some(b"application/json"),
            body: BodyLength::Known(54),
            connection: Connection::KeepAlive,
            request_id: None,
            extra_block: b"",
        };
        write_response_head(&mut out, black_box(&parts));
        black_box(&out);
    }
}
