//! What the gossip lane costs: from one shard to another through the doorbell, with the receiver asleep, serving a socket, or
//! computing without a pause; and what one message costs its sender. Prints a table; asserts nothing about time.
//!
//! `cargo run --release -p mailbox --example latency -- [ROUNDS] [SENDER_CORE RECEIVER_CORE]`
#![allow(clippy::expect_used)]
#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made is given up"
)]

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, mpsc};

use hdrhistogram::Histogram;
use mailbox::gossip::{Port, mesh};
use rt::{Doorbell, ListenOptions, Listener, Options, Stream};

/// As large as what shards tell each other: when it was sent, whether it is the last one, and a digest.
type Message = [u64; 7];

/// As the shards' lanes.
const CAPACITY: usize = 256;

const MS: u64 = 1_000_000;

/// What the receiver does besides.
#[derive(Clone, Copy, PartialEq)]
enum Receiver {
    /// Nothing: it sleeps between messages.
    Asleep,
    /// It answers on a socket, one message after the other, and waits on its ring in between.
    Serving,
    /// A task of it computes for 10 µs, lets the others run, and goes on, for ever.
    Computing,
}

/// Nanoseconds from `tell` to the end of `take`, and within `tell`.
struct Measured {
    delivery: Histogram<u64>,
    tell: Histogram<u64>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000 * MS, 3).unwrap()
}

fn main() {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().expect("a number"))
        .collect();
    let rounds = arguments.first().copied().unwrap_or(5);
    let cores = match arguments.get(1..3) {
        Some([sender, receiver]) => [*sender, *receiver],
        _ => [0, 1],
    };
    println!("| | round | messages | p50 ns | p99 ns | p99.9 ns |\n|---|---:|---:|---:|---:|---:|");
    for round in 1..=rounds {
        let receivers = [
            ("asleep", Receiver::Asleep, 400, 10 * MS),
            ("serving a socket", Receiver::Serving, 2000, MS),
            ("computing", Receiver::Computing, 2000, MS),
        ];
        for (name, receiver, messages, gap_ns) in receivers {
            let measured = between_shards(cores, receiver, messages, gap_ns);
            row(
                &format!("delivery, receiver {name}"),
                round,
                &measured.delivery,
            );
            row(&format!("`tell`, receiver {name}"), round, &measured.tell);
        }
        row("`tell`, room in the lane, already rung", round, &waiting());
        row("`tell`, lane full", round, &displacing());
        row("`take` of one message", round, &taking());
        row("`take` that finds nothing", round, &taking_nothing());
        row("reading the clock twice", round, &clock());
    }
}

fn row(name: &str, round: usize, of: &Histogram<u64>) {
    let at = |quantile| of.value_at_quantile(quantile);
    println!(
        "| {name} | {round} | {} | {} | {} | {} |",
        of.len(),
        at(0.5),
        at(0.99),
        at(0.999)
    );
}

type Bells = Arc<[OnceLock<Doorbell>]>;

/// Two shards on two cores; the first tells the second, with a pause of about `gap_ns` between messages.
fn between_shards(cores: [usize; 2], receiver: Receiver, messages: u64, gap_ns: u64) -> Measured {
    let bells: Bells = (0..2).map(|_| OnceLock::new()).collect();
    let rung = bells.clone();
    let mut ports = mesh::<Message>(2, CAPACITY, move |to| {
        if let Some(bell) = rung[to].get() {
            bell.ring();
        }
    });
    let taker = ports.pop().unwrap();
    let teller = ports.pop().unwrap();
    let address = Arc::new(OnceLock::new());
    let (deliveries, delivered) = mpsc::channel();
    let (tells, told) = mpsc::channel();
    let receiving = rt::spawn_shard(options(cores[1]), {
        let address = address.clone();
        move || async move {
            drop(bells[1].set(rt::doorbell().unwrap()));
            besides(receiver, &address);
            deliveries.send(receive(taker).await).unwrap();
        }
    });
    let sending = rt::spawn_shard(options(cores[0]), move || async move {
        if receiver == Receiver::Serving {
            let address = *address.get().expect("the receiver listens by now");
            rt::spawn(ask(address)).detach();
            rt::sleep_until(rt::now() + 20 * MS).await;
        }
        tells.send(send(teller, messages, gap_ns).await).unwrap();
    });
    let measured = Measured {
        delivery: delivered.recv().unwrap(),
        tell: told.recv().unwrap(),
    };
    sending.unwrap().join().unwrap();
    receiving.unwrap().join().unwrap();
    measured
}

