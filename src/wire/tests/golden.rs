//! The golden vectors: what each input must come to, spelled out in `tests/vectors`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod vectors;

use vectors::Vector;
use wire::block::{BlockRef, Form, Height, block_of};
use wire::canonical::write_params;
use wire::envelope::{Envelope, Kind, Limits, Refusal, Shape, method_name};
use wire::facts::result_facts;
use wire::http1::{
    BodyFraming, ChunkedDecoder, ContentEncoding, HeadLimits, Progress, ResponseFraming,
    parse_request_head, parse_response_head,
};
use wire::json;
use wire::params::first_string;
use wire::response::{BatchReplies, BatchShape, ErrorView, IdMatch, Reply, Slot, parse_reply};

/// Compares what came of each vector with what must, and reports all differences at once.
fn check(file: &str, outcome: impl Fn(&Vector) -> String) {
    let mut differences = Vec::new();
    for vector in vectors::read(file) {
        let outcome = outcome(&vector);
        if outcome.trim_end() != vector.expected.trim_end() {
            let name = &vector.name;
            let expected = &vector.expected;
            differences.push(format!("{name}:\n    due {expected}\n    got {outcome}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{file}:\n{}",
        differences.join("\n")
    );
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn request_heads() {
    check("http1/requests.txt", |vector| {
        let limits = HeadLimits::default();
        match parse_request_head(&vector.bytes, &limits) {
            Ok(None) => "more".into(),
            Err(error) => format!("{} {error:?}", error.status()),
            Ok(Some(head)) => {
                let framing = match head.framing {
                    BodyFraming::None => "none".into(),
                    BodyFraming::Length(length) => length.to_string(),
                    BodyFraming::Chunked => "chunked".into(),
                };
                let close = if head.keep_alive { "" } else { " close" };
                let waits = if head.expect_continue {
                    " continue"
                } else {
                    ""
                };
                format!("ok {:?} {framing}{close}{waits}", head.method)
            }
        }
    });
}

#[test]
fn response_heads() {
    check("http1/responses.txt", |vector| {
        match parse_response_head(&vector.bytes, false, &HeadLimits::default()) {
            Ok(None) => "more".into(),
            Err(error) => format!("{error:?}"),
            Ok(Some(head)) => {
                let framing = match head.framing {
                    ResponseFraming::None => "none".into(),
                    ResponseFraming::Length(length) => length.to_string(),
                    ResponseFraming::Chunked => "chunked".into(),
                    ResponseFraming::UntilClose => "until-close".into(),
                };
                let close = if head.keep_alive { "" } else { " close" };
                let encoding = match head.content_encoding {
                    ContentEncoding::Identity => "",
                    ContentEncoding::Gzip => " gzip",
                    ContentEncoding::Other => " other",
                };
                format!("ok {} {framing}{close}{encoding}", head.status)
            }
        }
    });
}

#[test]
fn chunked_bodies() {
    check("http1/chunked.txt", |vector| {
        let mut decoder = ChunkedDecoder::new();
        let mut data = Vec::new();
        let mut rest = &vector.bytes[..];
        loop {
            match decoder.decode(rest) {
                Ok(Progress::NeedMore) => return "more".into(),
                Err(fault) => return format!("{fault:?}"),
                Ok(Progress::Data {
                    data: span,
                    consumed,
                }) => {
                    data.extend_from_slice(span.of(rest));
                    rest = &rest[consumed..];
                }
                Ok(Progress::End { consumed }) => {
                    rest = &rest[consumed..];
                    return format!("ok {} // {}", text(&data), text(rest));
                }
            }
        }
    });
}

#[test]
fn legal_json() {
    check("json/accept.txt", |vector| {
        match json::validate(&vector.bytes) {
            Ok(()) => "ok".into(),
            Err(fault) => format!("{fault:?}"),
        }
    });
}

#[test]
fn illegal_json() {
    check("json/reject.txt", |vector| {
        match json::validate(&vector.bytes) {
            Ok(()) => "ok".into(),
            Err(fault) => format!("{:?}", fault.fault),
        }
    });
}

#[test]
fn envelopes() {
    let limits = Limits {
        max_batch_calls: 4,
        max_method_bytes: 16,
    };
    check("jsonrpc/envelopes.txt", |vector| {
        let body = &vector.bytes;
        let id = |id: Option<wire::Span>| id.map_or("null".into(), |id| text(id.of(body)));
        let mut envelope = Envelope::new();
        let shape = match envelope.parse(body, &limits) {
            Ok(Shape::Single) => "single",
            Ok(Shape::Batch) => "batch",
            Err(refusal) => {
                assert!(envelope.items().is_empty());
                let (of, array) = match refusal {
                    Refusal::BatchTooLarge { first_id } => (id(first_id), " array"),
                    _ => (id(None), ""),
                };
                let (code, message) = (refusal.code(), refusal.message());
                return format!("refused {of} {code} {message}{array}");
            }
        };
        let items: Vec<_> = envelope
            .items()
            .iter()
            .map(|item| {
                let mut scratch = Vec::new();
                let mut what = |call: &wire::envelope::Call| {
                    let params = call
                        .params
                        .map_or("-".into(), |params| text(params.of(body)));
                    format!("{} {params}", text(method_name(body, call, &mut scratch)))
                };
                match &item.kind {
                    Kind::Call(call) => {
                        let verbatim = if call.verbatim_ok { " verbatim" } else { "" };
                        format!("call {} {}{verbatim}", id(item.id), what(call))
                    }
                    Kind::Notification(call) => format!("notify {}", what(call)),
                    Kind::Invalid(why) => {
                        format!("error {} {} {}", id(item.id), why.code(), why.message())
                    }
                }
            })
            .collect();
        format!("{shape} {}", items.join(" ; "))
    });
}

/// The words of an error as the vectors spell it.
fn describe_error(body: &[u8], error: &ErrorView) -> String {
    let code = error.code.map_or("-".into(), |code| code.to_string());
    let message = error.message.map_or("-".into(), |message| {
        let mut out = Vec::new();
        json::unescape(message.span.of(body), &mut out);
        text(&out)
    });
    let data = error.data.map_or("-".into(), |data| text(data.of(body)));
    let regular = if error.regular { " regular" } else { "" };
    let id = match error.id {
        IdMatch::Equal => "",
        IdMatch::Null => " null-id",
        IdMatch::Absent => " no-id",
    };
    format!("error {code} {message} // {data}{regular}{id}")
}

#[test]
fn replies() {
    check("jsonrpc/replies.txt", |vector| {
        let body = &vector.bytes;
        match parse_reply(body, 7) {
            Err(fault) => format!("fault {}", fault.label()),
            Ok(Reply::Error(error)) => describe_error(body, &error),
            Ok(Reply::Result {
                result,
                id,
                verbatim_ok,
            }) => {
                assert_eq!(id.of(body), b"7");
                let verbatim = if verbatim_ok { " verbatim" } else { "" };
                format!("result {}{verbatim}", text(result.of(body)))
            }
        }
    });
}

#[test]
fn batch_replies() {
    check("jsonrpc/batches.txt", |vector| {
        let body = &vector.bytes;
        let mut replies = BatchReplies::new();
        match replies.parse(body, 7, 3) {
            Err(fault) => format!("fault {}", fault.label()),
            Ok(BatchShape::OneError(error)) => format!("one {}", error.code.unwrap_or_default()),
            Ok(BatchShape::Items) => {
                let mut slots: Vec<_> = replies
                    .slots()
                    .iter()
                    .map(|slot| match slot {
                        Slot::Missing => "?".into(),
                        Slot::Duplicate => "=".into(),
                        Slot::Faulty(fault) => format!("~{}", fault.label()),
                        Slot::Reply(Reply::Result { result, .. }) => text(result.of(body)),
                        Slot::Reply(Reply::Error(error)) => {
                            format!("!{}", error.code.unwrap_or_default())
                        }
                    })
                    .collect();
                if replies.strays() > 0 {
                    slots.push(format!("+{}", replies.strays()));
                }
                format!("items {}", slots.join(" "))
            }
        }
    });
}

fn describe_height(height: Height) -> String {
    match height {
        Height::Tag(tag) => tag.name().into(),
        Height::Number(number) => format!("#{number}"),
    }
}

fn describe_block(block: BlockRef) -> String {
    match block {
        BlockRef::At(height) => describe_height(height),
        BlockRef::Range { from, to } => {
            format!("{}..{}", describe_height(from), describe_height(to))
        }
        BlockRef::Hash([a, b, c, d, ..]) => format!("0x{a:02x}{b:02x}{c:02x}{d:02x}"),
        BlockRef::Unreadable => "?".into(),
    }
}

#[test]
fn call_params() {
    check("jsonrpc/params.txt", |vector| {
        // The envelope hands out params without the blanks around them.
        let params = vector.bytes.trim_ascii();
        let block = describe_block(block_of(Some(params), 1, Form::NumberTagOrHash, true));
        let range = describe_block(block_of(Some(params), 0, Form::Range, false));
        let first = first_string(params).map_or("-".into(), |first| text(first.of(params)));
        format!("{block} // {range} // {first}")
    });
}

#[test]
fn canonical_params() {
    check("jsonrpc/canonical.txt", |vector| {
        let mut canonical = Vec::new();
        match write_params(&mut canonical, Some(vector.bytes.trim_ascii())) {
            Ok(()) => text(&canonical),
            Err(why) => format!("! {}", why.label()),
        }
    });
}

#[test]
fn facts_of_results() {
    check("jsonrpc/results.txt", |vector| {
        let facts = result_facts(vector.bytes.trim_ascii());
        let mut said = Vec::new();
        for (fact, name) in [
            (facts.null, "null"),
            (facts.empty, "empty"),
            (facts.pending, "pending"),
        ] {
            if fact {
                said.push(name.to_owned());
            }
        }
        said.extend(facts.block_number.map(|number| format!("#{number}")));
        if said.is_empty() {
            "-".into()
        } else {
            said.join(" ")
        }
    });
}

#[test]
fn filter_ids() {
    check(
        "jsonrpc/filter_ids.txt",
        |vector| match wire::filter_id::decode(&vector.bytes) {
            Ok(decoded) => format!("ours {:07x} {}", decoded.tag, text(decoded.digits)),
            Err(error) => format!("{error:?}"),
        },
    );
}
