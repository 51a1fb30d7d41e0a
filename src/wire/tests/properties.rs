//! Properties: what must hold for every input, not only for the vectors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod vectors;

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::value::RawValue;
use wire::envelope::{Envelope, Kind, Limits, Shape};
use wire::http1::{
    ChunkedDecoder, HeadLimits, Progress, begin_chunk, end_chunk, parse_request_head,
    parse_response_head,
};
use wire::json::{self, Scanner};
use wire::response::{Front, Reply, ReplyFault, ResultStream, parse_reply};
use wire::{filter_id, quantity, splice};

/// A JSON text with everything in it: blanks, escapes, odd numbers, characters of every length.
fn json_text() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        string_text(),
    ];
    scalar.prop_recursive(6, 64, 6, |inner| {
        let blank = "[ \\t\\r\\n]{0,2}";
        prop_oneof![
            prop::collection::vec((blank, inner.clone(), blank), 0..6).prop_map(|items| {
                let items: Vec<_> = items
                    .into_iter()
                    .map(|(before, item, behind)| before + &item + &behind)
                    .collect();
                format!("[{}]", items.join(","))
            }),
            prop::collection::vec((blank, string_text(), blank, inner), 0..6).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(before, key, behind, value)| format!("{before}{key}{behind}:{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A JSON string: plain runs long enough for every fast path, escapes, and characters of one to four bytes.
fn string_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 _]{0,12}",
        "[a-f0-9]{60,200}",
        "\\\\[\"\\\\/bfnrt]",
        "\\\\u[0-9a-fA-F]{4}",
        "\\\\ud83d\\\\ude00",
        "[é€😀\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}]{1,3}",
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Bytes that look like JSON more often than noise would: a legal text with a few bytes changed.
fn broken_json() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any_byte()), 0..3);
    (
        json_text(),
        changes,
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(|(text, changes, cut, cuts)| {
            let mut bytes = text.into_bytes();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if cuts {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            bytes
        })
}

fn any_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        prop::sample::select(b"{}[]\",:\\0123456789eE+-.truefalsn \t\r\nu".to_vec()),
        any::<u8>(),
    ]
}

/// Scans in slices that end at `cuts`.
fn scan_split(bytes: &[u8], cuts: &[usize]) -> Result<usize, json::Fault> {
    let mut scanner = Scanner::<2>::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        match scanner.feed(&bytes[from..to]).map_err(|at| at.fault)? {
            json::Progress::NeedMore => from = to,
            json::Progress::Done { used } => return Ok(from + used),
        }
    }
    scanner.finish().map_err(|at| at.fault)?;
    Ok(bytes.len())
}