fn options(core: usize) -> Options {
    Options {
        cpu: Some(core),
        ..Options::default()
    }
}

async fn send(port: Port<Message>, messages: u64, gap_ns: u64) -> Histogram<u64> {
    let mut within = histogram();
    // Away from the phase of any timer.
    let mut phase = 0x9e37_79b9_7f4a_7c15u64;
    rt::sleep_until(rt::now() + 20 * MS).await;
    for number in 1..=messages {
        phase = phase.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        rt::sleep_until(rt::clock::read() + gap_ns / 2 + (phase >> 33) % gap_ns).await;
        let before = rt::clock::read();
        port.tell(1, [before, u64::from(number == messages), 0, 0, 0, 0, 0]);
        within.saturating_record(rt::clock::read() - before);
    }
    within
}

async fn receive(port: Port<Message>) -> Histogram<u64> {
    let mut delivery = histogram();
    loop {
        while let Some((_, [sent, is_last, ..])) = port.take() {
            delivery.saturating_record(rt::clock::read() - sent);
            if is_last == 1 {
                return delivery;
            }
        }
        rt::rung().await;
    }
}

/// Starts what the receiver does besides.
fn besides(receiver: Receiver, address: &OnceLock<SocketAddr>) {
    match receiver {
        Receiver::Asleep => (),
        Receiver::Serving => {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = Listener::bind(any, &ListenOptions::default()).unwrap();
            address.set(listener.local_addr().unwrap()).unwrap();
            rt::spawn(answer(listener)).detach();
        }
        Receiver::Computing => rt::spawn(async {
            loop {
                let until = rt::clock::read() + 10_000;
                while rt::clock::read() < until {
                    std::hint::spin_loop();
                }
                rt::yield_now().await;
            }
        })
        .detach(),
    }
}

async fn answer(listener: Listener) {
    let (client, _) = listener.accept().await.unwrap();
    while let Ok(Some(chunk)) = client.recv().await {
        let echo = chunk.to_vec();
        drop(chunk);
        if client.send(echo).await.is_err() {
            return;
        }
    }
}

async fn ask(address: SocketAddr) {
    let stream = Stream::connect(address).await.unwrap();
    loop {
        let sent = stream.send(vec![7; 64]).await;
        if sent.is_err() || !matches!(stream.recv().await, Ok(Some(_))) {
            return;
        }
    }
}

/// Runs of calls on one thread, and the mean of each run, so that the clock does not count.
fn runs(mut run: impl FnMut() -> u64) -> Histogram<u64> {
    let mut means = histogram();
    for _ in 0..2000 {
        let before = rt::clock::read();
        let calls = run();
        means.saturating_record((rt::clock::read() - before) / calls);
    }
    means
}

fn pair() -> (Port<Message>, Port<Message>) {
    let mut ports = mesh(2, CAPACITY, |_| ());
    let second = ports.pop().unwrap();
    (ports.pop().unwrap(), second)
}

fn drain(port: &Port<Message>) -> u64 {
    std::iter::from_fn(|| port.take()).count() as u64
}

fn waiting() -> Histogram<u64> {
    let (teller, taker) = pair();
    let mut means = histogram();
    for _ in 0..2000 {
        teller.tell(1, [0; 7]);
        let before = rt::clock::read();
        for _ in 0..200 {
            teller.tell(1, [0; 7]);
        }
        means.saturating_record((rt::clock::read() - before) / 200);
        drain(&taker);
    }
    means
}

fn displacing() -> Histogram<u64> {
    let (teller, _taker) = pair();
    (0..=CAPACITY).for_each(|_| teller.tell(1, [0; 7]));
    runs(|| {
        (0..200).for_each(|_| teller.tell(1, [0; 7]));
        200
    })
}

fn taking() -> Histogram<u64> {
    let (teller, taker) = pair();
    let mut means = histogram();
    for _ in 0..2000 {
        (0..200).for_each(|_| teller.tell(1, [0; 7]));
        let before = rt::clock::read();
        let taken = drain(&taker);
        means.saturating_record((rt::clock::read() - before) / taken);
    }
    means
}

fn taking_nothing() -> Histogram<u64> {
    let (_teller, taker) = pair();
    runs(|| {
        for _ in 0..200 {
            assert!(std::hint::black_box(&taker).take().is_none());
        }
        200
    })
}

fn clock() -> Histogram<u64> {
    let mut pairs = histogram();
    for _ in 0..100_000 {
        let before = rt::clock::read();
        pairs.saturating_record(rt::clock::read() - before);
    }
    pairs
}
