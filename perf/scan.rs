//! Finds the members of JSON-RPC requests and answers without building anything. Skips what it does not need;
//! promises no validation beyond brackets and quotes.

use std::ops::Range;

/// Deepest nesting that is skipped.
const MAX_DEPTH: usize = 512;

/// One call, as ranges of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallView<'a> {
    /// The id's bytes; `None` is a notification.
    pub(crate) id: Option<&'a [u8]>,
    /// The method's name without quotes, escapes untouched.
    pub(crate) method: &'a [u8],
    /// The parameters' bytes.
    pub(crate) params: Option<&'a [u8]>,
}

/// A body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    Single(CallView<'a>),
    Batch(Vec<CallView<'a>>),
    Invalid,
}

/// Reads a request body.
pub(crate) fn body(bytes: &[u8]) -> Body<'_> {
    let mut cursor = Cursor::new(bytes);
    let parsed = match cursor.peek() {
        Some(b'{') => cursor.call().map(Body::Single),
        Some(b'[') => cursor.array(Cursor::call).map(Body::Batch),
        _ => None,
    };
    match parsed {
        Some(body) if cursor.at_end() => body,
        _ => Body::Invalid,
    }
}

/// One answer, as ranges of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerView<'a> {
    pub(crate) id: Option<&'a [u8]>,
    pub(crate) result: Option<&'a [u8]>,
    pub(crate) error: Option<&'a [u8]>,
}

/// Reads a body that is one answer.
pub(crate) fn answer(bytes: &[u8]) -> Option<AnswerView<'_>> {
    let mut cursor = Cursor::new(bytes);
    let answer = cursor.answer()?;
    cursor.at_end().then_some(answer)
}

/// Reads a body that is an array of answers.
pub(crate) fn answers(bytes: &[u8]) -> Option<Vec<AnswerView<'_>>> {
    let mut cursor = Cursor::new(bytes);
    let answers = cursor.array(Cursor::answer)?;
    cursor.at_end().then_some(answers)
}

/// The value of one member of a JSON object.
pub(crate) fn member<'a>(object: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut found = None;
    Cursor::new(object).object(|name, value| {
        if name == wanted {
            found = Some(value);
        }
    })?;
    found
}

/// Where the value of one member of a JSON object stands in it.
pub(crate) fn member_range(object: &[u8], wanted: &[u8]) -> Option<Range<usize>> {
    let value = member(object, wanted)?;
    let start = value.as_ptr().addr().checked_sub(object.as_ptr().addr())?;
    Some(start..start + value.len())
}

/// The element of a JSON array at `index`.
pub(crate) fn element(array: &[u8], index: usize) -> Option<&[u8]> {
    let mut cursor = Cursor::new(array);
    cursor.expect(b'[')?;
    for _ in 0..index {
        cursor.value()?;
        cursor.expect(b',')?;
    }
    if cursor.peek() == Some(b']') {
        None
    } else {
        cursor.value()
    }
}

