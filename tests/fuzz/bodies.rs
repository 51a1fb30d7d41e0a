//! What each fuzz target does with its bytes, in one place: the libFuzzer targets beside this file call these, and so
//! does a test of `wire` that runs on the stable compiler. Besides "no panic", each checks what must hold for any input.

use wire::envelope::{Envelope, Kind, Limits, Refusal};
use wire::http1::{
    BodyFraming, ChunkFault, ChunkedDecoder, HeadLimits, Progress, RequestMemo, ResponseFraming,
    ResponseMemo, begin_chunk, end_chunk, parse_request_head, parse_response_head,
};
use wire::response::{BatchReplies, BatchShape, Front, Reply, ResultStream, Slot, parse_reply};
use wire::{Span, block, canonical, facts, filter_id, json, params, quantity, splice};

/// What a target does with its bytes.
pub type Body = fn(&[u8]);

/// Every target by its name.
#[allow(dead_code, reason = "a single target needs only its own")]
pub const TARGETS: [(&str, Body); 13] = [
    ("request_head", request_head),
    ("response_head", response_head),
    ("chunked", chunked),
    ("json", json_text),
    ("envelope", envelope),
    ("reply", reply),
    ("batch_reply", batch_reply),
    ("result_stream", result_stream),
    ("params", call_params),
    ("filter_id", filter_ids),
    ("canonical", canonical_params),
    ("block", block_params),
    ("facts", facts_of_results),
];

/// The id that replies are expected to have.
const ID: u64 = 7;

/// The lines of a head without their ends, by a reader that is as plain as can be.
fn head_lines(head: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(head).into_owned();
    let text = text.strip_prefix("\r\n").unwrap_or(&text);
    text.split("\r\n").map(str::to_owned).collect()
}

/// Checks the framing of an accepted head against a plain reading of its lines: no two readers may disagree on it.
fn check_lines(head: &[u8], length: Option<u64>, chunked: bool) {
    let mut lengths = Vec::new();
    let mut encodings = Vec::new();
    for line in head_lines(head).iter().skip(1) {
        assert!(!line.contains(['\r', '\n', '\0']), "a control byte");
        assert!(!line.starts_with([' ', '\t']), "a folded line");
        let Some((name, value)) = line.split_once(':') else {
            assert!(line.is_empty(), "a line without a colon");
            continue;
        };
        assert!(!name.ends_with([' ', '\t']), "a blank before the colon");
        let value = value.trim_matches([' ', '\t']).to_owned();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => lengths.push(value),
            "transfer-encoding" => encodings.push(value),
            _ => {}
        }
    }
    assert!(lengths.len() + encodings.len() <= 1, "two framings");
    let read = lengths.first().map(|value| value.parse::<u64>());
    if let Some(length) = length {
        assert_eq!(read, Some(Ok(length)));
    }
    if chunked {
        assert!(
            encodings
                .iter()
                .all(|value| value.eq_ignore_ascii_case("chunked"))
        );
        assert_eq!(encodings.len(), 1);
    }
}

/// A head that was seen before, and heads that differ from it in one byte, each with the one before remembered.
fn near(data: &[u8], mut check: impl FnMut(&[u8])) {
    check(data);
    check(data);
    let mut other = data.to_vec();
    let head = data.len().min(2048);
    for at in (0..head).step_by(head / 16 + 1) {
        other[at] ^= 1;
        check(&other);
        check(data);
        check(data);
        other[at] ^= 1;
    }
    // Another length with as many digits.
    let digit = data
        .windows(2)
        .position(|two| two[0] == b' ' && two[1].is_ascii_digit());
    if let Some(at) = digit {
        other[at + 1] = b'7';
        check(&other);
    }
}

