//! A two-hop byte relay over `rt`: the floor of what a proxy on this runtime costs, for the comparison harness.
//! Framing is by Content-Length alone. It knows nothing of RPC, checks nothing, and is no model of a proxy.
//!
//! `relay LISTEN UPSTREAM [CORE]`, for example `relay 127.0.0.1:9204 127.0.0.1:9200 0`.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use rt::{Chunk, ListenOptions, Listener, Options, Stream};

/// Idle upstream connections of the shard.
type Pool = Rc<RefCell<Vec<Stream>>>;

/// The length of the message at the front of `bytes`, head and body, once all of it is there; and of its head.
fn message(bytes: &[u8]) -> io::Result<Option<(usize, usize)>> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut body = 0usize;
    for line in bytes[..head].split(|&byte| byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let digits =
                std::str::from_utf8(&line[colon + 1..]).map_err(|_| io::ErrorKind::InvalidData)?;
            body = digits
                .trim()
                .parse()
                .map_err(|_| io::ErrorKind::InvalidData)?;
        }
    }
    let len = head + 4 + body;
    Ok((bytes.len() >= len).then_some((len, head + 4)))
}

/// Receives one message and gives its body to `relay`; `None` at the end of the stream.
async fn receive<T>(stream: &Stream, relay: impl Fn(&[u8]) -> T) -> io::Result<Option<T>> {
    let mut held: Option<Vec<u8>> = None;
    loop {
        let Some(chunk): Option<Chunk> = stream.recv().await? else {
            return Ok(None);
        };
        let bytes = match &mut held {
            None => &chunk[..],
            Some(held) => {
                held.extend_from_slice(&chunk);
                &held[..]
            }
        };
        if let Some((len, head)) = message(bytes)? {
            return Ok(Some(relay(&bytes[head..len])));
        }
        if held.is_none() {
            held = Some(chunk.to_vec());
        }
    }
}

fn framed(head: &[u8], body: &[u8]) -> Vec<u8> {
    use io::Write;
    let mut out = rt::take_buffer();
    out.extend_from_slice(head);
    // Writing to a vector does not fail.
    let _ = write!(out, "{}\r\n\r\n", body.len());
    out.extend_from_slice(body);
    out
}

async fn serve(client: Stream, upstream: SocketAddr, pool: Pool) -> io::Result<()> {
    const REQUEST: &[u8] =
        b"POST / HTTP/1.1\r\nHost: upstream\r\nContent-Type: application/json\r\nContent-Length: ";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
    while let Some(request) = receive(&client, |body| framed(REQUEST, body)).await? {
        let idle = pool.borrow_mut().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => Stream::connect(upstream).await?,
        };
        connection.send(request).await?;
        let answer = receive(&connection, |body| framed(ANSWER, body)).await?;
        client
            .send(answer.ok_or(io::ErrorKind::UnexpectedEof)?)
            .await?;
        if connection.is_quiet() {
            pool.borrow_mut().push(connection);
        }
    }
    Ok(())
}

/// Says once a second what the runtime did.
async fn report() {
    let mut before = rt::counters();
    loop {
        rt::sleep_until(rt::now() + 1_000_000_000).await;
        let now = rt::counters();
        eprintln!(
            "turns {} polls {} enters {} waits {} spins {} paid {} parks {}",
            now.turns - before.turns,
            now.polls - before.polls,
            now.enters - before.enters,
            now.waits - before.waits,
            now.spins - before.spins,
            now.spins_paid - before.spins_paid,
            now.parks - before.parks,
        );
        before = now;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, listen, upstream, rest @ ..] = &arguments[..] else {
        return Err("usage: relay LISTEN UPSTREAM [CORE]".into());
    };
    let (listen, upstream): (SocketAddr, SocketAddr) = (listen.parse()?, upstream.parse()?);
    let cpu = rest.first().map(|core| core.parse()).transpose()?;
    let direct_wait = std::env::var_os("NO_DIRECT_WAIT").is_none();
    let busy_poll = std::env::var_os("BUSY_POLL").is_some();
    let spin = std::env::var("SPIN_NS").ok().map(|spin| spin.parse());
    let spin = spin
        .transpose()?
        .map_or(Options::default().spin, Duration::from_nanos);
    let shard = rt::spawn_shard(
        Options {
            cpu,
            direct_wait,
            busy_poll,
            spin,
            ..Options::default()
        },
        move || async move {
            let pool = Pool::default();
            let listener = match Listener::bind(listen, &ListenOptions::default()) {
                Ok(listener) => listener,
                Err(error) => return eprintln!("{listen}: {error}"),
            };
            if std::env::var_os("STATS").is_some() {
                rt::spawn(report()).detach();
            }
            while let Ok((client, _)) = listener.accept().await {
                let pool = pool.clone();
                rt::spawn(async move {
                    if let Err(error) = serve(client, upstream, pool).await {
                        eprintln!("{error}");
                    }
                })
                .detach();
            }
        },
    )?;
    Ok(shard.join()?)
}
