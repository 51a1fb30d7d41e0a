//! What the head of an answer says of the choice of its upstream, where the operator wants it said (`server.explain`). It writes down the
//! selection that counters and events were told of; it never decides and never looks at an upstream a second time.
//!
//! The values are structured fields (RFC 9651), so that programs read them as well as people do.

use std::io::Write;

use engine::index::UpstreamIndex;
use engine::note::{Note, NoteKind};
use engine::strategy::REGISTRY;
use telemetry::CacheStatus;
use wire::http1;

use super::observe;
use super::snapshot::Chain;

/// The longest value of a list, its mark included: proxies take heads of 4 KiB and more, and two lists are sent.
const MAX_LIST_BYTES: usize = 1024;

/// Room for the mark of a list that was cut, `, *;more=64`.
const MARK_BYTES: usize = 16;

/// What the explanation headers say.
#[derive(Debug, Default)]
pub struct Explain {
    /// The upstream that answered, or was asked last.
    pub upstream: Option<UpstreamIndex>,
    /// How many attempts were made.
    pub attempts: u16,
    /// What the cache did for it.
    pub cache: Option<CacheStatus>,
    /// How that upstream was chosen, or why none could be.
    pub selection: Option<Box<Note>>,
}

/// Of a call's selections the one that its headers explain: the last that chose the upstream they name. The attempt that answered may have
/// been made without one (to return to an upstream, or over a fresh connection); then that upstream was chosen before. Where no attempt was
/// made, it is the one that found nobody.
pub fn explained(selections: &[Note], upstream: Option<UpstreamIndex>) -> Option<Box<Note>> {
    let leads_there = |note: &&Note| match note.kind {
        NoteKind::Selected { chosen, .. } => upstream == Some(chosen),
        _ => upstream.is_none(),
    };
    selections
        .iter()
        .rev()
        .find(leads_there)
        .copied()
        .map(Box::new)
}

/// Appends the explanation headers.
pub fn write(out: &mut Vec<u8>, chain: &Chain, how: &Explain) {
    if let Some(upstream) = how.upstream.and_then(|at| chain.upstream(at)) {
        append(out, "x-livechain-upstream", upstream.name.as_bytes());
    }
    let mut digits = itoa::Buffer::new();
    let attempts = digits.format(how.attempts);
    append(out, "x-livechain-attempts", attempts.as_bytes());
    if let Some(cache) = how.cache {
        append(out, "x-livechain-cache", cache.label().as_bytes());
    }
    if let Some(note) = &how.selection {
        write_selection(out, chain, &note.kind);
    }
}

fn write_selection(out: &mut Vec<u8>, chain: &Chain, made: &NoteKind) {
    let name = |at| chain.upstream(at).map(|upstream| &*upstream.name);
    let left_out = match *made {
        NoteKind::Selected {
            strategy,
            reason,
            candidates,
            left_out,
            least_bad,
            ..
        } => {
            let why = observe::reason(reason, least_bad);
            let kind = REGISTRY.get(chain.kind_of(strategy));
            let value = selected(why, kind.map(|kind| kind.name), least_bad.is_some());
            append(out, "x-livechain-selected", &value);
            let members = candidates.iter().filter_map(|at| Some((name(at)?, None)));
            append_list(out, "x-livechain-candidates", members);
            left_out
        }
        NoteKind::NothingEligible { left_out, .. } => {
            let value = selected(observe::NOTHING_ELIGIBLE, None, false);
            append(out, "x-livechain-selected", &value);
            left_out
        }
        _ => return,
    };
    let members = left_out.iter();
    let members = members.filter_map(|(at, why)| Some((name(at)?, Some(why.label()))));
    append_list(out, "x-livechain-left-out", members);
}

/// `share;strategy=leaderboard`, and `;least_bad` if nobody was eligible. Labels and names of strategies are tokens.
fn selected(why: &str, strategy: Option<&str>, least_bad: bool) -> Vec<u8> {
    let mut value = why.as_bytes().to_vec();
    if let Some(strategy) = strategy {
        value.extend_from_slice(b";strategy=");
        value.extend_from_slice(strategy.as_bytes());
    }
    if least_bad {
        value.extend_from_slice(b";least_bad");
    }
    value
}

/// A list without members is not sent (RFC 9651 §3.1).
fn append_list<'n>(
    out: &mut Vec<u8>,
    header: &str,
    members: impl Iterator<Item = (&'n str, Option<&'n str>)>,
) {
    let value = list(members);
    if !value.is_empty() {
        append(out, header, &value);
    }
}

/// `a, b;reason=hold_off`. What is beyond [`MAX_LIST_BYTES`] is counted in a last member, `*;more=5`: no name is written as `*` bare.
fn list<'n>(members: impl Iterator<Item = (&'n str, Option<&'n str>)>) -> Vec<u8> {
    let mut value = Vec::new();
    let mut more = 0_usize;
    for (name, reason) in members {
        if more > 0 {
            more += 1;
            continue;
        }
        let whole = value.len();
        separate(&mut value);
        write_name(&mut value, name);
        if let Some(reason) = reason {
            value.extend_from_slice(b";reason=");
            value.extend_from_slice(reason.as_bytes());
        }
        if value.len() > MAX_LIST_BYTES - MARK_BYTES {
            value.truncate(whole);
            more = 1;
        }
    }
    if more > 0 {
        separate(&mut value);
        // Writing to memory does not fail.
        let _ = write!(value, "*;more={more}");
    }
    value
}

