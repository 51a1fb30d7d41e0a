//! The futures-io adapter carries bytes whole, also through a full socket, and gives the connection back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use rt::{Conn, ConnIo, ListenOptions, Listener, Stream};
use support::{loopback, on_shard, pattern, settled};

#[test]
fn bytes_go_through_the_adapter_whole() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let client = Stream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let far = rt::spawn(async move {
            let mut server = ConnIo::new(Conn::from(server));
            server.write_all(&pattern(1, 9_000_000)).await.unwrap();
            server.flush().await.unwrap();
            let mut question = vec![0; 10];
            server.read_exact(&mut question).await.unwrap();
            server.close().await.unwrap();
            question
        });
        let mut client = ConnIo::new(Conn::from(client));
        let mut answer = vec![0; 9_000_000];
        client.read_exact(&mut answer).await.unwrap();
        assert!(answer == pattern(1, 9_000_000));
        client.write_all(b"0123456789").await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(far.await.unwrap(), b"0123456789");
        let (client, unread) = client.into_inner().unwrap();
        assert!(unread.is_none());
        client.close().await.unwrap();
        settled(|c| (c.streams, c.buffers_in_use, c.chunks_out) == (0, 0, 0)).await;
    });
}
