//! Fields of heads, dates, and the writers: what is read is what was sent, and what is written reads back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use wire::http1::{
    BodyFraming, BodyLength, Connection, HeadLimits, InvalidHeader, RequestPrefix, ResponseFraming,
    ResponseMemo, ResponseParts, Version, WAIT_FIELDS, append_header, begin_chunk, end_chunk,
    http_date, is_header_name, is_header_value, is_request_id, is_reserved_header, is_wait_field,
    parse_http_date, parse_request_head, parse_response_head, wait_fields, write_request_head,
    write_request_prefix, write_response_head,
};

#[test]
fn the_fields_that_matter_are_handed_out() {
    let bytes = b"POST /rpc/ethereum?x=1 HTTP/1.1\r\n\
        Host: node.example:8545\r\n\
        Origin:   https://app.example  \r\n\
        content-type: application/json\r\n\
        Content-Encoding: gzip\r\n\
        X-Request-Id: r-1\r\n\
        x-request-id: r-2\r\n\
        Authorization: Bearer abc\r\n\
        User-Agent: viem\r\n\
        Access-Control-Request-Method: POST\r\n\
        Access-Control-Request-Headers: content-type, x-api-key\r\n\
        Content-Length: 3\r\n\r\n{}\n";
    let head = parse_request_head(bytes, &HeadLimits::default())
        .unwrap()
        .unwrap();
    assert_eq!(head.target, b"/rpc/ethereum?x=1");
    assert_eq!(head.path(), b"/rpc/ethereum");
    assert_eq!(head.host, Some(&b"node.example:8545"[..]));
    assert_eq!(head.origin, Some(&b"https://app.example"[..]));
    assert_eq!(head.content_type, Some(&b"application/json"[..]));
    assert_eq!(head.content_encoding, Some(&b"gzip"[..]));
    assert_eq!(head.x_request_id, Some(&b"r-1"[..]));
    assert_eq!(head.authorization, Some(&b"Bearer abc"[..]));
    assert_eq!(head.user_agent, Some(&b"viem"[..]));
    assert_eq!(head.access_control_request_method, Some(&b"POST"[..]));
    assert_eq!(
        head.access_control_request_headers,
        Some(&b"content-type, x-api-key"[..])
    );
    assert_eq!(head.framing, BodyFraming::Length(3));
    assert_eq!(&bytes[head.head_bytes..], b"{}\n");
}

#[test]
fn paths_are_cut_out_of_every_target_form() {
    for (target, path) in [
        ("/", "/"),
        ("/a/b?c=d/e", "/a/b"),
        ("/?", "/"),
        ("http://h", "/"),
        ("http://h?x", "/"),
        ("http://h/a?x", "/a"),
        ("https://h:1/a/b", "/a/b"),
        ("http://h?x/y", "/"),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let head = parse_request_head(bytes.as_bytes(), &HeadLimits::default())
            .unwrap()
            .unwrap();
        assert_eq!(head.path(), path.as_bytes(), "{target}");
    }
}

#[test]
fn pipelined_heads_are_taken_one_by_one() {
    let bytes = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    let limits = HeadLimits::default();
    let first = parse_request_head(bytes, &limits).unwrap().unwrap();
    assert_eq!(first.target, b"/a");
    let second = parse_request_head(&bytes[first.head_bytes..], &limits)
        .unwrap()
        .unwrap();
    assert_eq!(second.target, b"/b");
    assert_eq!(first.head_bytes + second.head_bytes, bytes.len());
}

#[test]
fn an_answer_to_head_has_no_body() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let limits = HeadLimits::default();
    let head = parse_response_head(bytes, true, &limits).unwrap().unwrap();
    assert_eq!(head.framing, ResponseFraming::None);
    assert!(head.keep_alive);
}

