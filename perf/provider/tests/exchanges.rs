//! Faults that strike the HTTP answer as a whole.

use super::*;
use flate2::read::GzDecoder;

const MS: Duration = Duration::from_millis(1);

#[test]
fn connections_end_before_the_answer() {
    send_under(Fault::ResetBeforeAnswer, Client::assert_reset);
    send_under(Fault::CloseBeforeAnswer, Client::assert_end);
    send_under(Fault::Hang, Client::assert_silent);
}

#[test]
fn connections_end_in_the_body() {
    let partly = |client: &mut Client| {
        let head = client.read_head().unwrap();
        assert!(!head.contains("content-length: 10\r\n"), "{head}");
        let mut body = [0; 10];
        client.0.read_exact(&mut body).unwrap();
        assert_eq!(&body, br#"{"jsonrpc""#);
    };
    send_under(Fault::ResetMidBody { after_bytes: 10 }, |client| {
        partly(client);
        client.assert_reset();
    });
    send_under(Fault::CloseMidBody { after_bytes: 10 }, |client| {
        partly(client);
        client.assert_end();
    });
    send_under(Fault::BlackHoleMidBody { after_bytes: 10 }, |client| {
        partly(client);
        client.assert_silent();
    });
}

#[test]
fn a_drip_comes_in_pieces_and_whole() {
    let start = std::time::Instant::now();
    let dripped = ask_under(Fault::Drip {
        chunk_bytes: 8,
        interval: 5 * MS,
    });
    assert_eq!(dripped.json()["id"], 7);
    // A lower bound is no race: a timer never fires early.
    assert!(start.elapsed() >= 5 * MS * u32::try_from(dripped.body.len() / 8).unwrap());
}

#[test]
fn a_slow_head_and_a_stall_are_whole_in_the_end() {
    let start = std::time::Instant::now();
    assert_eq!(ask_under(Fault::SlowHead { interval: MS }).json()["id"], 7);
    assert!(start.elapsed() >= 40 * MS);
    let start = std::time::Instant::now();
    assert_eq!(ask_under(Fault::Stall(50 * MS)).json()["id"], 7);
    assert!(start.elapsed() >= 50 * MS);
}

#[test]
fn other_statuses_come_with_their_headers_and_bodies() {
    let throttled = ask_under(Fault::throttled(Some(3)));
    assert_eq!(
        (throttled.status(), throttled.header("retry-after")),
        (429, Some("3"))
    );
    assert_eq!(throttled.json()["error"]["code"], 429);
    assert_eq!(
        ask_under(Fault::throttled(None)).header("retry-after"),
        None
    );
    let unavailable = ask_under(Fault::unavailable());
    assert_eq!(
        (unavailable.status(), unavailable.header("content-type")),
        (503, Some("text/html"))
    );
    assert!(unavailable.body.starts_with(b"<html>"));
}

#[test]
fn bodies_are_not_what_they_should_be() {
    let html = ask_under(Fault::Html);
    assert_eq!(
        (html.status(), html.header("content-type")),
        (200, Some("text/html"))
    );
    assert!(html.body.starts_with(b"<!DOCTYPE"));
    assert!(ask_under(Fault::EmptyBody).body.is_empty());
    assert_eq!(ask_under(Fault::RawBody(b"ok".to_vec())).body, b"ok");
    let no_json = ask_under(Fault::InvalidJson).body;
    assert!(!no_json.is_empty() && serde_json::from_slice::<Value>(&no_json).is_err());
    let truncated = ask_under(Fault::TruncatedJson).body;
    assert!(
        truncated.starts_with(b"{\"jsonrpc\"")
            && serde_json::from_slice::<Value>(&truncated).is_err()
    );
}

#[test]
fn lengths_lie() {
    send_under(Fault::LengthTooLong { by_bytes: 5 }, |client| {
        let head = client.read_head().unwrap();
        let promised: usize = head
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let mut body = vec![0; promised - 5];
        client.0.read_exact(&mut body).unwrap();
        assert!(serde_json::from_slice::<Value>(&body).is_ok());
        client.assert_silent();
    });
    send_under(Fault::LengthTooShort { by_bytes: 2 }, |client| {
        let response = client.read().unwrap();
        let mut more = [0; 2];
        client.0.read_exact(&mut more).unwrap();
        assert!(serde_json::from_slice::<Value>(&[&response.body[..], &more].concat()).is_ok());
    });
    send_under(Fault::ExtraBytesAfterBody(b"xyz".to_vec()), |client| {
        assert_eq!(client.read().unwrap().json()["id"], 7);
        let mut more = [0; 3];
        client.0.read_exact(&mut more).unwrap();
        assert_eq!(&more, b"xyz");
    });
}

#[test]
fn chunks_carry_the_body() {
    send_under(Fault::Chunked { chunk_bytes: 16 }, |client| {
        assert!(
            client
                .read_head()
                .unwrap()
                .contains("transfer-encoding: chunked")
        );
        let mut first = [0; 4 + 16];
        client.0.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"10\r\n{\"jsonrpc\":\"2.0\"");
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n0\r\n\r\n") {
            let mut byte = [0];
            client.0.read_exact(&mut byte).unwrap();
            rest.push(byte[0]);
        }
    });
}

