//! Copies bytes between clients and an upstream, one upstream connection a client, plain or with TLS on either side:
//! the floor of what large bodies and TLS cost on this runtime. It frames nothing and checks nothing.
//!
//! `pump LISTEN UPSTREAM [CORE]`; with `PUMP_CERT` and `PUMP_KEY` (DER files) both sides speak TLS, and the upstream's
//! certificate has to be that same one.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rt::{Conn, ListenOptions, Listener, Options, Stream};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

/// The most that is put together for one send.
const GATHER_BYTES: usize = 64 * 1024;

#[derive(Clone)]
struct Tls {
    server: Arc<rustls::ServerConfig>,
    client: Arc<rustls::ClientConfig>,
}

fn tls() -> Result<Option<Tls>, Box<dyn std::error::Error + Send + Sync>> {
    let (Ok(cert), Ok(key)) = (std::env::var("PUMP_CERT"), std::env::var("PUMP_KEY")) else {
        return Ok(None);
    };
    let cert = CertificateDer::from(std::fs::read(cert)?);
    let key = PrivateKeyDer::try_from(std::fs::read(key)?)?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.clone())?;
    Ok(Some(Tls {
        server: Arc::new(
            rustls::ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(vec![cert], key)?,
        ),
        client: Arc::new(
            rustls::ClientConfig::builder()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        ),
    }))
}

/// Everything from one to the other until its end.
async fn copy(from: &Conn, to: &Conn) -> std::io::Result<()> {
    while let Some(chunk) = from.recv().await? {
        let mut out = rt::take_buffer();
        out.extend_from_slice(&chunk);
        drop(chunk);
        while out.len() < GATHER_BYTES
            && let Some(chunk) = from.try_recv()
        {
            out.extend_from_slice(&chunk);
        }
        to.send(out).await?;
    }
    Ok(())
}

async fn serve(client: Stream, upstream: SocketAddr, tls: Option<Tls>) -> std::io::Result<()> {
    let upstream = Stream::connect(upstream).await?;
    let (client, upstream) = match tls {
        None => (Conn::from(client), Conn::from(upstream)),
        Some(tls) => {
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            (
                Conn::tls_server(client, tls.server).await?,
                Conn::tls_client(upstream, tls.client, name).await?,
            )
        }
    };
    let (client, upstream) = (Rc::new(client), Rc::new(upstream));
    let (from, to) = (client.clone(), upstream.clone());
    // Whichever side ends first ends both.
    let requests = async move { copy(&from, &to).await };
    futures_lite::future::or(copy(&upstream, &client), requests).await
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, listen, upstream, rest @ ..] = &arguments[..] else {
        return Err("usage: pump LISTEN UPSTREAM [CORE]".into());
    };
    let (listen, upstream): (SocketAddr, SocketAddr) = (listen.parse()?, upstream.parse()?);
    let cpu = rest.first().map(|core| core.parse()).transpose()?;
    let tls = tls()?;
    let spin = std::env::var("SPIN_NS").ok().map(|spin| spin.parse());
    let spin = spin
        .transpose()?
        .map_or(Options::default().spin, Duration::from_nanos);
    let shard = rt::spawn_shard(
        Options {
            cpu,
            spin,
            ..Options::default()
        },
        move || async move {
            let listener = match Listener::bind(listen, &ListenOptions::default()) {
                Ok(listener) => listener,
                Err(error) => return eprintln!("{listen}: {error}"),
            };
            while let Ok((client, _)) = listener.accept().await {
                rt::spawn(serve(client, upstream, tls.clone())).detach();
            }
        },
    )?;
    Ok(shard.join()?)
}
