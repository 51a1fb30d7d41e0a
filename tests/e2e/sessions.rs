//! `sticky_session`, seen from outside: a session stays where it is, by its header or its client's address, and a lost upstream moves
//! the sessions that it had and no others.

use crate::harness::{Proxy, Response, Setup, balance_call, ok, provider};
use perf::provider::Handle;

const NAMES: [&str; 3] = ["a", "b", "c"];

struct Stage {
    providers: Vec<Handle>,
    proxy: Proxy,
}

impl Stage {
    fn start() -> Self {
        let providers: Vec<_> = NAMES.iter().map(|_| provider()).collect();
        let setup = Setup::default()
            .server("explain: true")
            .server("session: { header: X-Session-Id }")
            .chain("strategy: { name: sticky_session, over: leaderboard, sharpness: 1 }")
            .forwarding_all();
        let named = NAMES.iter().zip(&providers);
        let setup = named.fold(setup, |setup, (name, provider)| {
            setup.upstream(name, &provider.url(), "connect_timeout: 500ms")
        });
        Self {
            proxy: setup.start(),
            providers,
        }
    }

    /// Where a call of this session goes; each on a connection of its own.
    fn home(&self, session: &str, id: u64) -> String {
        let header = format!("x-session-id: {session}");
        let mut client = self.proxy.connect();
        upstream_of(&client.post_with("/", &[&header], &balance_call(id)))
    }
}

fn upstream_of(response: &Response) -> String {
    ok(response);
    let upstream = response.header("x-livechain-upstream");
    upstream.unwrap_or_else(|| panic!("{response}")).to_owned()
}

#[test]
fn sessions_stay_at_home_and_a_lost_upstream_moves_its_own_alone() {
    let stage = Stage::start();
    let sessions: Vec<String> = (0..24).map(|number| format!("session-{number}")).collect();
    let homes: Vec<String> = sessions.iter().map(|one| stage.home(one, 1)).collect();
    for id in 2..6 {
        let again: Vec<String> = sessions.iter().map(|one| stage.home(one, id)).collect();
        assert_eq!(again, homes, "call {id}");
    }
    let of = |name: &str| homes.iter().filter(|home| *home == name).count();
    assert!(NAMES.iter().all(|name| of(name) >= 1), "{homes:?}");

    let lost = 0;
    stage.providers[lost].kill().unwrap();
    for id in 10..13 {
        let now: Vec<String> = sessions.iter().map(|one| stage.home(one, id)).collect();
        for ((session, before), after) in sessions.iter().zip(&homes).zip(&now) {
            if before == NAMES[lost] {
                assert_ne!(after, before, "{session}");
            } else {
                assert_eq!(after, before, "{session} was not the lost one's");
            }
        }
    }
    // Its sessions were not all given to one.
    let new: std::collections::BTreeSet<String> = (sessions.iter().zip(&homes))
        .filter(|(_, home)| *home == NAMES[lost])
        .map(|(session, _)| stage.home(session, 20))
        .collect();
    assert!(
        of(NAMES[lost]) < 4 || new.len() == 2,
        "{new:?} of {homes:?}"
    );
}

#[test]
fn without_a_header_the_client_s_address_is_the_session() {
    let stage = Stage::start();
    let home = |host: u8, id: u64| {
        let mut client = stage.proxy.connect_from([127, 0, 1, host]);
        upstream_of(&client.post("/", &balance_call(id)))
    };
    let homes: Vec<String> = (1..=16).map(|host| home(host, 1)).collect();
    for id in 2..5 {
        let again: Vec<String> = (1..=16).map(|host| home(host, id)).collect();
        assert_eq!(again, homes, "call {id}");
    }
    assert!(homes.iter().any(|home| *home != homes[0]), "{homes:?}");
    // With the header it is another session, from wherever it comes.
    let mut elsewhere = stage.proxy.connect_from([127, 0, 1, 1]);
    let header = ["x-session-id: session-7"];
    let by_header = upstream_of(&elsewhere.post_with("/", &header, &balance_call(9)));
    assert_eq!(by_header, stage.home("session-7", 10));
}