/// The head's own words for it, by name and value.
fn waits_of(fields: &str) -> Vec<(String, String)> {
    let bytes = format!(
        "HTTP/1.1 429 Too Many\r\nDate: a:b\r\n{fields}Content-Length: 0\r\n\r\nRetry-After: 1\r\n"
    );
    let limits = HeadLimits::default();
    let plain = parse_response_head(bytes.as_bytes(), false, &limits);
    let plain = plain.unwrap().unwrap();
    // The same head again is taken for the one before.
    let mut memo = ResponseMemo::default();
    for _ in 0..2 {
        let again = memo.parse(bytes.as_bytes(), &limits).unwrap().unwrap();
        assert_eq!(again.waits, plain.waits, "{fields}");
    }
    let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap();
    wait_fields(plain.waits.unwrap_or_default())
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[test]
fn every_field_that_may_say_when_to_come_back_is_handed_out() {
    for name in WAIT_FIELDS {
        for name in [name.to_owned(), name.to_ascii_uppercase()] {
            assert!(is_wait_field(name.as_bytes()), "{name}");
            for value in ["12", "", "a:b", "\"x\";r=0;t=12"] {
                let said = waits_of(&format!("{name}:  {value} \r\n"));
                assert_eq!(said, [(name.clone(), value.to_owned())], "{name}");
            }
        }
        // One byte more, less, or other, and it is another field.
        for at in 0..name.len() {
            let mut other = name.as_bytes().to_vec();
            other[at] = b'_';
            assert!(!is_wait_field(&other), "{name} {at}");
            other.remove(at);
            let known = WAIT_FIELDS.iter().any(|own| own.as_bytes() == other);
            assert_eq!(is_wait_field(&other), known, "{name} {at}");
        }
        assert!(!is_wait_field(format!("{name}s").as_bytes()), "{name}");
    }
    for other in ["", "r", "x", "retry", "x-ratelimit-limit", "content-length"] {
        assert!(!is_wait_field(other.as_bytes()), "{other}");
        assert!(other.is_empty() || waits_of(&format!("Z{other}: 7\r\n")).is_empty());
    }
}

#[test]
fn several_such_fields_are_handed_out_in_order() {
    let said = waits_of(
        "X-RateLimit-Limit: 9\r\nRetry-After: 7\r\nContent-Type: text/html\r\nRateLimit: a;t=1\r\nVia: 1.1 x\r\nratelimit: b;t=2\r\nServer: s\r\n",
    );
    let said: Vec<_> = said.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(
        said,
        [
            ("Retry-After", "7"),
            ("RateLimit", "a;t=1"),
            ("ratelimit", "b;t=2")
        ]
    );
    assert!(waits_of("Server: retry-after\r\n").is_empty());
    // A length amid them does not keep a head from being known, and the lines are those of the head at hand.
    let mut memo = ResponseMemo::default();
    for length in [10, 10, 99] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nretry-after: 7\r\ncontent-length: {length}\r\nratelimit: t=1\r\n\r\n"
        );
        let parsed = memo.parse(head.as_bytes(), &HeadLimits::default());
        let lines = parsed.unwrap().unwrap().waits.unwrap();
        assert!(head.as_bytes().windows(lines.len()).any(|own| own == lines));
        assert!(lines.starts_with(b"retry-after") && lines.ends_with(b"ratelimit: t=1"));
    }
}

#[test]
fn what_is_written_upstream_reads_back() {
    let mut extra_block = Vec::new();
    append_header(&mut extra_block, b"x-api-key", b"a b\tc").unwrap();
    let mut prefix = Vec::new();
    let parts = RequestPrefix {
        target: b"/v2/KEY?x=1",
        host: b"node.example",
        accept_gzip: true,
        user_agent: b"livechain/0.1.0",
        extra_block: &extra_block,
    };
    write_request_prefix(&mut prefix, &parts).unwrap();
    let mut head = Vec::new();
    write_request_head(&mut head, &prefix, 118);
    let parsed = parse_request_head(&head, &HeadLimits::default())
        .unwrap()
        .unwrap();
    assert_eq!(parsed.target, parts.target);
    assert_eq!(parsed.host, Some(parts.host));
    assert_eq!(parsed.user_agent, Some(parts.user_agent));
    assert_eq!(parsed.framing, BodyFraming::Length(118));
    assert_eq!(parsed.head_bytes, head.len());
    assert!(parsed.keep_alive);
    assert_eq!(
        String::from_utf8(head).unwrap(),
        "POST /v2/KEY?x=1 HTTP/1.1\r\nHost: node.example\r\nUser-Agent: livechain/0.1.0\r\nAccept: application/json\r\n\
        Accept-Encoding: gzip\r\nContent-Type: application/json\r\nx-api-key: a b\tc\r\nContent-Length: 118\r\n\r\n"
    );
}

#[test]
fn nothing_breaks_out_of_an_upstream_head() {
    let good = RequestPrefix {
        target: b"/",
        host: b"h",
        accept_gzip: false,
        user_agent: b"u",
        extra_block: b"",
    };
    for bad in [
        RequestPrefix {
            target: b"",
            ..good
        },
        RequestPrefix {
            target: b"/ HTTP/1.1\r\nX: y",
            ..good
        },
        RequestPrefix {
            target: b"/a b",
            ..good
        },
        RequestPrefix { host: b"", ..good },
        RequestPrefix {
            host: b"h\r\nX: y",
            ..good
        },
        RequestPrefix {
            user_agent: b"u\r\nX: y",
            ..good
        },
        RequestPrefix {
            user_agent: b"u ",
            ..good
        },
    ] {
        let mut out = Vec::new();
        assert_eq!(
            write_request_prefix(&mut out, &bad),
            Err(InvalidHeader::Value)
        );
        assert!(out.is_empty());
    }
    assert_eq!(write_request_prefix(&mut Vec::new(), &good), Ok(()));
}