/// The text between the quotes, when the value is a string; escapes untouched.
pub(crate) fn unquoted(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// A place in a text.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.skip(1))
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self
            .rest
            .split_at_checked(bytes)
            .unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// Reads a value and returns its bytes.
    fn value(&mut self) -> Option<&'a [u8]> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => {
                let end = self
                    .rest
                    .iter()
                    .position(|b| b",]} \t\r\n".contains(b))
                    .unwrap_or(self.rest.len());
                (end > 0).then(|| self.take(end))
            }
        }
    }

    /// Reads a string and returns it with its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = string_length(self.rest)?;
        Some(self.take(length))
    }

    fn nested(&mut self) -> Option<&'a [u8]> {
        let whole = self.rest;
        let mut depth = 0usize;
        loop {
            match self.rest.first()? {
                b'{' | b'[' if depth >= MAX_DEPTH => return None,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'"' => {
                    self.string()?;
                    continue;
                }
                _ => {}
            }
            self.skip(1);
            if depth == 0 {
                return whole.get(..whole.len() - self.rest.len());
            }
        }
    }

    fn object(&mut self, mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.skip(1);
            return Some(());
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let name = unquoted(self.string()?)?;
            self.expect(b':')?;
            each(name, self.value()?);
            match self.peek()? {
                b',' => self.skip(1),
                b'}' => {
                    self.skip(1);
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn call(&mut self) -> Option<CallView<'a>> {
        let mut call = CallView::default();
        self.object(|name, value| match name {
            b"id" => call.id = Some(value),
            b"method" => call.method = unquoted(value).unwrap_or_default(),
            b"params" => call.params = Some(value),
            _ => {}
        })?;
        Some(call)
    }

    fn answer(&mut self) -> Option<AnswerView<'a>> {
        let mut answer = AnswerView::default();
        self.object(|name, value| match name {
            b"id" => answer.id = Some(value),
            b"result" => answer.result = Some(value),
            b"error" => answer.error = Some(value),
            _ => {}
        })?;
        Some(answer)
    }

    fn array<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.skip(1);
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            match self.peek()? {
                b',' => self.skip(1),
                b']' => {
                    self.skip(1);
                    return Some(items);
                }
                _ => return None,
            }
        }
    }
}

/// Length of the string that `bytes` begins with, quotes included.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, body, element, member, unquoted};
    use proptest::prelude::*;

    #[test]
    fn ranges_are_the_bytes_as_sent() {
        let text = br#" {"params":[{"a":"}\"]"}, 1],"id" : 1e2 ,"method":"eth_call"} "#;
        let Body::Single(call) = body(text) else {
            panic!("not single")
        };
        assert_eq!(call.id, Some(&b"1e2"[..]));
        assert_eq!(call.method, b"eth_call");
        assert_eq!(call.params, Some(&br#"[{"a":"}\"]"}, 1]"#[..]));
    }

    #[test]
    fn batches_and_notifications() {
        let Body::Batch(calls) = body(br#"[{"id":"x","method":"a"},{"method":"b"}]"#) else {
            panic!("not a batch")
        };
        assert_eq!(calls.len(), 2);
        assert_eq!((calls[0].id, calls[1].id), (Some(&b"\"x\""[..]), None));
        assert_eq!(body(b"[]"), Body::Batch(vec![]));
    }

    #[test]
    fn broken_bodies_are_invalid() {
        for text in [
            "",
            "1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"id\":1}{",
            "[{}",
            "\"",
            "{\"a\":\"\\",
            "[[]]",
        ] {
            assert_eq!(body(text.as_bytes()), Body::Invalid, "{text}");
        }
        assert_eq!(body("[".repeat(100_000).as_bytes()), Body::Invalid);
        assert_eq!(
            body(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()),
            Body::Invalid
        );
    }

    #[test]
    fn elements_and_members() {
        let array = br#"[ "0x1" ,{"fromBlock":"0x2"}]"#;
        assert_eq!(element(array, 0).and_then(unquoted), Some(&b"0x1"[..]));
        assert_eq!(
            element(array, 1)
                .and_then(|o| member(o, b"fromBlock"))
                .and_then(unquoted),
            Some(&b"0x2"[..])
        );
        assert_eq!(element(array, 2), None);
        assert_eq!(element(b"[]", 0), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = body(&bytes);
        }

        #[test]
        fn what_serde_writes_is_found(id in any::<u64>(), text in ".*") {
            let call = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": "m", "params": [text]});
            let written = call.to_string();
            let Body::Single(view) = body(written.as_bytes()) else { panic!("{written}") };
            let (id, params) = (id.to_string(), call["params"].to_string());
            prop_assert_eq!(view.id, Some(id.as_bytes()));
            prop_assert_eq!(view.params, Some(params.as_bytes()));
        }
    }
}
