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
fn compare(definition: &Definition, document: &Value, scene: &model::Scene, disputed: bool) -> bool {
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
        disputed: if disputed { holds.clone() } else { vec![] },
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
            let disputed = disputed && situation.disputed.contains(&hold.0.key);
            assert_eq!(decided, model::held(written, name, scene, disputed), "{name} {written} {scene:?}");
        }
    }
    allowed
}

/// A document whose statuses all lie on a way from the first to the last, with more transitions across.
fn by_chance(chance: &mut Chance) -> Value {
    let statuses = 2 + chance.below(8);
    let role_keys: Vec<_> = (0..chance.below(5)).map(|index| format!("r{index}")).collect();
    let hold_keys: Vec<_> = (0..chance.below(3)).map(|index| format!("h{index}")).collect();
    let mut transitions = Vec::new();
    for from in 0..statuses - 1 {
        for to in 0..statuses {
            // A way on from each but the last; nothing leads away from that one.
            if from == to || (to != from + 1 && !chance.one_in(4)) {
                continue;
            }
            let mut transition = json!({
                "key": format!("t{}", transitions.len()), "name": format!("T{}", transitions.len()),
                "from": [format!("s{from}")], "to": format!("s{to}"), "not": chance.some(&RELATIONS, 6),
            });
            if chance.one_in(4) {
                let back = if from == 0 { statuses - 1 } else { 0 };
                transition["approvals"] = json!({
                    "votes": 1 + chance.below(3), "of": who(chance, &role_keys), "rejections": 1 + chance.below(2),
                    "reject_to": format!("s{back}"), "owner_override": chance.one_in(2),
                });
                transition["guards"] =
                    json!(chance.some(&["no_open_tasks", "no_hold", "due_dates_reached"], 3));
            } else {
                transition["who"] = who(chance, &role_keys);
                let guards = ["revision", "no_open_tasks", "comment", "no_hold", "due_dates_reached"];
                transition["guards"] = json!(chance.some(&guards, 4));
            }
            if transition["not"].as_array().is_some_and(|not| !not.is_empty()) && chance.one_in(2) {
                transition["single_manager_exception"] = true.into();
            }
            if chance.one_in(5) {
                transition["minimum_minutes"] = 10.into();
            }
            transitions.push(transition);
        }
    }
    let keys: Vec<_> = transitions.iter().filter_map(|written| written["key"].as_str()).collect();
    let holds: Vec<_> = hold_keys
        .iter()
        .map(|name| {
            json!({
                "key": name, "name": name, "amount": "none", "blocks": [chance.pick(&keys)],
                "placed_by": who(chance, &role_keys), "released_by": who(chance, &role_keys),
                "refunded_by": if chance.one_in(2) { who(chance, &role_keys) } else { json!([]) },
                "disputed_by": who(chance, &role_keys), "resolved_by": who(chance, &role_keys),
            })
        })
        .collect();
    let category = ["draft", "review", "active", "done", "archived"];
    json!({
        "key": "by_chance", "name": "By chance",
        "roles": role_keys.iter().map(|name| json!({ "key": name, "name": name })).collect::<Vec<_>>(),
        "statuses": (0..statuses).map(|index| json!({
            "key": format!("s{index}"), "name": format!("S{index}"), "initial": index == 0,
            "category": chance.pick(&category), "tasks": "read_only",
        })).collect::<Vec<_>>(),
        "transitions": transitions, "holds": holds,
    })
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
fn scenes(definition: &Definition, chance: &mut Chance, rounds: usize) -> Vec<(model::Scene, bool)> {
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
                    comment: !chance.one_in(3),
                    revision: !chance.one_in(3),
                    approvals: chance.pick(&[0, 1, 2]),
                    rejections: chance.pick(&[0, 1]),
                };
                scenes.push((scene, chance.one_in(2)));
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
        let allowed =
            all.iter().filter(|(scene, disputed)| compare(&definition, &written, scene, *disputed)).count();
        // Both sides of each decision are met often.
        assert!(allowed > all.len() / 10 && allowed < all.len(), "{allowed} of {}", all.len());
    }
}

#[test]
fn two_hundred_workflows_by_chance_decide_as_the_model_does() {
    let mut chance = Chance(2);
    for _ in 0..200 {
        let written = by_chance(&mut chance);
        let definition = read(&written.to_string());
        let found = definition.findings();
        assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{found:?}\n{written:#}");
        for (scene, disputed) in scenes(&definition, &mut chance, 30) {
            compare(&definition, &written, &scene, disputed);
        }
    }
}
