//! What clients ask for where a scenario does not say it in full: popularity by Zipf's law, and what methods of a kind take and cost.

use engine::method::{self, CacheClass, MethodClass, MethodId, lookup};

use super::fault::FileFault;
use super::keys::Traffic;
use crate::scenario::{Dish, MAX_DISHES, Menu};

/// The usual mix, the most popular first.
const USUAL: [&str; 8] = [
    "eth_call",
    "eth_getBalance",
    "eth_blockNumber",
    "eth_getTransactionReceipt",
    "eth_getBlockByNumber",
    "eth_getLogs",
    "eth_getTransactionCount",
    "eth_getCode",
];

/// The weight of the most popular one.
const FIRST: f64 = 1e6;
/// The largest that a file may give: all together are one number.
const MAX_WEIGHT: u64 = 1_000_000_000;

/// The menu of a scenario's traffic.
pub fn menu(traffic: &Traffic, faults: &mut Vec<FileFault>) -> Menu {
    let zipf = exponent(traffic, faults);
    let mut dishes = Vec::new();
    if traffic.methods.is_empty() {
        dishes.extend((1_u64..).zip(USUAL).map(|(place, name)| {
            let method = lookup(name.as_bytes());
            dish(method, weight(place, zipf))
        }));
    }
    for (place, asked) in (1_u64..).zip(&traffic.methods) {
        let name = &asked.value.name;
        let method = lookup(name.value.as_bytes());
        if !method.is_known() {
            let message = format!("`{}` is no standard method", name.value);
            faults.push(FileFault::at(name.referenced, message));
            continue;
        }
        let usual = dish(method, weight(place, zipf));
        let given = asked.value.weight.as_ref().map(|weight| {
            if weight.value > MAX_WEIGHT {
                let message = format!("a weight is at most {MAX_WEIGHT}");
                faults.push(FileFault::at(weight.referenced, message));
            }
            weight.value.min(MAX_WEIGHT)
        });
        dishes.push(Dish {
            weight: given.unwrap_or(usual.weight),
            effort: asked.value.takes.map_or(usual.effort, |takes| takes.0 * 10),
            units: asked.value.units.unwrap_or(usual.units),
            latest: asked.value.latest.unwrap_or(usual.latest),
            ..usual
        });
        if dishes.len() > MAX_DISHES {
            let message = format!("at most {MAX_DISHES} methods");
            faults.push(FileFault::at(asked.referenced, message));
            break;
        }
    }
    if dishes.iter().all(|dish| dish.weight == 0) && faults.is_empty() {
        let place = traffic.methods.first().map(|first| first.referenced);
        let place = place.unwrap_or(traffic.rate.referenced);
        faults.push(FileFault::at(place, "some method must have a weight"));
    }
    Menu { dishes }
}

/// Zipf's exponent in halves.
fn exponent(traffic: &Traffic, faults: &mut Vec<FileFault>) -> u32 {
    let Some(zipf) = &traffic.zipf else {
        return 2;
    };
    let known = ["0", "0.5", "1", "1.5", "2"];
    let place = known.iter().position(|word| *word == zipf.value);
    if place.is_none() {
        let message = format!("`{}` is none of {}", zipf.value, known.join(", "));
        faults.push(FileFault::at(zipf.referenced, message));
    }
    place.unwrap_or(2) as u32
}

/// By Zipf's law: place to the power of minus the exponent, which is given in halves. Square roots are the same on every machine.
fn weight(place: u64, halves: u32) -> u64 {
    let place = place as f64;
    let whole = (0..halves / 2).fold(1.0, |power, _| power * place);
    let half = if halves % 2 == 1 { place.sqrt() } else { 1.0 };
    (FIRST / (whole * half)) as u64
}

/// A method as methods of its kind are.
pub(crate) fn dish(method: MethodId, weight: u64) -> Dish {
    let standard = method::policy(method);
    let (effort, units) = match standard.class {
        MethodClass::Static | MethodClass::HeadRead | MethodClass::Subscription => (500, 10),
        MethodClass::Read | MethodClass::Filter | MethodClass::Other => (1_000, 20),
        MethodClass::Logs => (3_000, 60),
        MethodClass::Trace | MethodClass::Admin => (8_000, 170),
        MethodClass::Write => (1_500, 40),
    };
    let of_head =
        standard.class == MethodClass::HeadRead && standard.cache == CacheClass::HeadBound;
    let optional = standard.block_param.is_some_and(|block| block.optional);
    Dish {
        method,
        weight,
        effort,
        units,
        latest: of_head || optional,
        ages: None,
    }
}
