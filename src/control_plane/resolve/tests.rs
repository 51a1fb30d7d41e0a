//! What is published and what is kept, without a name server; one round with the system's resolver for
//! `localhost`.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn target() -> Target {
    Target {
        host: "rpc.example".to_owned(),
        port: 443,
    }
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Tells the book of a lookup; gives the outcome and the published addresses back.
fn tell(
    book: &mut AddressBook,
    found: Option<&[SocketAddr]>,
    at: u64,
) -> (ResolveOutcome, Option<Vec<SocketAddr>>) {
    let observed = book.observe(&target(), found.map(<[_]>::to_vec), Duration::from_secs(at));
    (
        observed.outcome,
        observed
            .publish
            .map(|resolution| resolution.addresses.to_vec()),
    )
}

#[test]
fn only_changes_are_published() {
    use ResolveOutcome::{Changed, Unchanged};
    let mut book = AddressBook::new(HOUR);
    let (a, b) = (
        addresses(&["192.0.2.1:443", "192.0.2.2:443"]),
        addresses(&["192.0.2.3:443"]),
    );
    let rotated: Vec<_> = a.iter().rev().copied().collect();
    assert_eq!(tell(&mut book, Some(&a), 0), (Changed, Some(a.clone())));
    assert_eq!(tell(&mut book, Some(&rotated), 30), (Unchanged, None));
    assert_eq!(tell(&mut book, Some(&b), 60), (Changed, Some(b)));
}

#[test]
fn failures_keep_the_last_good_addresses_for_the_time_told() {
    use ResolveOutcome::{Changed, Failed};
    let mut book = AddressBook::new(HOUR);
    let good = addresses(&["192.0.2.1:443"]);
    tell(&mut book, Some(&good), 10);
    for (found, at) in [(None, 40), (Some(&[][..]), 70), (None, 3_610)] {
        assert_eq!(tell(&mut book, found, at), (Failed, None), "{at}");
    }
    assert!(book.is_complete());
    assert_eq!(tell(&mut book, None, 3_611), (Failed, Some(Vec::new())));
    assert!(!book.is_complete());
    // Said once, and the same addresses are news again.
    assert_eq!(tell(&mut book, None, 3_700), (Failed, None));
    assert_eq!(tell(&mut book, Some(&good), 3_800), (Changed, Some(good)));
}

#[test]
fn a_success_in_between_starts_the_time_anew() {
    let mut book = AddressBook::new(HOUR);
    let good = addresses(&["192.0.2.1:443"]);
    tell(&mut book, Some(&good), 0);
    tell(&mut book, Some(&good), 3_000);
    assert_eq!(tell(&mut book, None, 6_000), (ResolveOutcome::Failed, None));
}

#[test]
fn a_host_that_was_never_found_publishes_nothing() {
    let mut book = AddressBook::new(HOUR);
    assert_eq!(
        tell(&mut book, None, 99_999),
        (ResolveOutcome::Failed, None)
    );
    assert!(!book.is_complete());
}

#[test]
fn a_failure_is_worth_a_line_when_it_begins_and_when_it_ends() {
    let mut book = AddressBook::new(HOUR);
    let good = addresses(&["192.0.2.1:443"]);
    let turns: Vec<bool> = [Some(&good), None, None, Some(&good), Some(&good)]
        .into_iter()
        .map(|found| {
            book.observe(&target(), found.cloned(), Duration::ZERO)
                .turned
        })
        .collect();
    assert_eq!(turns, [false, true, false, true, false]);
}

#[test]
fn families_alternate_from_the_one_that_the_system_prefers() {
    let found = addresses(&[
        "[2001:db8::1]:1",
        "[2001:db8::2]:1",
        "[2001:db8::3]:1",
        "192.0.2.1:1",
        "192.0.2.2:1",
    ]);
    let ordered = addresses(&[
        "[2001:db8::1]:1",
        "192.0.2.1:1",
        "[2001:db8::2]:1",
        "192.0.2.2:1",
        "[2001:db8::3]:1",
    ]);
    assert_eq!(in_trial_order(found), ordered);
    let found = addresses(&[
        "192.0.2.1:1",
        "192.0.2.1:1",
        "[2001:db8::1]:1",
        "[2001:db8::2]:1",
    ]);
    let ordered = addresses(&["192.0.2.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1"]);
    assert_eq!(in_trial_order(found), ordered);
    let many = (0..100)
        .map(|n| SocketAddr::from(([192, 0, 2, n], 1)))
        .collect();
    assert_eq!(in_trial_order(many).len(), MAX_ADDRESSES);
}

#[test]
fn literals_are_known_without_a_lookup() {
    let literal = |host: &str| {
        Target {
            host: host.to_owned(),
            port: 8545,
        }
        .literal()
        .map(|address| address.to_string())
    };
    assert_eq!(literal("127.0.0.1").as_deref(), Some("127.0.0.1:8545"));
    assert_eq!(literal("::1").as_deref(), Some("[::1]:8545"));
    assert_eq!(literal("localhost"), None);
}

#[test]
fn the_first_round_publishes_everything_at_once() {
    let target = |host: &str| Target {
        host: host.to_owned(),
        port: 1,
    };
    let targets = vec![
        target("127.0.0.9"),
        target("localhost"),
        target("localhost"),
        target("127.0.0.9"),
    ];
    let published: Rc<RefCell<Vec<Vec<Resolution>>>> = Rc::default();
    let counted: Rc<RefCell<Vec<ResolveOutcome>>> = Rc::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (done, first_round) = tokio::sync::oneshot::channel();
        let mut done = Some(done);
        let resolving = keep_resolved(
            targets,
            ResolveOptions::default(),
            |news| {
                published.borrow_mut().push(news);
                let _ = done.take().map(|done| done.send(()));
            },
            |outcome| counted.borrow_mut().push(outcome),
        );
        tokio::select! {
            () = resolving => {}
            _ = first_round => {}
        }
    });
    let published = published.borrow();
    assert_eq!(published.len(), 1);
    let mut hosts: Vec<_> = published[0]
        .iter()
        .map(|resolution| resolution.target.host.as_str())
        .collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["127.0.0.9", "localhost"]);
    assert!(
        published[0]
            .iter()
            .all(|r| !r.addresses.is_empty() && r.addresses.iter().all(|a| a.ip().is_loopback()))
    );
    assert_eq!(
        counted.borrow()[..],
        [ResolveOutcome::Changed],
        "a literal is no lookup"
    );
}
