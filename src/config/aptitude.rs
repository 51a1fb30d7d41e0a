//! What a method admits of hedging and keeping, from the engine's table of methods: the reasons for
//! which a rule that names such a method is refused, and a pattern passes it by. Holds no name itself.

use engine::method::{self, CacheClass, Effect, FilterRole, MethodClass, StandardPolicy};

use crate::model::CacheTtl;

/// What is known of a method, its name judged where the table does not have it.
fn standard(name: &str) -> StandardPolicy {
    let id = method::lookup(name.as_bytes());
    if id.is_known() {
        *method::policy(id)
    } else {
        method::unknown_policy(name)
    }
}

/// Why a method is never hedged, as the end of a sentence that begins with its name; `None` where it may be.
pub(crate) fn bars_hedge(name: &str) -> Option<&'static str> {
    let standard = standard(name);
    if standard.hedgeable {
        return None;
    }
    Some(bars_sharing(&standard).unwrap_or(match standard.class {
        MethodClass::Trace => "is so costly that a second send would add to what makes it slow",
        MethodClass::Other => "is not known to be harmless when it is sent twice",
        _ => "is about the one node that answers it",
    }))
}

/// Why answers of a method are never kept like that, as the end of a sentence that begins with its name; `None`
/// where they may be.
pub(crate) fn bars_keeping(name: &str, ttl: CacheTtl) -> Option<&'static str> {
    let standard = standard(name);
    match ttl {
        CacheTtl::Never => None,
        CacheTtl::Head | CacheTtl::Time(_) => bars_sharing(&standard),
        CacheTtl::Final => bars_sharing(&standard).or(match standard.cache {
            CacheClass::Static | CacheClass::Finality => None,
            CacheClass::HeadBound => Some("is about the newest block, which is not yet final"),
            CacheClass::Never => {
                Some("does not tell in a known way which block its answers hang on")
            }
        }),
    }
}

/// Why one send of a method, and its answer, are for one call alone.
fn bars_sharing(standard: &StandardPolicy) -> Option<&'static str> {
    match (standard.effect, standard.filter, standard.class) {
        (Effect::NodeWrite | Effect::SignedTransaction, _, _) => Some("does more than read"),
        (_, FilterRole::Creates | FilterRole::Uses, _) | (_, _, MethodClass::Filter) => {
            Some("is about a filter that lives in one node")
        }
        (_, _, MethodClass::Subscription) => Some("belongs to one connection"),
        _ => None,
    }
}
