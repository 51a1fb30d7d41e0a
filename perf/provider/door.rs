//! The listening sockets of a provider and the threads behind them: accepting, refusing, cutting. Never reads a
//! request (`connection` does).

use super::{Shared, connection};
use crate::transport::{Guarded, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What happens to new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Door {
    /// They are served.
    #[default]
    Open,
    /// Nothing listens: connects are refused. Open connections stay; see [`super::Handle::cut_connections`].
    Refuse,
    /// Connects hang: the backlog is full and nobody accepts.
    BlackHole,
    /// They are accepted and never read; a TLS handshake stalls.
    Silent,
    /// They are accepted and reset at once.
    Reset,
}

/// Where a thread says that a command is carried out.
pub(super) type Ack = blocking::SyncSender<io::Result<()>>;

/// What the handle asks of a serving thread.
pub(super) enum Command {
    SetDoor(Door, Ack),
    CutConnections(Ack),
}

/// The handle's end of a serving thread. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Gate(mpsc::Sender<Command>);

const ACK_TIMEOUT: Duration = Duration::from_secs(5);

impl Gate {
    pub(super) fn command(&self, command: impl FnOnce(Ack) -> Command) -> io::Result<()> {
        let (ack, done) = blocking::sync_channel(1);
        let gone = || io::Error::other("the provider's thread does not answer");
        self.0.try_send(command(ack)).map_err(|_| gone())?;
        done.recv_timeout(ACK_TIMEOUT).map_err(|_| gone())?
    }
}

/// A bound socket that several listeners may share the port with.
pub(super) fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

const BACKLOG: i32 = 4096;

fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = bind(address)?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Starts a serving thread; it listens when this returns.
pub(super) fn open(
    address: SocketAddr,
    index: usize,
    shared: Arc<Shared>,
) -> io::Result<(Gate, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        listen(address, BACKLOG)?
    };
    let (sender, commands) = mpsc::channel(16);
    let keeper = Keeper {
        address,
        shared,
        door: Door::Open,
        listener: Some(listener),
        connections: JoinSet::new(),
        silent: Vec::new(),
        fill: Vec::new(),
    };
    let thread = std::thread::Builder::new()
        .name(format!("provider-{index}"))
        .spawn(move || runtime.block_on(keeper.run(commands)))?;
    Ok((Gate(sender), thread))
}

/// The state of one serving thread.
struct Keeper {
    address: SocketAddr,
    shared: Arc<Shared>,
    door: Door,
    listener: Option<TcpListener>,
    connections: JoinSet<()>,
    /// Accepted and left alone.
    silent: Vec<Guarded>,
    /// Our own connects that keep the backlog full.
    fill: Vec<TcpStream>,
}

impl Keeper {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let accepting = self.listener.is_some() && self.door != Door::BlackHole;
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::SetDoor(door, ack)) => drop(ack.send(self.set_door(door).await)),
                    Some(Command::CutConnections(ack)) => {
                        self.silent.clear();
                        self.connections.shutdown().await;
                        drop(ack.send(Ok(())));
                    }
                    None => return,
                },
                accepted = accept(self.listener.as_ref()), if accepting => match accepted {
                    Ok(stream) => self.welcome(stream),
                    // Out of descriptors, most likely: pause, so that the thread does not spin.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => {}
            }
        }
    }

    async fn set_door(&mut self, door: Door) -> io::Result<()> {
        self.fill.clear();
        self.listener = None;
        self.door = door;
        match door {
            Door::Refuse => {}
            Door::BlackHole => {
                self.listener = Some(listen(self.address, 0)?);
                self.fill_backlog().await?;
            }
            Door::Open | Door::Silent | Door::Reset => {
                self.listener = Some(listen(self.address, BACKLOG)?)
            }
        }
        Ok(())
    }

    /// Connects to ourselves until a connect hangs: from then on the kernel drops SYNs.
    async fn fill_backlog(&mut self) -> io::Result<()> {
        const PATIENCE: Duration = Duration::from_millis(50);
        for _ in 0..8 {
            let socket = if self.address.is_ipv4() {
                TcpSocket::new_v4()
            } else {
                TcpSocket::new_v6()
            }?;
            match tokio::time::timeout(PATIENCE, socket.connect(self.address)).await {
                Ok(connected) => self.fill.push(connected?),
                Err(_) => return Ok(()),
            }
        }
        Err(io::Error::other("the backlog did not fill up"))
    }

    fn welcome(&mut self, stream: TcpStream) {
        let tally = &self.shared.tally;
        let number = tally.connections.fetch_add(1, Ordering::SeqCst);
        let mut guarded = Guarded::new(stream, Arc::clone(&self.shared.reset_on_cut));
        let open = tally.connections_open.load(Ordering::SeqCst);
        let full =
            usize::try_from(open).is_ok_and(|open| open >= self.shared.options.max_connections);
        match self.door {
            Door::Reset => guarded.reset_on_drop(),
            Door::Silent if !full => self.silent.push(guarded),
            _ if full => {}
            _ => {
                let shared = Arc::clone(&self.shared);
                tally.connections_open.fetch_add(1, Ordering::SeqCst);
                self.connections.spawn(connect(guarded, shared, number));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Takes one off the count of open connections, however the connection's task ends.
struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.tally.connections_open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn connect(guarded: Guarded, shared: Arc<Shared>, number: u64) {
    let leaving = Leaving(Arc::clone(&shared));
    let transport = match &shared.options.tls {
        None => Transport::plain(guarded),
        Some(config) => match Transport::tls_server(guarded, Arc::clone(config)).await {
            Ok(transport) => transport,
            Err(_) => {
                shared.tally.tls_failures.fetch_add(1, Ordering::SeqCst);
                return;
            }
        },
    };
    connection::serve(transport, &shared, number).await;
    drop(leaving);
}
