//! The fuzz targets' bodies on the stable compiler: over the committed corpus, and over seeded mutations of it.
//!
//! `LIVECHAIN_FUZZ_RUNS` sets the mutations a target (20000 unless set). `LIVECHAIN_WRITE_CORPUS=1` writes the corpus
//! anew from the golden vectors; without it a test says if the two have drifted apart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../../tests/fuzz/bodies.rs"]
mod bodies;
mod vectors;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Seeds longer than this are left to the golden test: a mutation of them says nothing new.
const MAX_SEED_BYTES: usize = 4096;

/// Which vectors each target grows from, and whether it takes a first byte that says how its input is cut.
const SOURCES: [(&str, &[&str], bool); 13] = [
    ("request_head", &["http1/requests.txt"], false),
    ("response_head", &["http1/responses.txt"], false),
    ("chunked", &["http1/chunked.txt"], true),
    ("json", &["json/accept.txt", "json/reject.txt"], true),
    ("envelope", &["jsonrpc/envelopes.txt"], false),
    ("reply", &["jsonrpc/replies.txt"], false),
    ("batch_reply", &["jsonrpc/batches.txt"], false),
    ("result_stream", &["jsonrpc/replies.txt"], true),
    ("params", &["jsonrpc/params.txt"], false),
    ("filter_id", &["jsonrpc/filter_ids.txt"], false),
    ("canonical", &["jsonrpc/canonical.txt"], false),
    ("block", &["jsonrpc/params.txt"], false),
    ("facts", &["jsonrpc/results.txt"], false),
];

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fuzz/corpus")
        .join(target)
}

/// What the corpus of a target must be: file name to bytes.
fn seeds(files: &[&str], cut: bool) -> BTreeMap<String, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    for file in files {
        let stem = file.split(['/', '.']).nth(1).unwrap_or_default();
        for vector in vectors::read(file) {
            let words = vector.name.split(|c: char| !c.is_ascii_alphanumeric());
            let words: Vec<_> = [stem]
                .into_iter()
                .chain(words)
                .filter(|word| !word.is_empty())
                .collect();
            let name = words.join("-").to_ascii_lowercase();
            let mut bytes = vector.bytes;
            if bytes.len() > MAX_SEED_BYTES {
                continue;
            }
            if cut {
                bytes.insert(0, 3);
            }
            assert!(seeds.insert(name, bytes).is_none(), "{} twice", vector.name);
        }
    }
    seeds
}

fn read_corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(corpus(target)) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

/// Files named `found-…` are finds of the fuzzer, kept for ever; the others come from the vectors.
#[test]
fn the_corpus_comes_from_the_vectors() {
    let write = std::env::var_os("LIVECHAIN_WRITE_CORPUS").is_some();
    for (target, files, cut) in SOURCES {
        let due = seeds(files, cut);
        if write {
            fs::create_dir_all(corpus(target)).unwrap();
            for (name, bytes) in &due {
                fs::write(corpus(target).join(name), bytes).unwrap();
            }
        }
        let mut there = read_corpus(target);
        there.retain(|name, _| !name.starts_with("found-"));
        let names = |seeds: &BTreeMap<String, Vec<u8>>| seeds.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&there), names(&due), "{target}");
        assert!(there == due, "{target}: a seed differs from its vector");
    }
}

#[test]
fn bodies_hold_over_the_corpus() {
    for (target, body) in bodies::TARGETS {
        let corpus = read_corpus(target);
        assert!(!corpus.is_empty(), "{target} has no corpus");
        for bytes in corpus.values() {
            run(target, body, bytes);
        }
    }
}

#[test]
fn bodies_hold_over_mutations() {
    let runs = std::env::var("LIVECHAIN_FUZZ_RUNS").map_or(20_000, |runs| runs.parse().unwrap());
    for (target, body) in bodies::TARGETS {
        let corpus: Vec<_> = read_corpus(target).into_values().collect();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for _ in 0..runs {
            let bytes = mutate(&corpus, &mut dice);
            run(target, body, &bytes);
        }
    }
}

/// Runs a body and, if it fails, says on what.
fn run(target: &str, body: bodies::Body, bytes: &[u8]) {
    if std::panic::catch_unwind(|| body(bytes)).is_err() {
        panic!("{target} fails on: {}", bytes.escape_ascii());
    }
}

/// A small generator (xorshift), so that a failure comes back.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit.max(1)
    }
}

/// One to four changes of a seed: bytes, words that mean something, pieces of it and of others.
fn mutate(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    const WORDS: [&[u8]; 24] = [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"\0",
        b",",
        b":",
        b"\"",
        b"\\",
        b"\\u0069",
        b"\\ud800",
        b"{",
        b"}",
        b"[",
        b"]",
        b"null",
        b"\"id\":7,",
        b"\"error\":null,",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"0",
        b"1e400",
        b"\xf0\x9f\x98\x80",
    ];
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            2 => {
                let word = WORDS[dice.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            3 => {
                let end = (at + dice.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + dice.below(32)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let other = &corpus[dice.below(corpus.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[dice.below(other.len())..]);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}
