//! TLS: bytes whole in both directions, ends that are told from cuts, refusals that are errors on both sides,
//! handshakes dropped at any point. The peer is this crate in some tests and rustls' own buffered API in others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rt::{Conn, ListenOptions, Listener, Stream};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use support::{MS, loopback, on_shard, open_descriptors, pattern, pause, settled};

struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    strangers: Arc<ClientConfig>,
}

fn configs(versions: &[&'static rustls::SupportedProtocolVersion]) -> Configs {
    let key = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
    let certificate = key.cert.der().clone();
    let private =
        rustls_pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let mut server = ServerConfig::builder_with_protocol_versions(versions)
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private)
        .unwrap();
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = |roots| {
        let mut client = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(client)
    };
    Configs {
        client: client(roots),
        server: Arc::new(server),
        strangers: client(rustls::RootCertStore::empty()),
    }
}

fn both_versions() -> [Configs; 2] {
    [
        configs(&[&rustls::version::TLS13]),
        configs(&[&rustls::version::TLS12]),
    ]
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Both ends of one TLS connection on the current shard.
async fn pair(configs: &Configs) -> (Conn, Conn) {
    let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
    let client = Stream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let config = configs.server.clone();
    let server = rt::spawn(async move { Conn::tls_server(server, config).await.unwrap() });
    let client = Conn::tls_client(client, configs.client.clone(), name())
        .await
        .unwrap();
    (client, server.await.unwrap())
}

async fn read_exactly(conn: &Conn, want: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < want {
        got.extend_from_slice(&conn.recv().await.unwrap().expect("ended early"));
    }
    assert_eq!(got.len(), want);
    got
}

#[test]
fn an_exchange_ends_in_good_order_and_leaves_nothing() {
    for configs in both_versions() {
        on_shard(move || async move {
            let (client, server) = pair(&configs).await;
            assert_eq!(client.alpn_protocol().as_deref(), Some(&b"http/1.1"[..]));
            assert_eq!(server.alpn_protocol().as_deref(), Some(&b"http/1.1"[..]));
            for round in 0..50u64 {
                client
                    .send(pattern(round, 1 + 997 * round as usize))
                    .await
                    .unwrap();
                let question = read_exactly(&server, 1 + 997 * round as usize).await;
                assert_eq!(question, pattern(round, question.len()));
                server.send(question).await.unwrap();
                assert_eq!(
                    read_exactly(&client, 1 + 997 * round as usize).await,
                    pattern(round, 1 + 997 * round as usize)
                );
                client.flush().await.unwrap();
                rt::yield_now().await;
                assert!(
                    client.is_quiet() || client.byte_counts().sent == 0,
                    "round {round}"
                );
            }
            client.close().await.unwrap();
            assert!(server.recv().await.unwrap().is_none());
            assert!(server.has_ended() && !server.is_quiet());
            drop(server);
            settled(|c| (c.streams, c.buffers_in_use, c.chunks_out) == (0, 0, 0)).await;
        });
    }
}

#[test]
fn many_megabytes_in_both_directions_stay_whole_with_a_slow_reader() {
    for configs in both_versions() {
        let counters = on_shard(move || async move {
            let (client, server) = pair(&configs).await;
            const LEN: usize = 12_000_000;
            let exchange = |conn: Conn, mine: u64, theirs: u64, rest: Duration| async move {
                let conn = std::rc::Rc::new(conn);
                let sender = rt::spawn({
                    let conn = conn.clone();
                    async move {
                        let bytes = pattern(mine, LEN);
                        for piece in bytes.chunks(77_777) {
                            conn.send(piece.to_vec()).await.unwrap();
                        }
                        conn.flush().await.unwrap();
                    }
                });
                let expected = pattern(theirs, LEN);
                let (mut at, mut since) = (0, 0);
                while at < LEN {
                    let chunk = conn.recv().await.unwrap().expect("ended early");
                    assert!(expected[at..].starts_with(&chunk), "other bytes at {at}");
                    at += chunk.len();
                    since += chunk.len();
                    if since > 300_000 {
                        since = 0;
                        pause(rest).await;
                    }
                }
                sender.await.unwrap();
                std::rc::Rc::into_inner(conn).unwrap()
            };
            let far = rt::spawn(exchange(server, 1, 2, Duration::from_millis(6)));
            let client = exchange(client, 2, 1, Duration::ZERO).await;
            let server = far.await.unwrap();
            client.close().await.unwrap();
            assert!(server.recv().await.unwrap().is_none());
            drop(server);
            settled(|c| (c.streams, c.buffers_in_use, c.chunks_out) == (0, 0, 0)).await;
            rt::counters()
        });
        assert!(
            counters.full_sockets > 0,
            "no socket was full: {counters:?}"
        );
    }
}

#[test]
fn an_end_without_close_notify_is_an_error() {
    for configs in both_versions() {
        on_shard(move || async move {
            let listener = TcpListener::bind(loopback()).unwrap();
            let addr = listener.local_addr().unwrap();
            let server_config = configs.server.clone();
            let peer = std::thread::spawn(move || {
                for orderly in [false, true] {
                    let (socket, _) = listener.accept().unwrap();
                    let session = rustls::ServerConnection::new(server_config.clone()).unwrap();
                    let mut tls = rustls::StreamOwned::new(session, socket);
                    tls.write_all(b"all of it?").unwrap();
                    if orderly {
                        tls.conn.send_close_notify();
                    }
                    tls.flush().unwrap();
                    tls.sock.shutdown(std::net::Shutdown::Write).unwrap();
                    let _ = tls.sock.read(&mut [0; 1024]);
                }
            });
            for orderly in [false, true] {
                let stream = Stream::connect(addr).await.unwrap();
                let conn = Conn::tls_client(stream, configs.client.clone(), name())
                    .await
                    .unwrap();
                assert_eq!(read_exactly(&conn, 10).await, b"all of it?");
                if orderly {
                    assert!(conn.recv().await.unwrap().is_none());
                    assert!(conn.recv().await.unwrap().is_none());
                } else {
                    assert_eq!(
                        conn.recv().await.unwrap_err().kind(),
                        ErrorKind::UnexpectedEof
                    );
                    assert_eq!(
                        conn.recv().await.unwrap_err().kind(),
                        ErrorKind::UnexpectedEof
                    );
                }
            }
            while !peer.is_finished() {
                pause(Duration::from_millis(1)).await;
            }
            peer.join().unwrap();
        });
    }
}

#[test]
fn the_buffered_api_understands_us_and_our_drop_says_close_notify() {
    for configs in both_versions() {
        on_shard(move || async move {
            let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
            let addr = listener.local_addr().unwrap();
            let client_config = configs.client.clone();
            let peer = std::thread::spawn(move || {
                let socket = std::net::TcpStream::connect(addr).unwrap();
                let session = rustls::ClientConnection::new(client_config, name()).unwrap();
                let mut tls = rustls::StreamOwned::new(session, socket);
                tls.write_all(&pattern(1, 100_000)).unwrap();
                let mut answer = Vec::new();
                // An end without close_notify would be an error here.
                tls.read_to_end(&mut answer).unwrap();
                answer
            });
            let (stream, _) = listener.accept().await.unwrap();
            let conn = Conn::tls_server(stream, configs.server.clone())
                .await
                .unwrap();
            assert_eq!(read_exactly(&conn, 100_000).await, pattern(1, 100_000));
            conn.send(pattern(2, 5_000_000)).await.unwrap();
            drop(conn);
            while !peer.is_finished() {
                pause(Duration::from_millis(1)).await;
            }
            assert_eq!(peer.join().unwrap(), pattern(2, 5_000_000));
        });
    }
}

#[test]
fn a_stranger_is_refused_on_both_sides() {
    for configs in both_versions() {
        on_shard(move || async move {
            let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
            let client = Stream::connect(listener.local_addr().unwrap())
                .await
                .unwrap();
            let (server, _) = listener.accept().await.unwrap();
            let server_config = configs.server.clone();
            let server = rt::spawn(async move { Conn::tls_server(server, server_config).await });
            let client = Conn::tls_client(client, configs.strangers.clone(), name()).await;
            assert_eq!(client.unwrap_err().kind(), ErrorKind::InvalidData);
            let refusal = match server.await.unwrap() {
                Err(error) => error,
                // In TLS 1.3 the server is done before it hears of the refusal.
                Ok(conn) => conn.recv().await.unwrap_err(),
            };
            assert_eq!(refusal.kind(), ErrorKind::InvalidData, "{refusal}");
            settled(|c| (c.streams, c.buffers_in_use) == (0, 0)).await;
        });
    }
}

#[test]
fn plain_text_at_a_tls_port_is_an_error_and_not_a_hang() {
    let [configs, _] = both_versions();
    on_shard(move || async move {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let client = Stream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        client
            .send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec())
            .await
            .unwrap();
        let error = Conn::tls_server(server, configs.server.clone())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    });
}

#[test]
fn handshakes_dropped_at_any_point_leak_nothing() {
    let [configs, _] = both_versions();
    on_shard(move || async move {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let before = open_descriptors();
        let mut done = 0;
        for round in 0..60u64 {
            let client = Stream::connect(addr).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            let config = configs.server.clone();
            let server = rt::spawn(async move {
                let _ = rt::timeout_at(
                    rt::clock::read() + 2_000 * MS,
                    Conn::tls_server(server, config),
                )
                .await;
            });
            let handshake = Conn::tls_client(client, configs.client.clone(), name());
            done += u64::from(support::poll_and_drop(handshake, round as usize % 12).await);
            if round % 3 == 0 {
                drop(server);
            } else {
                server.await.unwrap();
            }
        }
        assert!(done < 60, "none was dropped in its middle");
        settled(|c| (c.streams, c.buffers_in_use, c.chunks_out, c.deadlines) == (0, 0, 0, 0)).await;
        assert_eq!(open_descriptors(), before);
    });
}