fn cut_points(len: usize, indices: &[prop::sample::Index]) -> Vec<usize> {
    let mut cuts: Vec<_> = indices.iter().map(|index| index.index(len + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// serde_json's verdict, as far as it can be asked without its own limits. It counts 128 levels to our 128, refuses
/// numbers too large for a float only when it makes one (a raw value does not), and takes lone surrogates in raw values
/// for what they are: legal escapes.
fn serde_accepts(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

/// Read once, not once a case.
static REQUESTS: LazyLock<Vec<vectors::Vector>> =
    LazyLock::new(|| vectors::read("http1/requests.txt"));

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn legal_texts_are_legal(text in json_text()) {
        prop_assert_eq!(json::validate(text.as_bytes()), Ok(()));
    }

    #[test]
    fn verdicts_agree_with_serde(bytes in broken_json()) {
        prop_assert_eq!(json::validate(&bytes).is_ok(), serde_accepts(&bytes));
    }

    #[test]
    fn verdicts_on_noise_agree_with_serde(bytes in prop::collection::vec(any_byte(), 0..40)) {
        prop_assert_eq!(json::validate(&bytes).is_ok(), serde_accepts(&bytes));
    }

    #[test]
    fn slices_change_no_verdict(
        bytes in broken_json(),
        indices in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let whole = scan_split(&bytes, &[]);
        prop_assert_eq!(scan_split(&bytes, &cut_points(bytes.len(), &indices)), whole);
        let every: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(scan_split(&bytes, &every), whole);
    }

    #[test]
    fn strings_come_back(text in any::<String>()) {
        let mut written = Vec::new();
        json::write_string(&mut written, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&written).ok(), Some(text.clone()));
        let mut back = Vec::new();
        json::unescape(&written[1..written.len() - 1], &mut back);
        prop_assert_eq!(back, text.into_bytes());
    }

    #[test]
    fn unescaping_agrees_with_serde(text in string_text()) {
        // serde_json refuses to make a `String` of a lone surrogate.
        if let Ok(due) = serde_json::from_str::<String>(&text) {
            let mut got = Vec::new();
            json::unescape(&text.as_bytes()[1..text.len() - 1], &mut got);
            prop_assert_eq!(got, due.into_bytes());
        } else {
            let mut got = Vec::new();
            json::unescape(&text.as_bytes()[1..text.len() - 1], &mut got);
            prop_assert!(String::from_utf8(got).is_ok());
        }
    }

    #[test]
    fn chunks_come_back_however_they_are_cut(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        rest in prop::collection::vec(any::<u8>(), 0..5),
        step in 1_usize..9,
    ) {
        let mut body = Vec::new();
        for chunk in &chunks {
            begin_chunk(&mut body, chunk.len());
            body.extend_from_slice(chunk);
            end_chunk(&mut body);
        }
        body.extend_from_slice(wire::http1::LAST_CHUNK);
        let end = body.len();
        body.extend_from_slice(&rest);
        let (data, used) = decode_split(&body, step).expect("own chunks");
        prop_assert_eq!(data, chunks.concat());
        prop_assert_eq!(used, Some(end));
    }

    #[test]
    fn calls_are_ranges_of_the_body(
        id in json_text(), method in string_text(), params in json_text(), swap in any::<bool>(),
    ) {
        let mut members = [
            "\"jsonrpc\":\"2.0\"".to_owned(), format!("\"id\":{id}"), format!("\"method\":{method}"), format!("\"params\":{params}"),
        ];
        if swap {
            members.reverse();
        }
        let body = format!("{{{}}}", members.join(" ,"));
        let mut envelope = Envelope::new();
        prop_assert_eq!(envelope.parse(body.as_bytes(), &Limits::default()), Ok(Shape::Single));
        let item = envelope.items()[0];
        prop_assert_eq!(item.raw.of(body.as_bytes()), body.as_bytes());
        if let Kind::Call(call) = item.kind {
            prop_assert_eq!(item.id.map(|span| span.of(body.as_bytes())), Some(id.as_bytes()));
            prop_assert_eq!(call.method.of(body.as_bytes()), &method.as_bytes()[1..method.len() - 1]);
            let due = (params != "null").then_some(params.as_bytes());
            prop_assert_eq!(call.params.map(|span| span.of(body.as_bytes())), due);
            // What we would write ourselves says the same as what came.
            let mut scratch = Vec::new();
            let name = wire::envelope::method_name(body.as_bytes(), &call, &mut scratch);
            let mut written = Vec::new();
            splice::write_call(&mut written, 5, name, due);
            let mut again = Envelope::new();
            prop_assert_eq!(again.parse(&written, &Limits::default()), Ok(Shape::Single));
            let Kind::Call(rewritten) = again.items()[0].kind else {
                return Err(TestCaseError::fail("no call any more"));
            };
            let mut other = Vec::new();
            prop_assert_eq!(wire::envelope::method_name(&written, &rewritten, &mut other), name);
            prop_assert_eq!(rewritten.params.map(|span| span.of(&written)), Some(due.unwrap_or(b"[]")));
        }
    }

    #[test]
    fn envelopes_take_exactly_what_is_json(bytes in broken_json()) {
        // Two levels more are open around a nested call's params; these texts never get that deep.
        let parsed = Envelope::new().parse(&bytes, &Limits::default());
        let syntax = matches!(parsed, Err(wire::envelope::Refusal::Syntax(_)));
        prop_assert_eq!(syntax, json::validate(&bytes).is_err());
    }

    #[test]
    fn replies_stream_as_they_parse(
        members in prop::collection::vec(reply_member(), 0..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_byte()), 0..2),
        step in 1_usize..40,
    ) {
        let mut body = format!("{{{}}}", members.join(", ")).into_bytes();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        assert_stream_agrees(&body, step)?;
    }

    #[test]
    fn results_come_back(id in json_text(), result in json_text()) {
        let mut reply = Vec::new();
        splice::write_result(&mut reply, id.as_bytes(), result.as_bytes());
        prop_assert_eq!(splice::result_overhead_bytes(id.as_bytes()), reply.len() - result.len());
        prop_assert_eq!(json::validate(&reply), Ok(()));
        let mut ours = Vec::new();
        splice::write_result(&mut ours, b"7", result.as_bytes());
        let Ok(Reply::Result { result: span, verbatim_ok, .. }) = parse_reply(&ours, 7) else {
            return Err(TestCaseError::fail("our own reply"));
        };
        prop_assert!(verbatim_ok);
        prop_assert_eq!(span.of(&ours), result.as_bytes());
    }

    #[test]
    fn errors_come_back(code in any::<i64>(), message in any::<String>(), data in prop::option::of(json_text())) {
        let mut reply = Vec::new();
        splice::write_error(&mut reply, Some(b"7"), code, &message, data.as_deref().map(str::as_bytes));
        let Ok(Reply::Error(error)) = parse_reply(&reply, 7) else {
            return Err(TestCaseError::fail("our own error"));
        };
        prop_assert!(error.regular);
        prop_assert_eq!(error.code, Some(code));
        prop_assert_eq!(error.data.map(|span| span.of(&reply)), data.as_deref().filter(|data| *data != "null").map(str::as_bytes));
        let mut scratch = wire::params::Scratch::new();
        prop_assert_eq!(wire::params::error_words(&reply, &error, &mut scratch).message, message);
    }

    #[test]
    fn filter_ids_come_back(name in ".{0,20}", digits in "[0-9a-fA-F]{1,56}") {
        let tag = filter_id::tag(&name);
        let mut ours = Vec::new();
        filter_id::encode(&mut ours, tag, format!("0x{digits}").as_bytes()).expect("it fits");
        let decoded = filter_id::decode(&ours).expect("ours");
        prop_assert_eq!(decoded.tag, tag);
        prop_assert_eq!(decoded.digits, digits.as_bytes());
        // As an integer and back, it is the same text (but for the case of the node's digits).
        prop_assert!(ours.len() <= 66 && ours[2] != b'0');
    }

    #[test]
    fn quantities_come_back(value in any::<u64>()) {
        let mut text = Vec::new();
        quantity::write(&mut text, value);
        prop_assert_eq!(quantity::parse(&text), Some(value));
    }

    #[test]
    fn heads_are_the_same_whatever_follows(
        noise in prop::collection::vec(any::<u8>(), 0..60),
        which in any::<prop::sample::Index>(),
    ) {
        let limits = HeadLimits::default();
        let mut bytes = REQUESTS[which.index(REQUESTS.len())].bytes.clone();
        if let Ok(Some(head)) = parse_request_head(&bytes, &limits) {
            let (framing, head_bytes) = (head.framing, head.head_bytes);
            prop_assert_eq!(head_bytes, bytes.len());
            bytes.extend_from_slice(&noise);
            let head = parse_request_head(&bytes, &limits).expect("still right").expect("still whole");
            prop_assert_eq!((head.framing, head.head_bytes), (framing, head_bytes));
        }
    }
}

/// A member of a reply, right or wrong.
fn reply_member() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\"jsonrpc\":\"2.0\"".to_owned()),
        Just("\"id\":7".to_owned()),
        Just("\"id\": 7 ".to_owned()),
        Just("\"id\":null".to_owned()),
        Just("\"error\":null".to_owned()),
        Just("\"result\":null".to_owned()),
        Just("\"error\":{\"code\":3,\"message\":\"execution reverted\"}".to_owned()),
        json_text().prop_map(|value| format!("\"result\":{value}")),
        json_text().prop_map(|value| format!("\"result\" : {value}\n")),
        json_text().prop_map(|value| format!("\"r\\u0065sult\":{value}")),
        (string_text(), json_text()).prop_map(|(key, value)| format!("{key}:{value}")),
    ]
}

