//! Accepts connections and gives each a task: the limit of the process, TLS, and nothing else. Accepting is one task that is
//! never raced against anything; it ends when the listener is closed.

use std::net::SocketAddr;
use std::rc::Rc;

use rt::{Conn, ListenOptions, Listener, Stream};
use telemetry::ConnectionRefusal;
use wire::http1::{self, BodyLength, Connection, ResponseParts, Version};

use super::connection;
use super::respond::{self, Refusal};
use super::sender::Sender;
use super::worker::Worker;

/// The listeners of one shard.
#[derive(Clone)]
pub struct Listeners {
    open: Vec<Rc<Listener>>,
}

impl Listeners {
    /// Binds every address of the configuration, shared with the other shards.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, String> {
        let options = ListenOptions {
            reuse_port: true,
            ..ListenOptions::default()
        };
        let mut open = Vec::new();
        for address in addresses {
            let listener = Listener::bind(*address, &options)
                .map_err(|error| format!("cannot listen on {address}: {error}"))?;
            open.push(Rc::new(listener));
        }
        Ok(Self { open })
    }

    /// Begins to accept.
    pub fn accept(&self, worker: &Rc<Worker>) {
        for listener in &self.open {
            let (listener, worker) = (listener.clone(), worker.clone());
            rt::spawn(async move {
                while let Ok((stream, peer)) = listener.accept().await {
                    welcome(&worker, stream, peer);
                }
            })
            .detach();
        }
    }

    /// Stops accepting; connections that were accepted go on.
    pub fn close(&self) {
        for listener in &self.open {
            listener.close();
        }
    }
}

/// Gives a connection its task, or turns it away.
fn welcome(worker: &Rc<Worker>, stream: Stream, peer: SocketAddr) {
    let worker = worker.clone();
    let Some(permit) = worker.connections.take() else {
        worker
            .recorder
            .borrow_mut()
            .connection_refused(ConnectionRefusal::Limit);
        rt::spawn(turn_away(worker, stream)).detach();
        return;
    };
    let seat = worker.take_seat();
    let sender = Sender::of_connection(&worker, peer.ip());
    rt::spawn(async move {
        let conn = match &worker.epoch.server_tls {
            None => Conn::from(stream),
            Some(tls) => {
                let until_ns = rt::now().saturating_add(worker.limits.header_timeout_ns);
                match rt::timeout_at(until_ns, Conn::tls_server(stream, tls.clone())).await {
                    Ok(Ok(conn)) => conn,
                    Ok(Err(_)) | Err(rt::Elapsed) => {
                        worker
                            .recorder
                            .borrow_mut()
                            .connection_refused(ConnectionRefusal::Tls);
                        return;
                    }
                }
            }
        };
        connection::serve(worker, conn, sender, permit, seat).await;
    })
    .detach();
}

/// Says why and closes. Left in the backlog, the client could not tell it from a hang. Under TLS nothing can be said.
async fn turn_away(worker: Rc<Worker>, stream: Stream) {
    if worker.epoch.server_tls.is_some() {
        return;
    }
    let mut body = Vec::new();
    respond::write_refusal(
        &mut body,
        &Refusal {
            id: None,
            code: -32005,
            message: "too many connections",
        },
    );
    let mut out = Vec::new();
    http1::write_response_head(
        &mut out,
        &ResponseParts {
            status: 503,
            version: Version::Http11,
            content_type: Some(b"application/json"),
            body: BodyLength::Known(body.len() as u64),
            connection: Connection::Close,
            request_id: Some(&worker.next_request_id()),
            extra_block: b"retry-after: 1\r\n",
        },
    );
    out.extend_from_slice(&body);
    if stream.send(out).await.is_ok() {
        drop(stream.close().await);
    }
}
