//! Stories about heads, over several shards: what clients are told never goes back, a liar does not rule, a failover to a lagging
//! upstream is no reset, a test chain that is set back is served again, and gossip may be lost.

use core::time::Duration;

use engine::time::Instant;

use crate::heads::{Habit, Node, Outcome, Scene, play};

fn second(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn told(scene: &Scene) -> Outcome {
    let outcome = play(scene).unwrap_or_else(|sentence| panic!("{sentence}"));
    assert!(outcome.told > 1_000, "{outcome:?}");
    outcome
}

fn with_seeds(tell: impl Fn(u64)) {
    (0..8).for_each(tell);
}

fn three() -> Vec<Node> {
    vec![Node::good(50), Node::good(120), Node::good(300)]
}

#[test]
fn calm() {
    with_seeds(|seed| {
        for (millis, most) in [(12_000, 2), (2_000, 2), (250, 8)] {
            let mut scene = Scene::new(seed, three());
            scene.block_time = Duration::from_millis(millis);
            scene.lasting = Duration::from_secs(900);
            let outcome = told(&scene);
            assert_eq!(outcome.resets, []);
            assert_eq!(outcome.worst_ahead, 0);
            assert!(outcome.worst_behind <= most, "{millis}: {outcome:?}");
            assert_eq!(outcome.left_out, [0, 0, 0], "{millis} ms: a race is no lag");
            assert!(outcome.finalized.0 > 1_000 - 64 && outcome.finalized.0 <= outcome.finalized.1);
            let due = outcome.blocks.min(900);
            for polls in &outcome.polls {
                assert!(*polls <= due * 5 / 2 + 30, "{millis} ms: {polls} for {due}");
                assert!(*polls >= due / 2, "{millis} ms: {polls} for {due}");
            }
            assert!(outcome.finality_polls <= 3 * 2 * (900 / 30 + 1));
        }
    });
}

#[test]
fn a_liar_among_three_neither_rules_nor_keeps_the_others_out() {
    for habit in [
        Habit::Lies(3),
        Habit::Lies(40),
        Habit::Lies(1 << 40),
        Habit::Raves,
    ] {
        with_seeds(|seed| {
            let mut nodes = three();
            nodes.push(Node::new(habit));
            nodes.remove(0);
            let outcome = told(&Scene::new(seed, nodes));
            if outcome.resets.is_empty() {
                assert!(outcome.worst_ahead <= 6, "{habit:?}: {outcome:?}");
            }
            assert!(outcome.resets.len() <= 1, "{habit:?}: {outcome:?}");
            assert!(outcome.worst_behind <= 2, "{habit:?}: {outcome:?}");
            assert!(outcome.finalized.0 <= outcome.finalized.1, "{outcome:?}");
            assert_eq!(outcome.left_out[..2], [0, 0], "{habit:?}");
        });
    }
}

#[test]
fn a_failover_to_a_lagging_upstream_is_no_reset() {
    with_seeds(|seed| {
        let nodes = vec![
            Node::good(50).but(200, 400, Habit::Silent),
            Node::new(Habit::Lags(30)),
        ];
        let outcome = told(&Scene::new(seed, nodes));
        assert_eq!(outcome.resets, []);
        assert_eq!(outcome.worst_ahead, 0);
        // Thirty blocks behind, and told what was told before.
        assert!((20..=33).contains(&outcome.worst_behind), "{outcome:?}");
        assert!(outcome.left_out[1] > 1_000, "while the other is there");
        assert!(outcome.calls[1] > 500, "when it is not");
        assert!(outcome.heads[0].newest > Some(1_200));
    });
}

#[test]
fn an_upstream_of_several_nodes_does_not_make_the_head_go_back() {
    with_seeds(|seed| {
        let nodes = vec![Node::new(Habit::Mixed(4))];
        let outcome = told(&Scene::new(seed, nodes));
        assert_eq!((outcome.resets.len(), outcome.worst_ahead), (0, 0));
        let outcome = told(&Scene::new(
            seed,
            vec![Node::new(Habit::Mixed(4)), Node::good(50)],
        ));
        assert_eq!((outcome.resets.len(), outcome.worst_ahead), (0, 0));
        assert!(outcome.worst_behind <= 2, "{outcome:?}");
    });
}

#[test]
fn one_that_is_stuck_is_left_out_and_comes_back() {
    with_seeds(|seed| {
        let mut nodes = three();
        nodes[0] = Node::good(50).but(200, 400, Habit::Stuck);
        let outcome = told(&Scene::new(seed, nodes));
        assert_eq!(outcome.resets, []);
        assert!(outcome.worst_behind <= 2, "{outcome:?}");
        let out = outcome.left_out[0];
        assert!((1_700..=2_100).contains(&out), "{out} of 2000 calls");
        assert_eq!(outcome.left_out[1..], [0, 0]);
    });
}

#[test]
fn a_test_chain_that_is_set_back_is_served_again() {
    with_seeds(|seed| {
        for (upstreams, shared_mark) in [(1, true), (1, false), (2, true), (3, true)] {
            let nodes = three().drain(..upstreams).collect();
            let mut scene = Scene::new(seed, nodes);
            scene.shared_mark = shared_mark;
            scene.set_back = Some((second(300), 1_125));
            let outcome = told(&scene);
            assert_eq!(outcome.resets.len(), 1, "{outcome:?}");
            assert!(outcome.resets[0].0 > 1_100 && outcome.resets[0].1 < 60);
            assert!(outcome.last_told < 200, "{outcome:?}");
            for head in &outcome.heads {
                assert_eq!(head.era, 1);
                assert!(
                    head.newest < Some(200) && head.finalized < Some(200),
                    "{head:?}"
                );
            }
        }
    });
}

#[test]
fn an_outage_of_all_ends_with_it() {
    with_seeds(|seed| {
        let nodes = three()
            .into_iter()
            .map(|node| node.but(200, 290, Habit::Silent))
            .collect();
        let outcome = told(&Scene::new(seed, nodes));
        assert_eq!((outcome.resets.len(), outcome.worst_ahead), (0, 0));
        let newest = outcome.heads[0].newest.unwrap();
        assert!(newest + 3 >= 1_000 + outcome.blocks, "{outcome:?}");
    });
}

#[test]
fn gossip_may_be_lost_repeated_and_late() {
    with_seeds(|seed| {
        for shared_mark in [true, false] {
            let mut nodes = three();
            if shared_mark {
                nodes.push(Node::new(Habit::Lies(1 << 30)));
            }
            nodes.push(
                Node::good(80)
                    .but(100, 200, Habit::Stuck)
                    .but(300, 350, Habit::Silent),
            );
            let mut scene = Scene::new(seed, nodes);
            (scene.shards, scene.lossy, scene.shared_mark) = (4, 300, shared_mark);
            let outcome = told(&scene);
            assert_eq!(outcome.resets, []);
            // Whoever hears nothing for seconds, and has not learned the pace, allows an answer more.
            let ahead = if shared_mark { 40 } else { 0 };
            assert!(outcome.worst_ahead <= ahead, "{outcome:?}");
            assert!(outcome.finalized.0 <= outcome.finalized.1, "{outcome:?}");
            let behind = if shared_mark { 2 } else { 8 };
            assert!(outcome.worst_behind <= behind, "{outcome:?}");
            let newest = outcome.heads[0].newest.unwrap();
            for head in &outcome.heads {
                assert!(head.newest.unwrap() + 4 >= newest, "{:?}", outcome.heads);
            }
        }
    });
}

#[test]
fn one_shard_alone_needs_no_gossip() {
    with_seeds(|seed| {
        let mut scene = Scene::new(seed, three());
        scene.shards = 1;
        let outcome = told(&scene);
        assert_eq!((outcome.resets.len(), outcome.worst_ahead), (0, 0));
        assert!(outcome.worst_behind <= 2);
    });
}

#[test]
fn the_same_seed_is_the_same_run() {
    let scene = |seed| {
        let mut scene = Scene::new(seed, three());
        scene.lossy = 100;
        scene
    };
    assert_eq!(told(&scene(5)).trace, told(&scene(5)).trace);
    assert_ne!(told(&scene(5)).trace, told(&scene(6)).trace);
}