/// Requests.
pub fn request_head(data: &[u8]) {
    let limits = HeadLimits::default();
    let mut memo = RequestMemo::default();
    near(data, |data| {
        let due = format!("{:?}", parse_request_head(data, &limits));
        assert_eq!(format!("{:?}", memo.parse(data, &limits)), due);
    });
    match parse_request_head(data, &limits) {
        Err(error) => assert!((400..=505).contains(&error.status())),
        Ok(None) => assert!(data.len() < limits.max_head_bytes),
        Ok(Some(head)) => {
            let bytes = &data[..head.head_bytes];
            let length = match head.framing {
                BodyFraming::Length(length) => Some(length),
                _ => None,
            };
            check_lines(bytes, length, head.framing == BodyFraming::Chunked);
            assert!(
                head.path() == b"*"
                    || head.path().starts_with(b"/")
                    || !head.target.starts_with(b"/")
            );
            let alone = parse_request_head(bytes, &limits).ok().flatten();
            assert_eq!(alone.map(|head| head.framing), Some(head.framing));
            for cut in 0..head.head_bytes.min(200) {
                assert!(matches!(
                    parse_request_head(&bytes[..cut], &limits),
                    Ok(None)
                ));
            }
        }
    }
}

/// Responses.
pub fn response_head(data: &[u8]) {
    let limits = HeadLimits::default();
    let mut memo = ResponseMemo::default();
    near(data, |data| {
        let due = format!("{:?}", parse_response_head(data, false, &limits));
        assert_eq!(format!("{:?}", memo.parse(data, &limits)), due);
    });
    if let Ok(Some(head)) = parse_response_head(data, false, &limits) {
        let bytes = &data[..head.head_bytes];
        let length = match head.framing {
            ResponseFraming::Length(length) => Some(length),
            _ => None,
        };
        check_lines(bytes, length, head.framing == ResponseFraming::Chunked);
        assert!((100..600).contains(&head.status));
        assert!(head.framing != ResponseFraming::UntilClose || !head.keep_alive);
        if let Some(lines) = head.waits {
            assert!(wire::http1::wait_fields(lines).count() > 0);
            for (_, raw) in wire::http1::wait_fields(lines) {
                let _ = wire::http1::parse_http_date(raw);
            }
        }
        let to_head = parse_response_head(data, true, &limits).ok().flatten();
        assert_eq!(
            to_head.map(|head| head.framing),
            Some(ResponseFraming::None)
        );
    }
}

/// All that a chunked body came to: its data, and where it ended.
fn decode(data: &[u8], step: usize) -> Result<(Vec<u8>, Option<usize>), ChunkFault> {
    let mut decoder = ChunkedDecoder::new();
    let mut out = Vec::new();
    let mut base = 0;
    for slice in data.chunks(step.max(1)) {
        let mut at = 0;
        loop {
            match decoder.decode(&slice[at..])? {
                Progress::Data { data, consumed } => {
                    assert!(!data.is_empty() && data.range().end == consumed);
                    out.extend_from_slice(data.of(&slice[at..]));
                    at += consumed;
                }
                Progress::NeedMore => break,
                Progress::End { consumed } => {
                    assert!(decoder.is_done());
                    return Ok((out, Some(base + at + consumed)));
                }
            }
        }
        base += slice.len();
    }
    Ok((out, None))
}

/// Chunked bodies; the first byte says how they are cut.
pub fn chunked(data: &[u8]) {
    let Some((&step, data)) = data.split_first() else {
        return;
    };
    let whole = decode(data, data.len());
    assert_eq!(decode(data, usize::from(step % 16)), whole);
    if let Ok((body, Some(_))) = whole
        && !body.is_empty()
    {
        let mut again = Vec::new();
        begin_chunk(&mut again, body.len());
        again.extend_from_slice(&body);
        end_chunk(&mut again);
        again.extend_from_slice(wire::http1::LAST_CHUNK);
        assert_eq!(decode(&again, again.len()), Ok((body, Some(again.len()))));
    }
}

