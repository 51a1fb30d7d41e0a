//! What three client libraries do with an error, as small pure models: viem 2.57, ethers 6.17, web3.py 8.0. Written after
//! their sources, and compared with the libraries themselves on every fixture.

use serde_json::Value;

/// What reaches the client's library.
pub(super) struct Seen<'a> {
    pub(super) method: &'a str,
    pub(super) http_status: u16,
    pub(super) code: i64,
    pub(super) message: &'a str,
    pub(super) data: Option<&'a Value>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Viem {
    pub(super) error: &'static str,
    pub(super) node_error: Option<&'static str>,
    pub(super) retried: bool,
    pub(super) falls_back: bool,
}

fn has_any(text: &str, wanted: &[&str]) -> bool {
    wanted.iter().any(|own| text.contains(own))
}

/// `buildRequest`'s classes and `shouldRetry`, `getNodeError` over the message, `fallback`'s `shouldThrow`.
pub(super) fn viem(seen: &Seen<'_>) -> Viem {
    let error = match seen.code {
        -32700 => "ParseRpcError",
        -32600 => "InvalidRequestRpcError",
        -32601 => "MethodNotFoundRpcError",
        -32602 => "InvalidParamsRpcError",
        -32603 => "InternalRpcError",
        -32000 => "InvalidInputRpcError",
        -32001 => "ResourceNotFoundRpcError",
        -32002 => "ResourceUnavailableRpcError",
        -32003 => "TransactionRejectedRpcError",
        -32004 => "MethodNotSupportedRpcError",
        -32005 => "LimitExceededRpcError",
        -32006 => "JsonRpcVersionUnsupportedError",
        _ => "RpcRequestError",
    };
    let retried = match seen.code {
        -1 | -32005 | -32603 | 429 | -32007 => true,
        -32601 | -32004 => false,
        _ => matches!(
            seen.http_status,
            403 | 408 | 413 | 429 | 500 | 502 | 503 | 504
        ),
    };
    let reverted = ["execution reverted", "gas required exceeds allowance"];
    Viem {
        error,
        node_error: viem_node_error(seen),
        retried,
        falls_back: !matches!(seen.code, -32003 | 4001 | 5000 | 7000)
            && !has_any(seen.message, &reverted),
    }
}

