//! "Nonce too low" for a transaction that an earlier attempt of the same call may have delivered: before the client is told
//! of an error, the node that says so is asked for the transaction by its hash. It only asks; it sends no transaction.

use engine::fault::{Fault, FaultClass};
use engine::method::Effect;

use super::asked::Question;
use super::transaction;
use super::upstream::Upstream;
use super::upstream::aside::{self, Said};

/// The longest that the question may take.
const TIMEOUT_NS: u64 = 3_000_000_000;

/// A transaction with a large call data is at most a few hundred kilobytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Whether a call that ended so, after so many attempts, may have been carried out by an earlier one.
pub fn is_in_doubt(question: &Question<'_>, fault: &Fault, attempts: u16) -> bool {
    fault.class == FaultClass::TxNonceLow
        && question.entry.effect == Effect::SignedTransaction
        && attempts > 1
}

/// The transaction's hash as a JSON value, if the node knows the transaction.
pub async fn known_hash(question: &Question<'_>, upstream: &Upstream) -> Option<Vec<u8>> {
    let params = question.params()?;
    let raw = wire::params::first_string(params)?.of(params);
    let hash = transaction::quoted_hex(&transaction::hash_of_raw(raw)?);
    let mut by_hash = vec![b'['];
    by_hash.extend_from_slice(&hash);
    by_hash.push(b']');
    let asked = aside::ask(
        upstream,
        b"eth_getTransactionByHash",
        Some(&by_hash),
        MAX_ANSWER_BYTES,
        TIMEOUT_NS,
    );
    match asked.await {
        Said::Result(result) if result != b"null" => Some(hash.to_vec()),
        _ => None,
    }
}
