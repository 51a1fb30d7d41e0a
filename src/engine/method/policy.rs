//! The attributes of a method, and what may be said of one that is in no table from its name alone. Never an answer
//! about what a tenant may call: that is configured, with [`StandardPolicy::sensitive`] as its default.

use core::time::Duration;

use super::table;

/// What kind of work a method is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodClass {
    /// Reads state or history at a block, a hash or an index.
    Read,
    /// Reads something of the newest block: it is only as fresh as the node's head.
    HeadRead,
    /// Scans ranges of blocks.
    Logs,
    /// Re-executes: slow, large answers, often another plan.
    Trace,
    /// Submits something.
    Write,
    /// Makes, reads or drops a filter that lives in one node's memory.
    Filter,
    /// The same answer for ever, or pure.
    Static,
    /// Belongs to one connection (`eth_subscribe`).
    Subscription,
    /// About or on the node itself.
    Admin,
    /// Unknown.
    Other,
}

impl MethodClass {
    /// The name in metrics and dumps.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::HeadRead => "head_read",
            Self::Logs => "logs",
            Self::Trace => "trace",
            Self::Write => "write",
            Self::Filter => "filter",
            Self::Static => "static",
            Self::Subscription => "subscription",
            Self::Admin => "admin",
            Self::Other => "other",
        }
    }
}

/// Kinds of work that fail apart on one node: tracing may be broken, or overloaded, where reads are well. Breakers are kept for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum MethodGroup {
    /// What every node does all the time: reads of state and history, of the head, and what never changes.
    #[default]
    Reads,
    /// Scans of ranges of blocks.
    Logs,
    /// Re-execution.
    Traces,
    /// Submissions.
    Writes,
    /// Everything else: administration, subscriptions, and names that no table knows.
    Other,
}

impl MethodGroup {
    /// How many groups there are.
    pub const COUNT: usize = 5;

    /// Every group, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Reads,
        Self::Logs,
        Self::Traces,
        Self::Writes,
        Self::Other,
    ];

    /// The name in metrics and dumps.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Logs => "logs",
            Self::Traces => "traces",
            Self::Writes => "writes",
            Self::Other => "other",
        }
    }
}

impl MethodClass {
    /// The kinds of work that fail together with this one.
    #[must_use]
    pub const fn group(self) -> MethodGroup {
        match self {
            Self::Read | Self::HeadRead | Self::Static | Self::Filter => MethodGroup::Reads,
            Self::Logs => MethodGroup::Logs,
            Self::Trace => MethodGroup::Traces,
            Self::Write => MethodGroup::Writes,
            Self::Subscription | Self::Admin | Self::Other => MethodGroup::Other,
        }
    }
}

/// What a call leaves behind, which is what decides whether it may be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing: it may be repeated and hedged freely.
    None,
    /// It submits a transaction that is already signed: the same bytes twice are one transaction, by its hash.
    SignedTransaction,
    /// It changes a node, uses a node's keys, or submits something that is not idempotent. Once its bytes may have
    /// reached an upstream it is not sent again, to any.
    NodeWrite,
}

/// How long an answer stays true: what a cache may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheClass {
    /// The same for the whole life of the chain, or a pure function of its parameters.
    Static,
    /// Fixed by a block or transaction that the call or the answer names: immutable once that block is final, until then good as
    /// long as the block is canonical. With a tag such as `latest` it is bound to the head that the tag stood for. A `null`
    /// answer is not covered.
    Finality,
    /// True until the next head.
    HeadBound,
    /// Never kept.
    Never,
}

/// The part that a method plays in the life of a node's filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterRole {
    /// None.
    None,
    /// Its result is a filter id, which is worth something at that node only.
    Creates,
    /// Its first parameter is a filter id.
    Uses,
}

/// The forms in which a method takes its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockForm {
    /// A number or a tag.
    NumberOrTag,
    /// A number, a tag, a hash, or EIP-1898's object.
    NumberTagOrHash,
    /// A block's hash.
    Hash,
    /// An object with `fromBlock` and `toBlock`, or `blockHash` (EIP-234).
    Range,
}

/// Where a method's block parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockParam {
    /// Its position in `params`, from 0.
    pub index: u8,
    /// What it may look like.
    pub form: BlockForm,
    /// It may be left out, which means `latest`.
    pub optional: bool,
}

/// What is known about one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardPolicy {
    /// Its kind.
    pub class: MethodClass,
    /// What it leaves behind.
    pub effect: Effect,
    /// A second send while the first is in flight is harmless and may help.
    pub hedgeable: bool,
    /// How long its answer stays true.
    pub cache: CacheClass,
    /// How long a call may take in all where nothing is configured.
    pub timeout: Duration,
    /// Where its block stands, if it names one.
    pub block_param: Option<BlockParam>,
    /// Its part in the life of a node's filter.
    pub filter: FilterRole,
    /// Refused unless the operator allows it: it commands the node, uses its keys, or lays open its inside.
    pub sensitive: bool,
}

/// Namespaces in which every method commands a node or a test chain.
const COMMANDING_NAMESPACES: [&str; 17] = [
    "admin_",
    "anvil_",
    "bor_set",
    "clique_",
    "engine_",
    "evm_",
    "ganache_",
    "hardhat_",
    "istanbul_",
    "les_",
    "miner_",
    "parity_set",
    "personal_",
    "raft_",
    "tenderly_",
    "testing_",
    "vm_",
];

/// Namespaces that are refused by default although parts of them only read.
const SENSITIVE_NAMESPACES: [&str; 13] = [
    "admin_",
    "clique_",
    "debug_set",
    "engine_",
    "istanbul_",
    "les_",
    "miner_",
    "parity_set",
    "personal_",
    "raft_",
    "shh_",
    "testing_",
    "vm_",
];

/// First words, after the namespace, of methods that do something.
const VERBS_THAT_WRITE: [&str; 26] = [
    "add", "approve", "cancel", "create", "delete", "deploy", "drop", "enable", "disable",
    "import", "increase", "lock", "mine", "new", "publish", "register", "remove", "reset",
    "resend", "revert", "send", "set", "sign", "submit", "unlock", "write",
];

/// What an unknown method may leave behind, judged by its name: a namespace that commands nodes, or a verb that does
/// something, is a [`Effect::NodeWrite`]. Everything else reads, as nearly all methods of vendors and rollups do.
///
/// Wrong in the cautious direction costs a retry; wrong in the other, a second effect. So the verbs are generous.
#[must_use]
pub fn effect_of_unknown(name: &str) -> Effect {
    if COMMANDING_NAMESPACES
        .iter()
        .any(|prefix| name.starts_with(prefix))
    {
        return Effect::NodeWrite;
    }
    let verb = name.split_once('_').map_or(name, |(_, rest)| rest);
    let writes = VERBS_THAT_WRITE.iter().any(|word| {
        verb.strip_prefix(word)
            // "setHead" and "set_head" are the verb; "settings" is not.
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
    });
    if writes {
        Effect::NodeWrite
    } else {
        Effect::None
    }
}

/// Is a method of this name refused unless the operator allows it? For names outside the table.
#[must_use]
pub fn is_sensitive_name(name: &str) -> bool {
    SENSITIVE_NAMESPACES
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The policy of a method that is in no table: never kept, never hedged, its effect judged by its name.
#[must_use]
pub fn unknown_policy(name: &str) -> StandardPolicy {
    let effect = effect_of_unknown(name);
    StandardPolicy {
        effect,
        class: if effect == Effect::None {
            MethodClass::Other
        } else {
            MethodClass::Write
        },
        sensitive: is_sensitive_name(name),
        ..table::UNKNOWN
    }
}
