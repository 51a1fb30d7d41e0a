//! What a method admits of hedging and keeping, from the engine's table of methods: the reasons for
//! which a rule that names such a method is refused, and a pattern passes it by. Holds no name itself.

use engine::block::BlockRef;
use engine::cache::{self, Ttl};
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
    (!standard.hedgeable).then(|| match standard.class {
        MethodClass::Trace => "is so costly that a second send would add to what makes it slow",
        MethodClass::Other => "is not known to be harmless when it is sent twice",
        _ => of_one_call(&standard),
    })
}

/// Why answers of a method are never kept like that, as the end of a sentence that begins with its name; `None`
/// where they may be. `by_name` when the rule names the method and is no pattern.
pub(crate) fn bars_keeping(name: &str, ttl: CacheTtl, by_name: bool) -> Option<&'static str> {
    if ttl == CacheTtl::Never {
        return None;
    }
    let standard = standard(name);
    // The words of a name are no proof: a call that moves money and is answered from a cache is never made. Whoever writes the
    // whole name knows what it does.
    if !by_name && standard.class == MethodClass::Other {
        return Some("is not known to do nothing but read");
    }
    if cache::may_look(&standard, Some(Ttl::Head), &BlockRef::None).is_err() {
        return Some(of_one_call(&standard));
    }
    match standard.cache {
        CacheClass::HeadBound if ttl == CacheTtl::Final => {
            Some("is about the newest block, which is not yet final")
        }
        CacheClass::Never if ttl == CacheTtl::Final => {
            Some("does not tell in a known way which block its answers hang on")
        }
        _ => None,
    }
}

/// Why one send of a method, or its answer, is for one call alone.
fn of_one_call(standard: &StandardPolicy) -> &'static str {
    match (standard.effect, standard.filter, standard.class) {
        (Effect::NodeWrite | Effect::SignedTransaction, _, _) => "does more than read",
        (_, FilterRole::Creates | FilterRole::Uses, _) | (_, _, MethodClass::Filter) => {
            "is about a filter that lives in one node"
        }
        (_, _, MethodClass::Subscription) => "belongs to one connection",
        _ => "is about the one node that answers it",
    }
}
