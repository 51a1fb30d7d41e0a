//! Calls to make and what must come back. Never talks to the proxy's admin port.

use super::{Client, Response};
use perf::provider::Handle;
use serde_json::Value;

/// A call that no probe of the proxy makes, so that a provider's count of it is the count of our attempts.
pub fn balance_call(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_getBalance","params":["0x{id:040x}","0x1"]}}"#
    )
}

/// What a healthy provider answers to the byte: asked directly, beside the proxy.
pub struct Expected<'a> {
    provider: &'a Handle,
}

impl<'a> Expected<'a> {
    /// Of this provider, which has to be in good health.
    pub const fn of(provider: &'a Handle) -> Self {
        Self { provider }
    }

    /// The bytes of its answer.
    pub fn answer(&self, body: &str) -> Vec<u8> {
        Client::connect(self.provider.address())
            .post("/", body)
            .body
    }
}

/// The result in a 200.
pub fn ok(response: &Response) -> Value {
    assert_eq!(response.status, 200, "{response}");
    let value = response.json();
    assert!(value.get("error").is_none(), "{response}");
    value
        .get("result")
        .cloned()
        .unwrap_or_else(|| panic!("no result: {response}"))
}

/// Code and message of the error in an answer.
pub fn error_of(value: &Value) -> (i64, &str) {
    assert!(value.get("result").is_none(), "{value}");
    let error = value
        .get("error")
        .unwrap_or_else(|| panic!("no error: {value}"));
    let code = error["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("no code: {value}"));
    (code, error["message"].as_str().unwrap_or_default())
}
