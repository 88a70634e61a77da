//! Every transition, vote and move of a hold, by every role, for every way in which its conditions can be met or not:
//! the document decides as the model does. Of the documents of the documentation, and of 200 that are made by chance.

use serde_json::{Value, json};

use super::{DOCUMENTS, key, model, read};
use crate::{
    domain::definition::{
        decide::{HoldMove, Person, Refusal, Round, Situation, Tally, Vote},
        document::{Definition, Relation},
        finding::Severity,
    },
    kernel::values::enumerations::Role,
};

/// Numbers by chance, the same in each run (SplitMix64, Steele et al. 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = usize::try_from((mixed ^ (mixed >> 31)) % end as u64);
        number.expect("it is below a usize")
    }

    fn one_in(&mut self, end: usize) -> bool {
        self.below(end) == 0
    }

    fn some<T: Clone>(&mut self, of: &[T], one_in: usize) -> Vec<T> {
        of.iter().filter(|_| self.one_in(one_in)).cloned().collect()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

const RELATIONS: [&str; 4] = ["creator", "submitter", "assignee", "last_approver"];

/// Both decide alike; whether anything was allowed.
fn compare(definition: &Definition, document: &Value, scene: &model::Scene) -> bool {
    let keys = |texts: &[String]| texts.iter().map(|text| key(text)).collect::<Vec<_>>();
    let relations = scene.relations.iter().map(|name| Relation::parse(name).expect("a relation"));
    let person = Person {
        role: Role::parse(scene.role).expect("a role"),
        roles: keys(&scene.roles),
        relations: relations.collect(),
        user: None,
    };
    let holds = keys(&scene.holds);
    let situation = Situation {
        status: key(&scene.status),
        open_tasks: scene.open_tasks,
        tasks_due_later: scene.tasks_due_later,
        managers: scene.managers,
        minutes: scene.minutes,
        disputed: if scene.dispute.is_some() { holds.clone() } else { vec![] },
        released: keys(&scene.released),
        disputer: scene.dispute == Some(true),
        holds,
        comment: scene.comment,
        revision: scene.revision,
    };
    let round = Round { approvals: scene.approvals, rejections: scene.rejections };
    let mut allowed = false;
    for (transition, written) in
        definition.transitions.0.iter().zip(document["transitions"].as_array().expect("a list"))
    {
        let decided = definition.decide(transition, &person, &situation);
        let decided = decided.map(|decision| decision.done.to.as_str()).map_err(Refusal::as_str);
        allowed |= decided.is_ok();
        assert_eq!(decided, model::moved(document, written, scene), "{written} {scene:?}");
        let alone = definition.decide_alone(transition, &person, &situation);
        let alone = alone.map(|decision| decision.done.to.as_str()).map_err(Refusal::as_str);
        assert_eq!(alone, model::overridden(document, written, scene), "alone {written} {scene:?}");
        for vote in [Vote::Approve, Vote::Reject] {
            let decided = definition.decide_vote(transition, vote, round, &person, &situation);
            let decided = decided.map(|decision| match decision.done {
                Tally::Open => scene.status.clone(),
                Tally::Approved => transition.to.as_str().to_owned(),
                Tally::Rejected(to) => to.as_str().to_owned(),
            });
            allowed |= decided.is_ok();
            let decided = decided.as_deref().map_err(|refusal| refusal.as_str());
            let expected = model::voted(document, written, vote == Vote::Approve, scene);
            assert_eq!(decided, expected, "{vote:?} {written} {scene:?}");
        }
    }
    for (hold, written) in definition.holds.0.iter().zip(document["holds"].as_array().into_iter().flatten()) {
        for (what, name) in [
            (HoldMove::Place, "place"),
            (HoldMove::Release, "release"),
            (HoldMove::Refund, "refund"),
            (HoldMove::Dispute, "dispute"),
            (HoldMove::Resolve, "resolve"),
        ] {
            let decided = hold.0.decide(what, &person, &situation);
            let decided = decided.map(|_| ()).map_err(Refusal::as_str);
            assert_eq!(decided, model::held(written, name, scene), "{name} {written} {scene:?}");
        }
    }
    allowed
}

/// A document whose statuses all lie on a way from the first to the last, with more transitions across. Some have faults.
fn by_chance(chance: &mut Chance) -> Value {
    let statuses = 2 + chance.below(8);
    let role_keys: Vec<_> = (0..chance.below(5)).map(|index| format!("r{index}")).collect();
    let hold_keys: Vec<_> = (0..chance.below(3)).map(|index| format!("h{index}")).collect();
    let mut transitions = Vec::new();
    for from in 0..statuses - 1 {
        for to in 0..statuses {
            // A way on from each but the last; nothing leads away from that one.
            if from != to && (to == from + 1 || chance.one_in(4)) {
                let name = format!("t{}", transitions.len());
                transitions.push(transition_by_chance(
                    chance,
                    &name,
                    (from, to),
                    statuses,
                    (&role_keys, &hold_keys),
                ));
            }
        }
    }
    let keys: Vec<_> = transitions.iter().filter_map(|written| written["key"].as_str()).collect();
    let holds: Vec<_> = hold_keys
        .iter()
        .map(|name| {
            json!({
                "key": name, "name": name, "amount": "none", "blocks": [chance.pick(&keys)],
                "must_be_released": chance.one_in(3),
                "placed_by": who(chance, &role_keys), "released_by": who(chance, &role_keys),
                "refunded_by": if chance.one_in(2) { who(chance, &role_keys) } else { json!([]) },
                "disputed_by": who(chance, &role_keys), "resolved_by": who(chance, &role_keys),
            })
        })
        .collect();
    json!({
        "key": "by_chance", "name": "By chance",
        "roles": role_keys.iter().map(|name| json!({ "key": name, "name": name })).collect::<Vec<_>>(),
        "statuses": (0..statuses).map(|index| json!({
            "key": format!("s{index}"), "name": format!("S{index}"), "initial": index == 0, "tasks": "open",
            "category": if index == 0 { "draft" } else { chance.pick(&["draft", "review", "active", "done"]) },
        })).collect::<Vec<_>>(),
        "transitions": transitions, "holds": holds,
    })
}

fn transition_by_chance(
    chance: &mut Chance,
    name: &str,
    (from, to): (usize, usize),
    statuses: usize,
    (roles, holds): (&[String], &[String]),
) -> Value {
    let mut transition = json!({
        "key": name, "name": name, "from": [format!("s{from}")], "to": format!("s{to}"),
        "not": chance.some(&RELATIONS, 8), "single_manager_exception": chance.one_in(8),
        "effects": {
            "set_submitter": chance.one_in(2), "set_approver": chance.one_in(2), "release_holds": chance.some(holds, 4),
        },
    });
    if chance.one_in(4) {
        let back: Vec<_> = (0..statuses).filter(|back| *back != from && *back != to).collect();
        transition["approvals"] = json!({
            "votes": 1 + chance.below(3), "of": who(chance, roles), "rejections": 1 + chance.below(2),
            "reject_to": format!("s{}", if back.is_empty() { to } else { chance.pick(&back) }),
            "owner_override": chance.one_in(2),
        });
        transition["guards"] = json!(chance.some(&["no_open_tasks", "no_hold", "due_dates_reached"], 3));
    } else {
        transition["who"] = who(chance, roles);
        let guards = ["revision", "no_open_tasks", "comment", "no_hold", "due_dates_reached"];
        transition["guards"] = json!(chance.some(&guards, 4));
    }
    if chance.one_in(5) {
        transition["minimum_minutes"] = 10.into();
    }
    transition
}

fn who(chance: &mut Chance, roles: &[String]) -> Value {
    let clauses: Vec<_> = (0..=chance.below(3))
        .map(|_| {
            json!({
                "role": chance.pick(&["viewer", "member", "manager", "owner"]),
                "roles": chance.some(roles, 3), "relations": chance.some(&RELATIONS, 6),
            })
        })
        .collect();
    json!(clauses)
}

/// All roles and statuses, with the other facts by chance.
fn scenes(definition: &Definition, chance: &mut Chance, rounds: usize) -> Vec<model::Scene> {
    let role_keys: Vec<_> = definition.roles.0.iter().map(|role| role.0.key.as_str().to_owned()).collect();
    let hold_keys: Vec<_> = definition.holds.0.iter().map(|hold| hold.0.key.as_str().to_owned()).collect();
    let mut scenes = Vec::new();
    for status in &definition.statuses.0 {
        for role in Role::ALL {
            for _ in 0..rounds {
                let scene = model::Scene {
                    role: role.as_str(),
                    roles: chance.some(&role_keys, 2),
                    relations: chance.some(&RELATIONS, 3),
                    status: status.key.as_str().to_owned(),
                    open_tasks: i64::from(chance.one_in(4)),
                    tasks_due_later: i64::from(chance.one_in(4)),
                    managers: chance.pick(&[1, 2]),
                    minutes: chance.pick(&[0, 9, 10, 1439, 1440]),
                    holds: chance.some(&hold_keys, 4),
                    dispute: chance.pick(&[None, None, Some(false), Some(true)]),
                    released: chance.some(&hold_keys, 2),
                    comment: !chance.one_in(3),
                    revision: !chance.one_in(3),
                    approvals: chance.pick(&[0, 1, 2]),
                    rejections: chance.pick(&[0, 1]),
                };
                scenes.push(scene);
            }
        }
    }
    scenes
}

/// All ways in which a workflow's transitions can be tried: each subset of domain roles up to two, of relations, of
/// holds, and each guard met or not.
#[test]
fn the_workflows_of_the_documentation_decide_as_the_model_does() {
    for document in DOCUMENTS {
        let (definition, written) = (read(document), serde_json::from_str::<Value>(document).expect("JSON"));
        let mut chance = Chance(1);
        let all = scenes(&definition, &mut chance, 1000);
        let allowed = all.iter().filter(|scene| compare(&definition, &written, scene)).count();
        // Both sides of each decision are met often.
        assert!(allowed > all.len() / 10 && allowed < all.len(), "{allowed} of {}", all.len());
    }
}

#[test]
fn two_hundred_workflows_by_chance_decide_as_the_model_does() {
    let mut chance = Chance(2);
    let (mut sound, mut excepted) = (0, 0);
    while sound < 200 {
        let written = by_chance(&mut chance);
        let definition = read(&written.to_string());
        if definition.findings().iter().all(|finding| finding.severity == Severity::Warning) {
            sound += 1;
            excepted += i32::from(definition.transitions.0.iter().any(|way| way.single_manager_exception.0));
            for scene in scenes(&definition, &mut chance, 30) {
                compare(&definition, &written, &scene);
            }
        }
    }
    // What is rare is among them.
    assert!(excepted > 3, "{excepted}");
}