#[test]
fn gzip_unpacks_to_the_answer() {
    let response = ask_under(Fault::Gzip);
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let unpacked: Value = serde_json::from_reader(GzDecoder::new(&response.body[..])).unwrap();
    assert_eq!(unpacked["id"], 7);
}

#[test]
fn an_unannounced_close_follows_the_answer() {
    send_under(Fault::CloseAfterAnswer, |client| {
        let response = client.read().unwrap();
        assert_eq!(
            (
                response.json()["id"].as_u64(),
                response.header("connection")
            ),
            (Some(7), None)
        );
        client.assert_end();
    });
}

#[test]
fn an_interim_answer_comes_first() {
    send_under(Fault::Interim { code: 103 }, |client| {
        assert_eq!(
            client.read_head().unwrap(),
            "HTTP/1.1 103 Early Hints\r\n\r\n"
        );
        assert_eq!(client.read().unwrap().json()["id"], 7);
    });
}

#[test]
fn a_duplicate_follows() {
    send_under(Fault::DuplicateAnswer, |client| {
        let first = client.read().unwrap();
        let second = client.read().unwrap();
        assert_eq!((first.head, first.body), (second.head, second.body));
    });
}

fn batch_under(fault: Fault) -> Value {
    let (provider, id) = start_with(Rule::always(fault));
    assert_eq!(ask(&provider, BALANCE).json()["id"], 7);
    assert_eq!(provider.hits(id), 0);
    let second = BALANCE.replace("\"id\":7", "\"id\":8");
    let answer = ask(&provider, &format!("[{BALANCE},{second}]")).json();
    assert_eq!(provider.hits(id), 1);
    answer
}

#[test]
fn batches_are_refused_turned_around_or_cut() {
    let ids = |answer: &Value| {
        answer
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        batch_under(Fault::BatchUnsupported)["error"]["code"],
        -32600
    );
    assert_eq!(ids(&batch_under(Fault::BatchOutOfOrder)), [8, 7]);
    assert_eq!(ids(&batch_under(Fault::BatchMissingItem)), [7]);
}

#[test]
fn faults_compose() {
    let provider = start();
    provider.inject(Rule::always(Fault::Gzip));
    provider.inject(Rule::always(Fault::NullId));
    provider.inject(Rule::always(Fault::CloseAfterAnswer));
    let mut client = Client::connect(&provider);
    let response = client.ask(BALANCE);
    let unpacked: Value = serde_json::from_reader(GzDecoder::new(&response.body[..])).unwrap();
    assert_eq!(unpacked["id"], Value::Null);
    client.assert_end();
}