/// JSON texts, whole and in slices; the first byte says how they are cut.
pub fn json_text(data: &[u8]) {
    let Some((&step, data)) = data.split_first() else {
        return;
    };
    let whole = json::validate(data);
    let mut scanner = json::Scanner::<2>::new();
    let mut sliced = None;
    let mut base = 0;
    for slice in data.chunks(usize::from(step % 16).max(1)) {
        match scanner.feed(slice) {
            Ok(json::Progress::NeedMore) => base += slice.len(),
            Ok(json::Progress::Done { used }) => {
                sliced = Some(Ok(base + used));
                break;
            }
            Err(at) => {
                sliced = Some(Err((at.fault, base + at.at)));
                break;
            }
        }
    }
    match (whole, sliced) {
        (Ok(()), Some(Ok(end))) => assert!(data[end..].iter().all(u8::is_ascii_whitespace)),
        (Ok(()), None) => assert_eq!(scanner.finish(), Ok(())),
        (Ok(()), Some(Err(fault))) => panic!("only whole: {fault:?}"),
        (Err(at), Some(Ok(end))) => assert!(at.fault == json::Fault::Trailing && at.at >= end),
        (Err(at), Some(Err(sliced))) => assert_eq!((at.fault, at.at), sliced),
        (Err(_), None) => assert!(scanner.finish().is_err()),
    }
    if whole.is_ok() {
        assert!(std::str::from_utf8(data).is_ok());
    }
}

fn within(span: Span, body: &[u8]) {
    assert!(body.get(span.range()).is_some());
}

fn valid(span: Span, body: &[u8]) {
    within(span, body);
    assert!(!span.is_empty());
    if span.len() < 4096 {
        assert_eq!(json::validate(span.of(body)), Ok(()));
    }
}

/// Clients' bodies.
pub fn envelope(data: &[u8]) {
    let mut envelope = Envelope::new();
    let limits = Limits {
        max_batch_calls: 8,
        max_method_bytes: 64,
    };
    let parsed = envelope.parse(data, &limits);
    let broken = matches!(parsed, Err(Refusal::Syntax(_)));
    assert_eq!(broken, json::validate(data).is_err());
    if parsed.is_err() {
        assert!(envelope.items().is_empty());
    }
    for item in envelope.items() {
        valid(item.raw, data);
        if let Some(id) = item.id {
            valid(id, data);
            assert!(!matches!(id.of(data)[0], b'{' | b'['));
        }
        let (Kind::Call(call) | Kind::Notification(call)) = &item.kind else {
            continue;
        };
        assert_eq!(item.id.is_some(), matches!(item.kind, Kind::Call(_)));
        let mut scratch = Vec::new();
        let name = wire::envelope::method_name(data, call, &mut scratch);
        assert!(!call.method.is_empty() && name.len() <= limits.max_method_bytes);
        let params = call.params.map(|params| {
            valid(params, data);
            params.of(data)
        });
        if call.verbatim_ok {
            // Whoever reads these bytes reads this call: they parse alone to the same.
            let mut alone = Envelope::new();
            let raw = item.raw.of(data);
            assert!(alone.parse(raw, &limits).is_ok());
            assert!(matches!(alone.items()[0].kind, Kind::Call(again) if again.verbatim_ok));
            assert!(!call.method_escaped && item.id.is_some());
        }
        let mut written = Vec::new();
        splice::write_call(&mut written, ID, name, params);
        let mut again = Envelope::new();
        assert!(again.parse(&written, &limits).is_ok());
        assert!(matches!(again.items()[0].kind, Kind::Call(_)));
    }
}