#[test]
fn what_is_written_to_clients_reads_back() {
    let parts = ResponseParts {
        status: 200,
        version: Version::Http11,
        content_type: Some(b"application/json"),
        body: BodyLength::Known(58),
        connection: Connection::KeepAlive,
        request_id: Some(b"r-1"),
        extra_block: b"vary: origin\r\n",
    };
    let mut out = Vec::new();
    write_response_head(&mut out, &parts);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 58\r\nx-request-id: r-1\r\nvary: origin\r\n\r\n"
    );
    let read = |parts: ResponseParts<'_>| {
        let mut out = Vec::new();
        write_response_head(&mut out, &parts);
        let head = parse_response_head(&out, false, &HeadLimits::default())
            .unwrap()
            .unwrap();
        assert_eq!(head.head_bytes, out.len());
        (head.status, head.framing, head.keep_alive)
    };
    assert_eq!(read(parts), (200, ResponseFraming::Length(58), true));
    let close = Connection::Close;
    assert_eq!(
        read(ResponseParts {
            connection: close,
            body: BodyLength::Chunked,
            ..parts
        }),
        (200, ResponseFraming::Chunked, false)
    );
    assert_eq!(
        read(ResponseParts {
            connection: close,
            body: BodyLength::None,
            ..parts
        }),
        (200, ResponseFraming::UntilClose, false)
    );
    assert_eq!(
        read(ResponseParts {
            status: 204,
            body: BodyLength::None,
            ..parts
        }),
        (204, ResponseFraming::None, true)
    );
    // A value that could break out is not written.
    let mut out = Vec::new();
    let request_id = Some(&b"a\r\nX: y"[..]);
    write_response_head(
        &mut out,
        &ResponseParts {
            request_id,
            ..parts
        },
    );
    assert!(!out.windows(2).any(|pair| pair == b"X:"));
}

#[test]
fn keep_alive_is_said_aloud_to_old_clients() {
    let mut out = Vec::new();
    write_response_head(
        &mut out,
        &ResponseParts {
            status: 200,
            version: Version::Http10,
            content_type: None,
            body: BodyLength::Known(0),
            connection: Connection::KeepAlive,
            request_id: None,
            extra_block: b"",
        },
    );
    assert!(
        out.windows(26)
            .any(|part| part == b"\r\nconnection: keep-alive\r\n")
    );
}

#[test]
fn every_status_of_an_error_has_a_reason() {
    for status in [
        200, 204, 400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 429, 431, 500, 501, 502, 503,
        504, 505,
    ] {
        assert_ne!(wire::http1::reason(status), "Unknown", "{status}");
    }
    assert_eq!(wire::http1::reason(299), "Unknown");
}

#[test]
fn names_and_values_are_checked() {
    for (name, good) in [
        ("x-api-key", true),
        ("X_Y.z~1", true),
        ("", false),
        ("a b", false),
        ("a:", false),
        ("a\r\n", false),
        ("é", false),
    ] {
        assert_eq!(is_header_name(name.as_bytes()), good, "{name}");
    }
    for (value, good) in [
        ("", true),
        ("a", true),
        ("a b\tc", true),
        (" a", false),
        ("a\t", false),
        ("a\r\nb", false),
        ("a\0", false),
        ("\u{7f}", false),
        ("é", false),
    ] {
        assert_eq!(is_header_value(value.as_bytes()), good, "{value:?}");
    }
    assert!(is_reserved_header(b"Content-Length") && is_reserved_header(b"HOST"));
    assert!(!is_reserved_header(b"authorization") && !is_reserved_header(b"x-api-key"));
    assert!(is_request_id(b"01JD-abc_./:+=@") && is_request_id(&[b'a'; 128]));
    assert!(
        !is_request_id(b"")
            && !is_request_id(&[b'a'; 129])
            && !is_request_id(b"a b")
            && !is_request_id(b"a\"b")
    );
    let mut out = Vec::new();
    assert_eq!(
        append_header(&mut out, b"a b", b"c"),
        Err(InvalidHeader::Name)
    );
    assert_eq!(
        append_header(&mut out, b"a", b"b\n"),
        Err(InvalidHeader::Value)
    );
    assert!(out.is_empty());
}

#[test]
fn a_chunk_of_nothing_would_end_the_body() {
    let mut out = Vec::new();
    begin_chunk(&mut out, 0);
    assert!(out.is_empty());
    begin_chunk(&mut out, 255);
    end_chunk(&mut out);
    assert_eq!(out, b"ff\r\n\r\n");
}

#[test]
fn dates_come_back() {
    for (moment, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(String::from_utf8_lossy(&http_date(moment)), text);
        assert_eq!(parse_http_date(text.as_bytes()), Some(moment), "{text}");
    }
    assert_eq!(http_date(u64::MAX), http_date(253_402_300_799));
    for day in 0..200_000_u64 {
        let moment = day * 86_400 + day % 86_400;
        assert_eq!(parse_http_date(&http_date(moment)), Some(moment));
    }
}

#[test]
fn all_three_forms_of_dates_are_read() {
    for (text, moment) in [
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
        ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
        ("Sun, 06 Nov 1994 08:49:60 GMT", Some(784_111_800)),
        ("Sun, 06 Nov 1994 24:00:00 GMT", None),
        ("Sun, 32 Nov 1994 08:49:37 GMT", None),
        ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nvo 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ("Sun, 06 Nov 1994", None),
        ("Sun, 06 Nov 1869 08:49:37 GMT", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("", None),
        ("a b c d e f g h i j k", None),
    ] {
        assert_eq!(parse_http_date(text.as_bytes()), moment, "{text}");
    }
}