fn separate(value: &mut Vec<u8>) {
    if !value.is_empty() {
        value.extend_from_slice(b", ");
    }
}

/// As a token where it is one that begins with a letter, else as a string. A byte that no string holds becomes `?`; names have none.
fn write_name(value: &mut Vec<u8>, name: &str) {
    let is_token = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if is_token {
        value.extend_from_slice(name.as_bytes());
        return;
    }
    value.push(b'"');
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => value.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => value.push(byte),
            _ => value.push(b'?'),
        }
    }
    value.push(b'"');
}

fn append(out: &mut Vec<u8>, header: &str, value: &[u8]) {
    // On refusal nothing is appended, and the answer is right without it.
    let _ = http1::append_header(out, header.as_bytes(), value);
}

#[cfg(test)]
mod tests {
    use engine::eligibility::{LeftOut, LeftOutBy};
    use engine::index::{CallId, ChainIndex, StrategyIndex, UpstreamSet};
    use engine::strategy::Reason;
    use engine::time::Instant;

    use super::*;

    fn listed<'n>(members: impl IntoIterator<Item = (&'n str, Option<&'n str>)>) -> String {
        String::from_utf8(list(members.into_iter())).unwrap()
    }

    #[test]
    fn names_that_are_no_tokens_are_strings() {
        for (name, written) in [
            ("a", "a"),
            ("eu-west.1_b", "eu-west.1_b"),
            ("1rpc", "\"1rpc\""),
            ("-a", "\"-a\""),
            (".a", "\".a\""),
            ("*", "\"*\""),
            ("a b", "\"a b\""),
            ("a,b;c=d", "\"a,b;c=d\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("a\r\nb", "\"a??b\""),
            ("é", "\"??\""),
            ("", "\"\""),
        ] {
            assert_eq!(listed([(name, None)]), written, "{name:?}");
            assert!(http1::is_header_value(written.as_bytes()), "{written}");
        }
        assert_eq!(
            listed([("b", Some("hold_off")), ("1c", Some("breaker_open"))]),
            "b;reason=hold_off, \"1c\";reason=breaker_open"
        );
        assert_eq!(listed([]), "");
    }

    #[test]
    fn a_list_is_never_longer_than_its_bound_and_says_how_many_it_left_out() {
        for length in 1..=64 {
            let name = "n".repeat(length);
            let reason = Some("already_tried");
            for count in 0..=engine::index::MAX_UPSTREAMS {
                let value = listed(std::iter::repeat_n((name.as_str(), reason), count));
                assert!(value.len() <= MAX_LIST_BYTES, "{}", value.len());
                let (written, more) = match value.split_once("*;more=") {
                    Some((members, more)) => (members, more.parse().unwrap()),
                    None => (value.as_str(), 0),
                };
                assert_eq!(written.matches("reason").count() + more, count, "{value}");
            }
        }
        let endless = "n".repeat(2 * MAX_LIST_BYTES);
        assert_eq!(listed([(endless.as_str(), None); 3]), "*;more=3");
        assert!("*;more=".len() + ", 64".len() <= MARK_BYTES);
    }

    #[test]
    fn the_manual_lists_the_reasons_in_their_order() {
        let manual = include_str!("../manual/explanations.md");
        let (_, listed) = manual.split_once("is told: ").unwrap();
        let listed: Vec<_> = listed.split('`').skip(1).step_by(2).collect();
        assert_eq!(listed, LeftOutBy::ALL.map(LeftOutBy::label));
        assert!(manual.contains(&format!("at most {MAX_LIST_BYTES} bytes")));
    }

    #[test]
    fn the_choice_is_a_token_with_parameters() {
        let value =
            |why, strategy, least_bad| String::from_utf8(selected(why, strategy, least_bad));
        assert_eq!(
            value("share", Some("leaderboard"), false).unwrap(),
            "share;strategy=leaderboard"
        );
        assert_eq!(
            value("hold_off", Some("priority"), true).unwrap(),
            "hold_off;strategy=priority;least_bad"
        );
        assert_eq!(
            value("nothing_eligible", None, false).unwrap(),
            "nothing_eligible"
        );
    }

    #[test]
    fn the_selection_explained_is_the_last_that_chose_the_upstream_named() {
        let note = |at, kind| Note {
            at: Instant(at),
            chain: ChainIndex(0),
            kind,
        };
        let chose = |at, chosen| {
            note(
                at,
                NoteKind::Selected {
                    call: CallId(0),
                    strategy: StrategyIndex(0),
                    reason: Reason::Turn,
                    chosen: UpstreamIndex(chosen),
                    candidates: UpstreamSet::first(2),
                    left_out: LeftOut::default(),
                    least_bad: None,
                },
            )
        };
        let nobody = NoteKind::NothingEligible {
            call: CallId(0),
            left_out: LeftOut::default(),
        };
        let when = |notes: &[Note], upstream: Option<u16>| {
            explained(notes, upstream.map(UpstreamIndex)).map(|note| note.at.0)
        };
        let notes = [chose(1, 0), chose(2, 1), chose(3, 1)];
        assert_eq!(when(&notes, Some(1)), Some(3));
        assert_eq!(when(&notes, Some(0)), Some(1), "it was returned to");
        assert_eq!(when(&notes, Some(2)), None);
        assert_eq!(when(&[note(4, nobody)], None), Some(4));
        assert_eq!(when(&[], None), None);
    }
}
