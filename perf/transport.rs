//! A connection's bytes, plain or TLS, for both ends: the synthetic provider serves through it, the load generator
//! asks through it. Knows no HTTP.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room made before each read.
const READ_BYTES: usize = 16 * 1024;

/// A socket that closes with RST instead of FIN when it was told to, or when a shared flag is up as it is dropped.
#[derive(Debug)]
pub(crate) struct Guarded {
    stream: TcpStream,
    reset: bool,
    reset_flag: Arc<AtomicBool>,
}

impl Guarded {
    pub(crate) fn new(stream: TcpStream, reset_flag: Arc<AtomicBool>) -> Self {
        // A provider that batches its small answers would add 40 ms; a socket that refuses the option still works.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            reset: false,
            reset_flag,
        }
    }

    pub(crate) fn reset_on_drop(&mut self) {
        self.reset = true;
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.reset || self.reset_flag.load(Ordering::SeqCst) {
            // Failing to set it leaves a FIN in place of the RST; nobody is there to be told.
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(Guarded),
    Tls(Box<Tls>),
}

/// TLS over a socket, buffered: records are read whole into memory before they are decrypted.
#[derive(Debug)]
pub(crate) struct Tls {
    socket: Guarded,
    session: Connection,
    cipher: Vec<u8>,
    taken: usize,
    outgoing: Vec<u8>,
}

impl Transport {
    pub(crate) fn plain(socket: Guarded) -> Self {
        Self::Plain(socket)
    }

    /// Shakes hands as a server.
    pub(crate) async fn tls_server(socket: Guarded, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        Self::handshake(socket, session.into()).await
    }

    /// Shakes hands as a client.
    pub(crate) async fn tls_client(
        socket: Guarded,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Self::handshake(socket, session.into()).await
    }

    async fn handshake(socket: Guarded, session: Connection) -> io::Result<Self> {
        let mut tls = Tls {
            socket,
            session,
            cipher: Vec::new(),
            taken: 0,
            outgoing: Vec::new(),
        };
        while tls.session.is_handshaking() {
            tls.flush().await?;
            if tls.session.is_handshaking() && tls.session.wants_read() && tls.advance().await? == 0
            {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        tls.flush().await?;
        Ok(Self::Tls(Box::new(tls)))
    }

    /// Appends what the peer sent. 0 means that it is done sending.
    pub(crate) async fn read_more(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => {
                if into.capacity() - into.len() < READ_BYTES / 4 {
                    into.reserve(READ_BYTES);
                }
                socket.stream.read_buf(into).await
            }
            Self::Tls(tls) => tls.read_more(into).await,
        }
    }

    /// Sends all of it.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.stream.write_all(bytes).await,
            Self::Tls(tls) => tls.write_all(bytes).await,
        }
    }

    /// Ends our half properly: close_notify where there is TLS, then FIN.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        if let Self::Tls(tls) = self {
            tls.session.send_close_notify();
            tls.flush().await?;
        }
        self.socket_mut().stream.shutdown().await
    }

    /// Makes the coming drop an RST.
    pub(crate) fn reset_on_drop(&mut self) {
        self.socket_mut().reset_on_drop();
    }

    /// Returns when the peer has closed its half or the connection broke. Bytes that it sends are left unread; when
    /// there are any, this never returns.
    pub(crate) async fn gone(&self) {
        let stream = match self {
            Self::Plain(socket) => &socket.stream,
            Self::Tls(tls) => &tls.socket.stream,
        };
        if let Ok(1..) = stream.peek(&mut [0]).await {
            std::future::pending::<()>().await;
        }
    }

    /// Reads and throws away until the peer closes.
    pub(crate) async fn drain(&mut self) {
        let mut waste = Vec::with_capacity(READ_BYTES);
        while let Ok(1..) = self.read_more(&mut waste).await {
            waste.clear();
        }
    }

    fn socket_mut(&mut self) -> &mut Guarded {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &mut tls.socket,
        }
    }
}

impl Tls {
    async fn read_more(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let before = into.len();
            into.resize(before + READ_BYTES, 0);
            let read = match into.get_mut(before..) {
                Some(room) => self.session.reader().read(room),
                None => Ok(0),
            };
            into.truncate(before + read.as_ref().map_or(0, |&n| n));
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                decided => return decided,
            }
            self.flush().await?;
            if self.advance().await? == 0 {
                // Tells the session that the socket ended; its reader then knows whether that was announced.
                self.session.read_tls(&mut io::empty())?;
            }
        }
    }

    /// Feeds the session what is buffered, after reading more where nothing is. Returns the bytes fed; 0 at the end.
    async fn advance(&mut self) -> io::Result<usize> {
        if self.taken >= self.cipher.len() {
            self.cipher.clear();
            self.taken = 0;
            self.cipher.reserve(READ_BYTES);
            if self.socket.stream.read_buf(&mut self.cipher).await? == 0 {
                return Ok(0);
            }
        }
        let mut rest = self.cipher.get(self.taken..).unwrap_or_default();
        let fed = self.session.read_tls(&mut rest)?;
        self.taken += fed;
        if let Err(error) = self.session.process_new_packets() {
            // The alert tells the peer why; when it cannot be sent the error stands all the same.
            let _ = self.flush().await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(fed)
    }

    async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.session.writer().write(bytes)?;
            bytes = bytes.get(written..).unwrap_or_default();
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.outgoing)?;
        }
        if !self.outgoing.is_empty() {
            self.socket.stream.write_all(&self.outgoing).await?;
            self.outgoing.clear();
        }
        Ok(())
    }
}
