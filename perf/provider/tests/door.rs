//! The door: what connects see.

use super::answers::wait_until;
use super::*;
use crate::provider::Door;

#[test]
fn a_refused_door_reopens_on_its_port() {
    let provider = start();
    let address = provider.address();
    provider.set_door(Door::Refuse).unwrap();
    let error = TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    provider.set_door(Door::Open).unwrap();
    assert_eq!(provider.address(), address);
    assert_eq!(ask(&provider, BALANCE).status(), 200);
}

#[test]
fn a_shut_door_leaves_open_connections_alone_until_they_are_cut() {
    let provider = start();
    let mut client = Client::connect(&provider);
    client.ask(BALANCE);
    provider.set_door(Door::Refuse).unwrap();
    client.ask(BALANCE);
    provider.cut_connections(false).unwrap();
    client.assert_end();
    wait_until(|| provider.counters().connections_open == 0);
}

#[test]
fn a_kill_resets_and_a_revival_serves() {
    let provider = start();
    let mut client = Client::connect(&provider);
    client.ask(BALANCE);
    provider.kill().unwrap();
    client.assert_reset();
    assert!(TcpStream::connect(provider.address()).is_err());
    provider.revive().unwrap();
    assert_eq!(ask(&provider, BALANCE).status(), 200);
}

#[test]
fn a_black_hole_lets_connects_hang() {
    let provider = start();
    provider.set_door(Door::BlackHole).unwrap();
    let error = TcpStream::connect_timeout(&provider.address(), SILENCE).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    provider.set_door(Door::Open).unwrap();
    assert_eq!(ask(&provider, BALANCE).status(), 200);
}

#[test]
fn a_silent_door_accepts_and_never_answers() {
    let provider = start();
    provider.set_door(Door::Silent).unwrap();
    let mut client = Client::connect(&provider);
    client.send(BALANCE);
    client.assert_silent();
    assert_eq!(provider.counters().requests, 0);
    assert_eq!(provider.counters().connections, 1);
}

#[test]
fn a_resetting_door_resets() {
    let provider = start();
    provider.set_door(Door::Reset).unwrap();
    let mut client = Client::connect(&provider);
    client.assert_reset();
}

#[test]
fn a_dropped_provider_frees_its_port() {
    let provider = start();
    let address = provider.address();
    let mut client = Client::connect(&provider);
    client.ask(BALANCE);
    drop(provider);
    assert!(TcpStream::connect(address).is_err());
    let again = Provider::start(Options {
        listen: address,
        ..Options::default()
    })
    .unwrap();
    assert_eq!(again.address(), address);
}
