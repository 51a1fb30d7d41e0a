//! The provider behind TLS, asked by this crate's own client side.

use super::answers::wait_until;
use super::*;
use crate::transport::{Guarded, Transport};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::sync::Arc;

/// A certificate for `localhost` and the two configurations that fit it.
fn configs() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = CertificateDer::from(key.cert.der().to_vec());
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

async fn connect(
    provider: &Handle,
    config: Arc<rustls::ClientConfig>,
    name: &str,
) -> io::Result<Transport> {
    let stream = tokio::net::TcpStream::connect(provider.address()).await?;
    let guarded = Guarded::new(stream, Arc::default());
    Transport::tls_client(
        guarded,
        config,
        ServerName::try_from(name.to_owned()).unwrap(),
    )
    .await
}

fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn large_answers_pass_through_tls_whole() {
    let (server, client) = configs();
    let provider = Provider::start(Options {
        tls: Some(server),
        ..Options::default()
    })
    .unwrap();
    assert!(provider.url().starts_with("https://"));
    provider.inject(Rule::always(Fault::LargeResult { bytes: 3_000_000 }));
    let request = format!(
        "POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{BALANCE}",
        BALANCE.len()
    );
    let received = in_runtime(async {
        let mut transport = connect(&provider, client, "localhost").await.unwrap();
        transport.write_all(request.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"}") {
            assert!(transport.read_more(&mut received).await.unwrap() > 0);
        }
        received
    });
    let body_at = received
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap()
        + 4;
    let answer: Value = serde_json::from_slice(&received[body_at..]).unwrap();
    assert_eq!(answer["result"].as_str().unwrap().len(), 3_000_000 - 2);
}

#[test]
fn a_client_that_does_not_trust_is_counted() {
    let (server, _) = configs();
    let (_, stranger) = configs();
    let provider = Provider::start(Options {
        tls: Some(server),
        ..Options::default()
    })
    .unwrap();
    let error = in_runtime(connect(&provider, stranger, "localhost")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    wait_until(|| provider.counters().tls_failures == 1);
}
