//! The runtime: executors, the shard's own ring, sockets, deadlines, TLS, signals. The only crate that names glommio and io_uring.
//!
//! Signatures first: the bodies follow in the next commits, the names stay.
#![allow(missing_docs, unused_variables, clippy::todo)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How one shard runs.
#[derive(Debug, Clone)]
pub struct Options {
    pub name: String,
    pub cpu: Option<usize>,
    pub buffers: u16,
    pub buffer_bytes: u32,
    pub held_chunks: u16,
    pub direct_wait: bool,
}
impl Default for Options {
    fn default() -> Self {
        Self {
            name: "shard".into(),
            cpu: None,
            buffers: 1024,
            buffer_bytes: 4096,
            held_chunks: 16,
            direct_wait: true,
        }
    }
}
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct StartError {
    sentence: String,
}
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Panicked {
    pub message: String,
}
pub struct ShardHandle {
    _p: (),
}
impl ShardHandle {
    pub fn join(self) -> Result<(), Panicked> {
        todo!()
    }
}
pub fn spawn_shard<F, Fut>(options: Options, main: F) -> Result<ShardHandle, StartError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    todo!()
}

pub struct Task<T>(std::marker::PhantomData<T>);
impl<T> Task<T> {
    pub fn detach(self) {}
}
/// The task's output, or `Err(Panicked)`.
impl<T> Future for Task<T> {
    type Output = Result<T, Panicked>;
    fn poll(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        todo!()
    }
}
pub fn spawn<F: Future + 'static>(future: F) -> Task<F::Output> {
    todo!()
}
pub async fn yield_now() {
    todo!()
}

pub fn now() -> u64 {
    todo!()
}
pub mod clock {
    pub fn read() -> u64 {
        todo!()
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct Elapsed;
pub async fn sleep_until(deadline_ns: u64) {
    todo!()
}
pub async fn timeout_at<F: Future>(deadline_ns: u64, future: F) -> Result<F::Output, Elapsed> {
    todo!()
}

#[derive(Clone)]
pub struct Doorbell {
    _p: (),
}
impl Doorbell {
    pub fn ring(&self) {}
}
pub fn doorbell() -> io::Result<Doorbell> {
    todo!()
}
pub async fn rung() {
    todo!()
}

#[derive(Debug, Clone)]
pub struct ListenOptions {
    pub backlog: i32,
    pub reuse_port: bool,
}
pub struct Listener {
    _p: (),
}
impl Listener {
    pub fn bind(addr: SocketAddr, options: &ListenOptions) -> io::Result<Listener> {
        todo!()
    }
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        todo!()
    }
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        todo!()
    }
    pub fn close(&self) {}
}
/// One connection. All methods take `&self`, so a task may receive while another sends.
pub struct Stream {
    _p: (),
}
impl Stream {
    pub async fn connect(addr: SocketAddr) -> io::Result<Stream> {
        todo!()
    }
    pub async fn recv(&self) -> io::Result<Option<Chunk>> {
        todo!()
    }
    pub fn try_recv(&self) -> Option<Chunk> {
        todo!()
    }
    pub async fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        todo!()
    }
    pub async fn flush(&self) -> io::Result<()> {
        todo!()
    }
    pub fn is_quiet(&self) -> bool {
        todo!()
    }
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        todo!()
    }
    pub fn bytes(&self) -> Bytes {
        todo!()
    }
    pub async fn close(self) -> io::Result<()> {
        todo!()
    }
    pub async fn reset(self) {
        todo!()
    }
    pub fn abort(self) {
        todo!()
    }
}
#[derive(Debug, Clone, Copy, Default)]
pub struct Bytes {
    pub received: u64,
    pub sent: u64,
}
pub struct Chunk {
    _p: (),
}
impl std::ops::Deref for Chunk {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &[]
    }
}
impl Chunk {
    /// Leaves out the first `count` bytes.
    pub fn advance(&mut self, count: usize) {}
}
pub fn take_buffer() -> Vec<u8> {
    Vec::new()
}
pub fn recycle(buffer: Vec<u8>) {}
pub enum Conn {
    Plain(Stream),
    Tls(TlsStream),
}
pub struct TlsStream {
    _p: (),
}
impl Conn {
    pub async fn tls_client(
        stream: Stream,
        config: Arc<rustls::ClientConfig>,
        name: rustls_pki_types::ServerName<'static>,
    ) -> io::Result<Conn> {
        todo!()
    }
    pub async fn tls_server(stream: Stream, config: Arc<rustls::ServerConfig>) -> io::Result<Conn> {
        todo!()
    }
    pub async fn recv(&self) -> io::Result<Option<Chunk>> {
        todo!()
    }
    pub fn try_recv(&self) -> Option<Chunk> {
        todo!()
    }
    pub async fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        todo!()
    }
    pub async fn flush(&self) -> io::Result<()> {
        todo!()
    }
    pub fn is_quiet(&self) -> bool {
        todo!()
    }
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        todo!()
    }
    pub fn bytes(&self) -> Bytes {
        todo!()
    }
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        todo!()
    }
    pub async fn close(self) -> io::Result<()> {
        todo!()
    }
    pub async fn reset(self) {
        todo!()
    }
    pub fn abort(self) {
        todo!()
    }
}
impl From<Stream> for Conn {
    fn from(s: Stream) -> Conn {
        Conn::Plain(s)
    }
}
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub streams: u64,
    pub chunks_out: u64,
    pub tasks: u64,
    pub accepted: u64,
    pub accept_pauses: u64,
    pub enters: u64,
    pub panics: u64,
}
pub fn counters() -> Counters {
    todo!()
}
pub mod probe {
    #[derive(Debug, Clone)]
    pub struct Check {
        pub name: &'static str,
        pub ok: bool,
        pub sentence: String,
        pub remedy: String,
    }
    pub fn check() -> Vec<Check> {
        todo!()
    }
    pub fn raise_nofile() -> std::io::Result<u64> {
        todo!()
    }
}
#[allow(unused)]
const _: Option<Duration> = None;