fn viem_node_error(seen: &Seen<'_>) -> Option<&'static str> {
    const TEXTS: [(&str, &[&str]); 11] = [
        (
            "ExecutionRevertedError",
            &["execution reverted", "gas required exceeds allowance"],
        ),
        (
            "FeeCapTooHighError",
            &[
                "max fee per gas higher than 2^256-1",
                "fee cap higher than 2^256-1",
            ],
        ),
        (
            "FeeCapTooLowError",
            &[
                "max fee per gas less than block base fee",
                "fee cap less than block base fee",
                "transaction is outdated",
            ],
        ),
        ("NonceTooHighError", &["nonce too high"]),
        (
            "NonceTooLowError",
            &[
                "nonce too low",
                "transaction already imported",
                "already known",
            ],
        ),
        ("NonceMaxValueError", &["nonce has max value"]),
        (
            "InsufficientFundsError",
            &[
                "insufficient funds",
                "exceeds transaction sender account balance",
                "outoffunds",
            ],
        ),
        (
            "IntrinsicGasTooHighError",
            &["intrinsic gas too high", "gas limit reached"],
        ),
        ("IntrinsicGasTooLowError", &["intrinsic gas too low"]),
        (
            "TransactionTypeNotSupportedError",
            &["transaction type not valid"],
        ),
        (
            "TipAboveFeeCapError",
            &[
                "max priority fee per gas higher than max fee per gas",
                "tip higher than fee cap",
            ],
        ),
    ];
    let looks = [
        "eth_call",
        "eth_estimateGas",
        "eth_sendRawTransaction",
        "eth_sendTransaction",
    ];
    if !looks.contains(&seen.method) {
        return None;
    }
    if seen.code == 3 {
        return Some("ExecutionRevertedError");
    }
    let message = seen.message.to_lowercase();
    TEXTS
        .iter()
        .find(|(_, texts)| has_any(&message, texts))
        .map(|(name, _)| *name)
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ethers {
    pub(super) code: &'static str,
    pub(super) revert_data: bool,
    pub(super) retried: bool,
}

/// `getRpcError` and `spelunkData`; any status but 2xx loses the body.
pub(super) fn ethers(seen: &Seen<'_>) -> Ethers {
    if seen.http_status != 200 {
        return Ethers {
            code: "SERVER_ERROR",
            revert_data: false,
            retried: seen.http_status == 429,
        };
    }
    let message = seen.message.to_lowercase();
    let is_call = ["eth_call", "eth_estimateGas"].contains(&seen.method);
    let is_send = ["eth_sendRawTransaction", "eth_sendTransaction"].contains(&seen.method);
    let nonce_low = message.contains("nonce") && message.contains("too low");
    let no_funds = message.contains("insufficient funds");
    let code = if seen.method == "eth_estimateGas" && no_funds && !message.contains("revert") {
        "INSUFFICIENT_FUNDS"
    } else if seen.method == "eth_estimateGas" && nonce_low {
        "NONCE_EXPIRED"
    } else if is_call {
        "CALL_EXCEPTION"
    } else if is_send && (no_funds || message.contains("base fee exceeds gas limit")) {
        "INSUFFICIENT_FUNDS"
    } else if is_send && nonce_low {
        "NONCE_EXPIRED"
    } else if is_send
        && message.contains("replacement transaction")
        && message.contains("underpriced")
    {
        "REPLACEMENT_UNDERPRICED"
    } else if is_send && message.contains("only replay-protected")
        || names_a_missing_method(&message)
    {
        "UNSUPPORTED_OPERATION"
    } else {
        "UNKNOWN_ERROR"
    };
    Ethers {
        code,
        revert_data: code == "CALL_EXCEPTION" && has_revert_data(seen.message, seen.data),
        retried: false,
    }
}

/// `/the method .* does not exist/i`
fn names_a_missing_method(message: &str) -> bool {
    message
        .split_once("the method ")
        .is_some_and(|(_, rest)| rest.contains(" does not exist"))
}

fn has_revert_data(message: &str, data: Option<&Value>) -> bool {
    match data {
        Some(Value::String(hex)) => message.to_lowercase().contains("revert") && is_hex(hex),
        Some(Value::Object(members)) => {
            let inner = members.get("message").and_then(Value::as_str).unwrap_or("");
            has_revert_data(inner, members.get("data"))
                || members
                    .values()
                    .any(|own| own.is_object() && has_revert_data("", Some(own)))
        }
        _ => false,
    }
}

fn is_hex(text: &str) -> bool {
    text.strip_prefix("0x")
        .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Web3Py {
    pub(super) error: &'static str,
    pub(super) retried: bool,
}

/// `raise_for_status` and its retries, then `validate_rpc_response_and_raise_if_error` with the method's error formatters.
pub(super) fn web3py(seen: &Seen<'_>) -> Web3Py {
    const REPEATED: [&str; 20] = [
        "eth_chainId",
        "eth_gasPrice",
        "eth_blockNumber",
        "eth_getBalance",
        "eth_getStorageAt",
        "eth_getProof",
        "eth_getCode",
        "eth_getBlockByNumber",
        "eth_getBlockByHash",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_getTransactionCount",
        "eth_call",
        "eth_estimateGas",
        "eth_createAccessList",
        "eth_newFilter",
        "eth_getFilterChanges",
        "eth_getFilterLogs",
        "eth_getLogs",
        "eth_sendRawTransaction",
    ];
    if seen.http_status >= 400 {
        let of_namespace = has_any(&seen.method[..4], &["net_", "txpo"]);
        return Web3Py {
            error: "HTTPError",
            retried: REPEATED.contains(&seen.method) || of_namespace,
        };
    }
    let lower = seen.message.to_lowercase();
    let error = if let Some(contract) = web3py_contract_error(seen) {
        contract
    } else if seen.method == "eth_getTransactionReceipt"
        && seen.message.contains("index")
        && seen.message.contains("progress")
    {
        "TransactionIndexingInProgress"
    } else if seen.code == -32601 {
        "MethodUnavailable"
    } else if lower.contains("request timed out") {
        "RequestTimedOut"
    } else if seen.message == "transaction not found" {
        "TransactionNotFound"
    } else {
        "Web3RPCError"
    };
    Web3Py {
        error,
        retried: false,
    }
}

fn web3py_contract_error(seen: &Seen<'_>) -> Option<&'static str> {
    if !["eth_call", "eth_estimateGas"].contains(&seen.method) {
        return None;
    }
    match seen.data {
        Some(Value::Object(_)) => return Some("ContractLogicError"),
        Some(Value::String(text)) => {
            let selector = text.get(..10);
            if text.starts_with("Reverted ") {
                return Some("ContractLogicError");
            } else if selector == Some("0x4e487b71") {
                return Some("ContractPanicError");
            } else if selector.is_some_and(|own| own != "0x08c379a0") {
                return Some("ContractCustomError");
            }
        }
        _ => {}
    }
    (seen.code == 3 || seen.message.contains("execution reverted")).then_some("ContractLogicError")
}