/// The stream gives the same verdict as the whole-body parser, and points out the same bytes, for slices of `step` bytes.
fn assert_stream_agrees(body: &[u8], step: usize) -> Result<(), TestCaseError> {
    let mut stream = ResultStream::new(7);
    let mut result = Vec::new();
    let mut streamed = Ok(());
    for slice in body.chunks(step) {
        match stream.feed(slice) {
            Ok(fed) => result.extend_from_slice(fed.result.of(slice)),
            Err(fault) => {
                streamed = Err(fault);
                break;
            }
        }
    }
    let streamed = streamed.and_then(|()| stream.finish());
    match parse_reply(body, 7) {
        Err(_) => prop_assert!(
            streamed.is_err(),
            "the stream takes what the parser refuses"
        ),
        Ok(Reply::Error(_)) => {
            prop_assert_eq!(streamed, Ok(()));
            prop_assert_eq!(stream.front(), Front::Error);
        }
        Ok(Reply::Result { result: span, .. }) => {
            prop_assert_eq!(streamed, Ok(()));
            if span.of(body) == b"null" {
                prop_assert_eq!(stream.front(), Front::NeedMore);
                prop_assert!(result.is_empty());
            } else {
                prop_assert_eq!(stream.front(), Front::Result { id_checked: true });
                prop_assert_eq!(&result[..], span.of(body));
            }
        }
    }
    Ok(())
}

#[test]
fn reply_vectors_stream_as_they_parse() {
    for vector in vectors::read("jsonrpc/replies.txt") {
        for step in (1..=70).chain([vector.bytes.len().max(1)]) {
            let agrees = assert_stream_agrees(&vector.bytes, step);
            assert!(agrees.is_ok(), "{} by {step}: {agrees:?}", vector.name);
        }
        if vector.bytes.is_empty() {
            assert_eq!(ResultStream::new(7).finish(), Err(ReplyFault::Empty));
        }
    }
}

