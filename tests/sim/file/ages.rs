//! How old the blocks are that clients ask for. A method of which that is said becomes several dishes of the menu, one for each stretch of ages
//! that an upstream has either all of or none of: so that whoever looks at a dish knows who can serve it. Nothing is drawn here.

use engine::learned::History;
use engine::method::{self, BlockForm};
use serde_saphyr::Spanned;

use super::fault::FileFault;
use super::keys::{self, Back};
use crate::provider::Kept;
use crate::scenario::{Ages, Dish, MAX_DISHES, Menu};

/// Weights of a menu are multiplied by so much before one is cut up, so that its parts' are whole.
const FINER: u64 = 1_000_000;
const WHOLE: u64 = 1_000;

/// How many blocks back an upstream's history goes, by what of a block is asked for.
pub fn kept(said: Option<&keys::History>) -> Kept {
    let Some(said) = said else {
        return Kept::default();
    };
    let mut kept = Kept::default();
    kept.set(History::State, said.state);
    kept.set(History::Blocks, said.blocks);
    kept.set(History::Logs, said.logs);
    // Who cannot tell the state of a block cannot execute it again.
    kept.set(History::Traces, said.traces.or(said.state));
    kept
}

/// Cuts a menu up by the ages that its methods are asked with. `asked` is what the file says, by dish; `kept` are the upstreams' histories.
pub fn cut(
    menu: Menu,
    asked: &[&[Spanned<Back>]],
    kept: &[Kept],
    height: u64,
    faults: &mut Vec<FileFault>,
) -> Menu {
    if asked.iter().all(|ages| ages.is_empty()) {
        return menu;
    }
    let mut dishes = Vec::new();
    for (dish, ages) in menu.dishes.into_iter().zip(asked) {
        check(&dish, ages, height, faults);
        let said: u64 = ages.iter().map(|one| u64::from(one.value.share.0)).sum();
        let rest = WHOLE.saturating_sub(said);
        if rest > 0 {
            dishes.push(Dish {
                weight: dish.weight * FINER / WHOLE * rest,
                ..dish.clone()
            });
        }
        let mut from = 0;
        for one in *ages {
            let share = u64::from(one.value.share.0);
            let weight = dish.weight * FINER / WHOLE * share;
            let band = Ages {
                from,
                to: one.value.up_to.max(from),
            };
            dishes.extend(parts(&dish, weight, band, kept));
            from = band.to.saturating_add(1);
        }
    }
    if dishes.len() > MAX_DISHES
        && let Some(first) = asked.iter().find_map(|ages| ages.first())
    {
        let message = format!(
            "what is asked for falls into {} kinds of calls, by method, age and who has it: at most {MAX_DISHES}",
            dishes.len()
        );
        faults.push(FileFault::at(first.referenced, message));
    }
    Menu { dishes }
}

/// A dish with ages of a band, cut where some upstream's history ends.
fn parts(dish: &Dish, weight: u64, band: Ages, kept: &[Kept]) -> Vec<Dish> {
    let kind = History::of(method::policy(dish.method));
    let within = |last: &u64| (band.from..band.to).contains(last);
    let mut ends: Vec<u64> = kept.iter().filter_map(|kept| kept.of(kind)).collect();
    ends.retain(within);
    ends.push(band.to);
    ends.sort_unstable();
    ends.dedup();
    let mut from = band.from;
    let part = |to: u64| {
        let ages = Ages { from, to };
        let own = u128::from(weight) * u128::from(ages.count()) / u128::from(band.count());
        from = to.saturating_add(1);
        Dish {
            // What is rare is not never.
            weight: (own as u64).max(u64::from(weight > 0)),
            latest: false,
            ages: Some(ages),
            ..dish.clone()
        }
    };
    ends.into_iter().map(part).collect()
}

fn check(dish: &Dish, ages: &[Spanned<Back>], height: u64, faults: &mut Vec<FileFault>) {
    let takes_number = method::policy(dish.method)
        .block_param
        .is_some_and(|block| block.form != BlockForm::Hash);
    let (mut shares, mut last) = (0, None);
    for one in ages {
        let Back { share, up_to } = one.value;
        shares += share.0;
        let message = if !takes_number {
            "the method takes no block by its number".to_owned()
        } else if shares > 1_000 {
            "the shares of all ages are more than 100%".to_owned()
        } else if last.is_some_and(|last| up_to <= last) {
            "each age goes further back than the one before".to_owned()
        } else if up_to >= height {
            format!("the chain has {height} blocks at the start: see `height` in `chain`")
        } else {
            last = Some(up_to);
            continue;
        };
        faults.push(FileFault::at(one.referenced, message));
        last = Some(up_to);
    }
}
