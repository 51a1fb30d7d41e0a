//! Puts an answer on the wire: plainly into a buffer that is sent once per read, or slowly, wrongly and partly, as a
//! plan demands. Knows no JSON-RPC.

use super::exchange::{Cut, JSON, Plan, Status};
use crate::fields::write_decimal;
use crate::transport::Transport;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::time::Duration;

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    KeepAlive,
    Close,
}

/// Time for what was sent to reach the peer before an RST, which would overtake it.
const BEFORE_RESET: Duration = Duration::from_millis(20);

/// Appends a plain 200 answer.
pub(super) fn plain(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ");
    write_decimal(out, body.len());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}

/// Appends an answer with any status.
pub(super) fn status(out: &mut Vec<u8>, code: u16, body: &[u8]) {
    let (head, body) = render(
        &Plan {
            status: Some(Status {
                code,
                headers: &[],
                body,
            }),
            ..Plan::default()
        },
        &[],
    );
    out.extend_from_slice(&head);
    out.extend_from_slice(&body);
}

/// Head and framed body of an answer under a plan.
fn render(plan: &Plan<'_>, answer: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (code, headers, content_type, body) = match (plan.status, plan.body) {
        (Some(status), _) => (status.code, status.headers, None, status.body),
        (None, Some((content_type, body))) => (200, &[][..], Some(content_type), body),
        (None, None) => (200, &[][..], Some(JSON), answer),
    };
    let cut = if plan.truncated {
        body.len() / 2
    } else {
        body.len()
    };
    let mut body = body.get(..cut).unwrap_or_default().to_vec();
    let mut head = format!("HTTP/1.1 {code} {}\r\n", reason(code));
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(content_type) = content_type {
        head += &format!("content-type: {content_type}\r\n");
    }
    if plan.gzip {
        body = gzip(&body).unwrap_or(body);
        head += "content-encoding: gzip\r\n";
    }
    if let Some(chunk_bytes) = plan.chunk_bytes {
        body = chunked(&body, chunk_bytes);
        head += "transfer-encoding: chunked\r\n";
    } else {
        let length = i64::try_from(body.len())
            .unwrap_or(i64::MAX)
            .saturating_add(plan.length_delta)
            .max(0);
        head += &format!("content-length: {length}\r\n");
    }
    head += "\r\n";
    (head.into_bytes(), body)
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn chunked(body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut framed = Vec::with_capacity(body.len() + 64);
    for chunk in body.chunks(chunk_bytes) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

fn reason(code: u16) -> &'static str {
    match code {
        100 => "Continue",
        103 => "Early Hints",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unnamed",
    }
}

/// Ends a connection that gets no answer at all.
pub(super) async fn refuse(transport: &mut Transport, cut: Cut) -> io::Result<()> {
    match cut {
        Cut::Reset => {
            transport.reset_on_drop();
            Ok(())
        }
        Cut::Close => transport.finish().await,
        Cut::Hole => {
            transport.drain().await;
            Ok(())
        }
    }
}

/// Sends one answer as the plan wants it.
///
/// # Errors
/// When the peer is gone.
pub(super) async fn planned(
    transport: &mut Transport,
    plan: &Plan<'_>,
    answer: &[u8],
) -> io::Result<After> {
    if let Some(code) = plan.interim {
        transport
            .write_all(format!("HTTP/1.1 {code} {}\r\n\r\n", reason(code)).as_bytes())
            .await?;
    }
    let (head, body) = render(plan, answer);
    if let Some(interval) = plan.head_pace {
        for byte in &head {
            transport.write_all(&[*byte]).await?;
            tokio::time::sleep(interval).await;
        }
    }
    let unsent_head = if plan.head_pace.is_some() {
        &[][..]
    } else {
        &head
    };
    if let Some((after_bytes, cut)) = plan.cut {
        transport.write_all(unsent_head).await?;
        let part = body.get(..after_bytes).unwrap_or(&body);
        paced(transport, plan, part).await?;
        if cut == Cut::Reset {
            tokio::time::sleep(BEFORE_RESET).await;
        }
        refuse(transport, cut).await?;
        return Ok(After::Close);
    }
    if plan.pace.is_some() {
        transport.write_all(unsent_head).await?;
        paced(transport, plan, &body).await?;
        transport.write_all(plan.extra).await?;
    } else {
        let whole = [unsent_head, &body, plan.extra].concat();
        transport.write_all(&whole).await?;
    }
    if plan.twice {
        transport.write_all(&[head, body].concat()).await?;
    }
    if plan.length_delta > 0 {
        // The rest that was promised never comes.
        transport.drain().await;
        return Ok(After::Close);
    }
    if plan.close_after {
        transport.finish().await?;
        return Ok(After::Close);
    }
    Ok(After::KeepAlive)
}

async fn paced(transport: &mut Transport, plan: &Plan<'_>, bytes: &[u8]) -> io::Result<()> {
    let Some((chunk_bytes, interval)) = plan.pace else {
        return transport.write_all(bytes).await;
    };
    for chunk in bytes.chunks(chunk_bytes) {
        transport.write_all(chunk).await?;
        tokio::time::sleep(interval).await;
    }
    Ok(())
}