#[test]
fn a_stream_is_refused_before_its_result_when_its_front_is_wrong() {
    for (front, fault) in [
        (
            r#"{"jsonrpc":"2.0","id":null,"result":["#,
            ReplyFault::WrongId,
        ),
        (r#"{"jsonrpc":"2.0","id":8,"result":["#, ReplyFault::WrongId),
        (
            r#"{"jsonrpc":"2.0","id":"7","result":["#,
            ReplyFault::WrongId,
        ),
        (r#"{"jsonrpc":"1.0","id":7,"result":["#, ReplyFault::Version),
        (r#"{"error":{},"result":["#, ReplyFault::Both),
        (r#"{"id":7,"id":7,"result":["#, ReplyFault::Duplicate),
        ("<html>", ReplyFault::Html),
        ("[{", ReplyFault::Shape),
        (
            "upstream connect error",
            ReplyFault::Json(json::Fault::Unexpected),
        ),
    ] {
        assert_eq!(
            ResultStream::new(7).feed(front.as_bytes()),
            Err(fault),
            "{front}"
        );
    }
    // And as soon as the second of two members contradicts the first, wherever the rest may be.
    for (front, fault) in [
        (r#"{"result":[1],"id":null"#, ReplyFault::WrongId),
        (r#"{"result":[1],"error":{"#, ReplyFault::Both),
        (r#"{"result":[1],"result":"#, ReplyFault::Duplicate),
    ] {
        let mut stream = ResultStream::new(7);
        let fed = stream.feed(&front.as_bytes()[..12]).expect("right so far");
        assert_eq!(fed.result.of(front.as_bytes()), b"[1");
        assert_eq!(stream.front(), Front::Result { id_checked: false });
        let rest = [&front.as_bytes()[12..], b","].concat();
        assert_eq!(stream.feed(&rest), Err(fault), "{front}");
    }
}

#[test]
fn an_id_too_long_to_be_kept_is_wrong_wherever_it_is_cut() {
    let mut stream = ResultStream::new(7);
    assert!(stream.feed(br#"{"id":7"#).is_ok());
    let rest = format!("{},", "0".repeat(100));
    assert_eq!(stream.feed(rest.as_bytes()), Err(ReplyFault::WrongId));
}

#[test]
fn a_legal_text_cut_short_is_not_legal() {
    for vector in vectors::read("json/accept.txt") {
        // A number's beginning may be a number.
        if vector.bytes[0].is_ascii_digit() || vector.bytes[0] == b'-' {
            continue;
        }
        for cut in 0..vector.bytes.len() {
            let left = &vector.bytes[..cut];
            let fault = json::validate(left).map_err(|at| at.fault);
            assert_eq!(
                fault,
                Err(json::Fault::Truncated),
                "{} at {cut}",
                vector.name
            );
        }
    }
}

/// Decodes slices of `step` bytes: the data, and how many bytes the body took if it came to its end.
fn decode_split(
    body: &[u8],
    step: usize,
) -> Result<(Vec<u8>, Option<usize>), wire::http1::ChunkFault> {
    let mut decoder = ChunkedDecoder::new();
    let mut data = Vec::new();
    for (index, slice) in body.chunks(step).enumerate() {
        let mut at = 0;
        loop {
            match decoder.decode(&slice[at..])? {
                Progress::Data {
                    data: span,
                    consumed,
                } => {
                    data.extend_from_slice(span.of(&slice[at..]));
                    at += consumed;
                }
                Progress::NeedMore => break,
                Progress::End { consumed } => {
                    return Ok((data, Some(index * step + at + consumed)));
                }
            }
        }
    }
    Ok((data, None))
}

#[test]
fn chunk_vectors_decode_the_same_in_slices() {
    for vector in vectors::read("http1/chunked.txt") {
        let whole = decode_split(&vector.bytes, vector.bytes.len().max(1));
        for step in [1, 2, 3, 5] {
            assert_eq!(
                decode_split(&vector.bytes, step),
                whole,
                "{} by {step}",
                vector.name
            );
        }
    }
}

#[test]
fn a_head_that_is_whole_was_incomplete_before() {
    let limits = HeadLimits::default();
    for vector in vectors::read("http1/requests.txt") {
        if vector.expected.starts_with("ok") {
            for cut in 0..vector.bytes.len() {
                let early = parse_request_head(&vector.bytes[..cut], &limits);
                assert!(
                    matches!(early, Ok(None)),
                    "{} at {cut}: {early:?}",
                    vector.name
                );
            }
        }
    }
    for vector in vectors::read("http1/responses.txt") {
        if vector.expected.starts_with("ok") {
            for cut in 0..vector.bytes.len() {
                let early = parse_response_head(&vector.bytes[..cut], false, &limits);
                assert!(
                    matches!(early, Ok(None)),
                    "{} at {cut}: {early:?}",
                    vector.name
                );
            }
        }
    }
}
