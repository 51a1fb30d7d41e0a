//! Judges answers: whether they are the answer to what was asked. Parses what it must and no more.

use super::mix::Expected;
use super::record::Failure;
use crate::hex::parse_quantity;
use crate::scan::{self, AnswerView};

/// How closely answers are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Status 200 will do.
    Nothing,
    /// The ids are the request's, and there is a result.
    #[default]
    Envelope,
    /// And balances are those that [`crate::provider`] gives to their addresses: a foreign answer is found out.
    Synthetic,
}

/// Judges the body of an answer to the calls that are expected.
pub(crate) fn judge(
    body: &[u8],
    expected: &[Expected],
    is_batch: bool,
    verify: Verify,
) -> Result<(), Failure> {
    if verify == Verify::Nothing {
        return Ok(());
    }
    if !is_batch {
        let answer = scan::answer(body).ok_or(Failure::NoJson)?;
        return expected
            .first()
            .map_or(Ok(()), |one| judge_one(&answer, one, verify));
    }
    let Some(answers) = scan::answers(body) else {
        // A server that takes no batches answers with one object.
        let refused = scan::answer(body)
            .and_then(|answer| answer.error)
            .and_then(code_of);
        return Err(refused.map_or(Failure::NoJson, Failure::Rpc));
    };
    if answers.len() != expected.len() {
        return Err(Failure::WrongCount);
    }
    answers
        .iter()
        .zip(expected)
        .try_for_each(|(answer, in_order)| {
            let same_id = |one: &&Expected| id_is(answer, one.id);
            let one = Some(in_order)
                .filter(same_id)
                .or_else(|| expected.iter().find(same_id));
            judge_one(answer, one.ok_or(Failure::WrongId)?, verify)
        })
}

fn judge_one(answer: &AnswerView<'_>, expected: &Expected, verify: Verify) -> Result<(), Failure> {
    if !id_is(answer, expected.id) {
        return Err(Failure::WrongId);
    }
    match (answer.result, answer.error) {
        (Some(result), None) => match expected.quantity {
            Some(quantity) if verify == Verify::Synthetic => {
                let same = scan::unquoted(result).and_then(parse_quantity) == Some(quantity);
                if same {
                    Ok(())
                } else {
                    Err(Failure::WrongContent)
                }
            }
            _ => Ok(()),
        },
        (None, Some(error)) => Err(code_of(error).map_or(Failure::NoResult, Failure::Rpc)),
        _ => Err(Failure::NoResult),
    }
}

fn id_is(answer: &AnswerView<'_>, id: u64) -> bool {
    answer
        .id
        .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
        == Some(id)
}

fn code_of(error: &[u8]) -> Option<i64> {
    std::str::from_utf8(scan::member(error, b"code")?)
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::{Expected, Failure, Verify, judge};

    fn single(body: &str, verify: Verify) -> Result<(), Failure> {
        judge(
            body.as_bytes(),
            &[Expected {
                id: 7,
                quantity: Some(16),
            }],
            false,
            verify,
        )
    }

    #[test]
    fn single_answers() {
        let envelope = |body| single(body, Verify::Envelope);
        assert_eq!(
            envelope(r#"{"jsonrpc":"2.0","id":7,"result":"0x1"}"#),
            Ok(())
        );
        assert_eq!(envelope(r#"{"result":null,"id":7}"#), Ok(()));
        assert_eq!(
            envelope(r#"{"id":"7","result":"0x1"}"#),
            Err(Failure::WrongId)
        );
        assert_eq!(
            envelope(r#"{"id":8,"result":"0x1"}"#),
            Err(Failure::WrongId)
        );
        assert_eq!(envelope(r#"{"result":"0x1"}"#), Err(Failure::WrongId));
        assert_eq!(envelope(r#"{"id":7}"#), Err(Failure::NoResult));
        assert_eq!(
            envelope(r#"{"id":7,"result":1,"error":{"code":1}}"#),
            Err(Failure::NoResult)
        );
        assert_eq!(
            envelope(r#"{"id":7,"error":{"message":"x","code":-32005}}"#),
            Err(Failure::Rpc(-32005))
        );
        assert_eq!(envelope("<html>"), Err(Failure::NoJson));
        assert_eq!(envelope(r#"{"id":7,"result":"0x1"#), Err(Failure::NoJson));
        assert_eq!(single("<html>", Verify::Nothing), Ok(()));
    }

    #[test]
    fn foreign_content_is_found_out() {
        assert_eq!(
            single(r#"{"id":7,"result":"0x10"}"#, Verify::Synthetic),
            Ok(())
        );
        assert_eq!(
            single(r#"{"id":7,"result":"0x11"}"#, Verify::Synthetic),
            Err(Failure::WrongContent)
        );
    }

    #[test]
    fn batches() {
        let expected = [
            Expected {
                id: 1,
                quantity: None,
            },
            Expected {
                id: 2,
                quantity: None,
            },
        ];
        let judged = |body: &str| judge(body.as_bytes(), &expected, true, Verify::Envelope);
        assert_eq!(
            judged(r#"[{"id":1,"result":1},{"id":2,"result":2}]"#),
            Ok(())
        );
        assert_eq!(
            judged(r#"[{"id":2,"result":1},{"id":1,"result":2}]"#),
            Ok(())
        );
        assert_eq!(judged(r#"[{"id":1,"result":1}]"#), Err(Failure::WrongCount));
        assert_eq!(
            judged(r#"[{"id":1,"result":1},{"id":3,"result":1}]"#),
            Err(Failure::WrongId)
        );
        assert_eq!(
            judged(r#"[{"id":1,"result":1},{"id":2,"error":{"code":3}}]"#),
            Err(Failure::Rpc(3))
        );
        assert_eq!(
            judged(r#"{"id":null,"error":{"code":-32600}}"#),
            Err(Failure::Rpc(-32600))
        );
    }
}