fn check_reply(reply: &Reply, data: &[u8]) {
    match reply {
        Reply::Result { result, id, .. } => {
            valid(*result, data);
            assert_eq!(id.of(data), b"7");
            let mut ours = Vec::new();
            splice::write_result(&mut ours, b"\"x\"", result.of(data));
            assert!(result.len() >= 4096 || json::validate(&ours).is_ok());
        }
        Reply::Error(error) => {
            valid(error.raw, data);
            if let Some(data_span) = error.data {
                valid(data_span, data);
            }
            if let Some(message) = error.message {
                within(message.span, data);
            }
            assert!(!error.regular || (error.code.is_some() && error.message.is_some()));
            let mut scratch = params::Scratch::new();
            let words = params::error_words(data, error, &mut scratch);
            let mut ours = Vec::new();
            splice::write_error(&mut ours, None, -32000, words.message, None);
            assert_eq!(json::validate(&ours), Ok(()));
        }
    }
}

/// Upstreams' answers.
pub fn reply(data: &[u8]) {
    if let Ok(reply) = parse_reply(data, ID) {
        check_reply(&reply, data);
    }
}

/// Upstreams' answers to batches.
pub fn batch_reply(data: &[u8]) {
    let mut replies = BatchReplies::new();
    match replies.parse(data, ID, 3) {
        Ok(BatchShape::OneError(error)) => check_reply(&Reply::Error(error), data),
        Ok(BatchShape::Items) => {
            assert_eq!(replies.slots().len(), 3);
            if let Slot::Reply(reply) = replies.slots()[0] {
                check_reply(&reply, data);
            }
        }
        Err(_) => assert!(replies.slots().iter().all(|slot| *slot == Slot::Missing)),
    }
}

/// Answers in slices, the first byte says how they are cut: the same verdict and the same bytes as whole.
pub fn result_stream(data: &[u8]) {
    let Some((&step, data)) = data.split_first() else {
        return;
    };
    let mut stream = ResultStream::new(ID);
    let mut streamed = Vec::new();
    let mut outcome = Ok(());
    for slice in data.chunks(usize::from(step).max(1)) {
        match stream.feed(slice) {
            Ok(fed) => streamed.extend_from_slice(fed.result.of(slice)),
            Err(fault) => {
                assert_eq!(stream.feed(b" "), Err(fault));
                outcome = Err(fault);
                break;
            }
        }
    }
    let outcome = outcome.and_then(|()| stream.finish());
    match parse_reply(data, ID) {
        Err(_) => assert!(outcome.is_err()),
        Ok(Reply::Error(_)) => {
            assert_eq!(outcome, Ok(()));
            assert_eq!(stream.front(), Front::Error);
        }
        Ok(Reply::Result { result, .. }) => {
            assert_eq!(outcome, Ok(()));
            if result.of(data) == b"null" {
                assert_eq!((stream.front(), streamed.len()), (Front::NeedMore, 0));
            } else {
                assert_eq!(stream.front(), Front::Result { id_checked: true });
                assert_eq!(streamed, result.of(data));
            }
        }
    }
}

/// Params, as far as they are valid JSON: that is what the envelope hands out.
pub fn call_params(data: &[u8]) {
    if json::validate(data).is_err() {
        return;
    }
    let data = data.trim_ascii();
    if let Some(first) = params::first_string(data) {
        within(first, data);
        let mut replaced = Vec::new();
        splice::write_replaced(&mut replaced, data, first, b"0x1");
        assert_eq!(json::validate(&replaced), Ok(()));
    }
}

/// Filter ids, both ways, and quantities.
pub fn filter_ids(data: &[u8]) {
    if let Ok(decoded) = filter_id::decode(data) {
        let mut node_id = Vec::new();
        decoded.write_node_id(&mut node_id);
        let mut again = Vec::new();
        assert_eq!(filter_id::encode(&mut again, decoded.tag, &node_id), Ok(()));
        assert!(again.eq_ignore_ascii_case(data));
    }
    let mut ours = Vec::new();
    let tag = filter_id::tag(&String::from_utf8_lossy(data));
    match filter_id::encode(&mut ours, tag, data) {
        Ok(()) => {
            let decoded = filter_id::decode(&ours).map(|decoded| (decoded.tag, decoded.digits));
            assert_eq!(decoded, Ok((tag, &data[2..])));
            assert!(ours.len() <= 66);
        }
        Err(_) => assert!(ours.is_empty()),
    }
    if let Some(value) = quantity::parse(data) {
        let mut text = Vec::new();
        quantity::write(&mut text, value);
        assert!(text.eq_ignore_ascii_case(data));
    }
    let _ = quantity::parse_hash(data);
}

