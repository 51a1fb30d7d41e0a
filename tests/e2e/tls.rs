//! TLS on both sides: ours to clients, and towards providers with an authority of our own.

use crate::harness::{Client, Setup, balance_call, error_of, ok, provider, provider_with};
use perf::provider::{Fault, Options, Rule};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// An authority and a certificate that it signed.
struct Identity {
    authority_pem: String,
    certificate_pem: String,
    key_pem: String,
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn identity(name: &str) -> Identity {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    Identity {
        authority_pem: issuer.pem(),
        certificate_pem: leaf.pem(),
        key_pem: key.serialize_pem(),
        authority: issuer.der().clone(),
        certificate: leaf.der().clone(),
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
    }
}

fn server_config(identity: &Identity) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())
        .unwrap();
    Arc::new(config)
}

fn trusting(identity: &Identity) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(identity.authority.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[test]
fn clients_are_served_over_tls() {
    let ours = identity("livechain.test");
    let only = provider();
    let proxy = Setup::default()
        .file("server.pem", ours.certificate_pem.as_str())
        .file("server.key", ours.key_pem.as_str())
        .server("tls: { cert: server.pem, key: server.key }")
        .upstream("only", &only.url(), "")
        .start();
    let mut client = Client::connect_tls(proxy.rpc, trusting(&ours), "livechain.test");
    for id in 1..=20 {
        assert_eq!(client.post("/", &balance_call(id)).json()["id"], id);
    }
    // A long answer crosses many records.
    only.inject(
        Rule::always(Fault::LargeResult { bytes: 2_000_000 }).for_method("debug_traceTransaction"),
    );
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"debug_traceTransaction","params":["0xaa"]}"#;
    let expected = Client::connect(only.address()).post("/", call).body;
    assert!(client.post("/", call).body == expected);
    // Who does not speak TLS is not served.
    let mut plain = Client::connect(proxy.rpc);
    let _ = plain.send(b"POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\n{}");
    let (bytes, _) = plain.read_out();
    assert!(
        !bytes.starts_with(b"HTTP/"),
        "clear text was answered on a TLS port"
    );
    assert_eq!(client.post("/", &balance_call(99)).status, 200);
}

#[test]
fn a_provider_is_reached_over_tls_and_must_be_who_it_should() {
    let theirs = identity("provider.test");
    let stranger = identity("provider.test");
    let serve = |identity: &Identity| {
        provider_with(Options {
            tls: Some(server_config(identity)),
            ..Options::default()
        })
    };
    let (true_one, false_one) = (serve(&theirs), serve(&stranger));
    let settings = "tls: { ca: ca.pem, server_name: provider.test }, connect_timeout: 2s";
    let proxy = Setup::default()
        .file("ca.pem", theirs.authority_pem.as_str())
        .upstream("false-one", &false_one.url(), settings)
        .upstream("true-one", &true_one.url(), settings)
        .start();
    for id in 1..=20 {
        ok(&proxy.post(&balance_call(id)));
    }
    assert_eq!(true_one.counters().method("eth_getBalance"), 20);
    assert_eq!(
        false_one.counters().requests,
        0,
        "a stranger was sent a request"
    );
    assert!(
        false_one.counters().tls_failures >= 1,
        "the stranger was never tried: nothing was shown"
    );
    assert!(
        proxy.metric(
            "livechain_connects_total",
            &[("upstream", "false-one"), ("outcome", "tls")]
        ) >= 1.0
    );
    let pinned = proxy
        .connect()
        .post("/rpc/provider/false-one/ethereum", &balance_call(21));
    assert_eq!(error_of(&pinned.json()).0, -32603, "{pinned}");
    assert!(
        true_one.counters().connections <= 4,
        "connections are kept, handshakes are dear"
    );
}

#[test]
fn a_wrong_name_or_an_unknown_authority_is_refused() {
    let theirs = identity("provider.test");
    let serve = || {
        provider_with(Options {
            tls: Some(server_config(&theirs)),
            ..Options::default()
        })
    };
    let (wrong_name, unknown) = (serve(), serve());
    let good = provider();
    let proxy = Setup::default()
        .file("ca.pem", theirs.authority_pem.as_str())
        .upstream(
            "wrong-name",
            &wrong_name.url(),
            "tls: { ca: ca.pem, server_name: other.test }",
        )
        .upstream(
            "unknown",
            &unknown.url(),
            "tls: { server_name: provider.test }",
        )
        .upstream("good", &good.url(), "")
        .start();
    for id in 1..=10 {
        ok(&proxy.post(&balance_call(id)));
    }
    for bad in [&wrong_name, &unknown] {
        assert_eq!(bad.counters().requests, 0);
        assert!(
            bad.counters().tls_failures >= 1,
            "it was never tried: nothing was shown"
        );
    }
}