/// The canonical form, or nothing written.
fn canonical_of(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let written = canonical::write_params(&mut out, Some(data)).is_ok();
    let form = out.split_off(6);
    assert!(out == b"before" && (written || form.is_empty()));
    written.then_some(form)
}

/// Canonical params: one spelling of what was valid, at its own place and nothing but blanks, case and order changed.
pub fn canonical_params(data: &[u8]) {
    let form = canonical_of(data);
    if json::validate(data).is_err() {
        return;
    }
    let Some(form) = form else {
        // For an escape, an object's keys, or a bound.
        assert!(data.len() > 16 || data.contains(&b'\\') || data.contains(&b'{'));
        return;
    };
    assert_eq!(json::validate(&form), Ok(()));
    assert_eq!(canonical_of(&form), Some(form.clone()));
    let sorted = |bytes: &[u8]| {
        let mut bytes = bytes.to_ascii_lowercase();
        bytes.retain(|byte| !byte.is_ascii_whitespace());
        bytes.sort_unstable();
        bytes
    };
    assert_eq!(sorted(&form), sorted(data));
    // Blanks between tokens mean nothing.
    let spread = [b" \t".as_slice(), data, b"\r\n"].concat();
    assert_eq!(canonical_of(&spread), Some(form));
}

/// Block parameters: each form reads what is in it, whatever the blanks, and only of an array.
pub fn block_params(data: &[u8]) {
    use block::{BlockRef, Form, block_of};
    for form in [
        Form::NumberOrTag,
        Form::NumberTagOrHash,
        Form::Hash,
        Form::Range,
    ] {
        for index in 0..3 {
            let needed = block_of(Some(data), index, form, false);
            let optional = block_of(Some(data), index, form, true);
            assert!(needed == optional || needed == BlockRef::Unreadable);
            if !data.trim_ascii().starts_with(b"[") {
                assert_eq!(optional, BlockRef::Unreadable);
            }
            match needed {
                BlockRef::Range { .. } => assert_eq!(form, Form::Range),
                BlockRef::At(_) => assert!(!matches!(form, Form::Hash | Form::Range)),
                BlockRef::Hash(_) => assert_ne!(form, Form::NumberOrTag),
                BlockRef::Unreadable => {}
            }
            // The cache's key and the block that is read from the params must not disagree.
            if json::validate(data).is_ok()
                && let Some(canonical) = canonical_of(data)
            {
                assert_eq!(block_of(Some(&canonical), index, form, true), optional);
            }
        }
    }
}

/// Facts: of everything at most one, and none of a text; what is behind a result's end is not part of it.
pub fn facts_of_results(data: &[u8]) {
    let facts = facts::result_facts(data);
    let said = [
        facts.null,
        facts.empty,
        facts.pending,
        facts.block_number.is_some(),
    ];
    assert!(said.iter().filter(|said| **said).count() <= 1);
    if facts.pending || facts.block_number.is_some() {
        assert!(matches!(data.first(), Some(b'{' | b'[')));
    }
    if json::validate(data).is_ok() {
        // Within a member, an element of an array, or a text it is somebody else's fact.
        let deeper = [b"{\"x\":".as_slice(), data, b"}"].concat();
        assert_eq!(facts::result_facts(&deeper), facts::Facts::default());
        let nested = [b"[[".as_slice(), data, b"]]"].concat();
        assert_eq!(facts::result_facts(&nested), facts::Facts::default());
    }
}
