//! The three workflows of the documentation, every finding, and decisions beside a model that is written another way.

mod findings;
mod matrix;
mod model;

use super::{document::Definition, finding::Severity, standard::STANDARD};
use crate::{
    domain::{
        definition::{
            decide::{Person, Refusal, Situation},
            document::Relation,
        },
        workflow::{self, Facts},
    },
    kernel::{
        decode::FaultCode,
        limits,
        values::{
            Key, UserId,
            enumerations::{ProjectStatus, Role},
        },
    },
};

const CONSTRUCTION: &str = include_str!("../../../../docs/workflows/construction.json");
const LEGAL_REVIEW: &str = include_str!("../../../../docs/workflows/legal_review.json");
const DOCUMENTS: [&str; 3] = [STANDARD, CONSTRUCTION, LEGAL_REVIEW];

fn read(document: &str) -> Definition {
    Definition::read(document.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}\n{document}"))
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

#[test]
fn the_workflows_of_the_documentation_are_sound() {
    for document in DOCUMENTS {
        let definition = read(document);
        assert_eq!(definition.findings(), [], "{}", definition.key.as_str());
        assert!(definition.examples.0.len() > 5);
    }
}

/// The document decides as the table does, for every pair of statuses, role and guard.
#[test]
fn the_standard_document_is_the_table() {
    let standard = read(STANDARD);
    let keys: Vec<_> = standard.statuses.0.iter().map(|status| status.key.as_str()).collect();
    assert_eq!(keys, ProjectStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>());
    let (me, other) = (UserId(uuid::Uuid::from_u128(1)), UserId(uuid::Uuid::from_u128(2)));
    let mut cases = 0;
    for bits in 0..16 {
        let [mine, comment, open, revision] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        for managers in [1, 2] {
            for &role in Role::ALL {
                for &status in ProjectStatus::ALL {
                    let facts = Facts {
                        status,
                        submitted_by: Some(if mine { me } else { other }),
                        open_tasks: i64::from(open),
                        managers,
                        user: me,
                        role,
                        comment,
                        revision,
                    };
                    let relations = if mine { vec![Relation::Submitter] } else { vec![] };
                    let person = Person { role, roles: vec![], relations, user: Some(me) };
                    let situation = Situation {
                        status: key(status.as_str()),
                        open_tasks: facts.open_tasks,
                        tasks_due_later: 0,
                        managers,
                        minutes: 0,
                        holds: vec![],
                        disputed: vec![],
                        released: vec![],
                        disputer: false,
                        comment,
                        revision,
                    };
                    for &to in ProjectStatus::ALL {
                        let by_table = workflow::decide(to, &facts);
                        let by_table =
                            by_table.map(|decision| (decision.least_role, decision.requirements.len()));
                        let by_table = by_table.map_err(|problem| problem.code.as_str());
                        let to = key(to.as_str());
                        let by_document = match standard.between(&situation.status, &to).next() {
                            None => Err("transition_not_allowed"),
                            Some(transition) => standard
                                .decide(transition, &person, &situation)
                                .map(|decision| (decision.least_role, decision.requirements.len()))
                                .map_err(Refusal::as_str),
                        };
                        assert_eq!(by_document, by_table, "{facts:?} -> {to:?}");
                        cases += 1;
                    }
                }
            }
        }
    }
    assert_eq!(cases, 7 * 7 * 4 * 32);
}

/// What a document of a wrong form is answered: the places and codes of all faults.
fn faults(document: &str) -> Vec<(String, FaultCode)> {
    let faults = Definition::read(document.as_bytes()).expect_err("a fault");
    faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

#[test]
fn documents_of_a_wrong_form_are_refused() {
    let at = |pointer: &str, code| vec![(pointer.to_owned(), code)];
    assert_eq!(faults(""), at("", FaultCode::Format));
    assert_eq!(faults("[]"), at("", FaultCode::WrongType));
    assert_eq!(faults(&"[".repeat(1000)), at("", FaultCode::Format));
    assert_eq!(
        faults(&STANDARD.replacen("\"key\"", "\"key\": \"a\", \"key\"", 1)),
        at("", FaultCode::Format)
    );
    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(faults(&huge), at("", FaultCode::TooLong));
    let replaced = |from: &str, to: &str| {
        assert!(STANDARD.contains(from), "{from}");
        faults(&STANDARD.replacen(from, to, 1))
    };
    let name = "\"name\": \"Draft\"";
    assert_eq!(replaced(name, "\"name\": \"\u{200b}\""), at("/statuses/0/name", FaultCode::TooShort));
    assert_eq!(replaced(name, "\"title\": \"Draft\"").len(), 2);
    let long = format!("\"name\": \"{}\"", "x".repeat(limits::NAME + 1));
    assert_eq!(replaced(name, &long), at("/statuses/0/name", FaultCode::TooLong));
    assert_eq!(
        replaced("\"key\": \"draft\"", "\"key\": \"Draft\""),
        at("/statuses/0/key", FaultCode::Format)
    );
    assert_eq!(
        replaced("\"category\": \"review\"", "\"category\": \"reviewed\""),
        at("/statuses/1/category", FaultCode::NotAllowed)
    );
    assert_eq!(
        replaced("[\"revision\"]", "[\"revision\", \"sunshine\"]"),
        at("/transitions/2/guards/1", FaultCode::NotAllowed)
    );
    assert_eq!(
        replaced("{ \"role\": \"member\" }", "{ \"role\": \"king\", \"roles\": \"x\" }"),
        vec![
            ("/transitions/0/who/0/role".to_owned(), FaultCode::NotAllowed),
            ("/transitions/0/who/0/roles".to_owned(), FaultCode::WrongType),
        ]
    );
    let many = format!("{{\"transitions\": [{}]}}", "{},".repeat(10_000).trim_end_matches(','));
    assert!(faults(&many).contains(&("/transitions".to_owned(), FaultCode::TooLong)));
}

#[test]
fn the_largest_workflow_is_checked_at_once() {
    let statuses: Vec<_> = (0..limits::WORKFLOW_STATUSES)
        .map(|index| {
            format!(
                r#"{{"key":"s{index}","name":"S{index}","category":"{}","tasks":"open","initial":{}}}"#,
                if index == 0 { "draft" } else { "done" },
                index == 0
            )
        })
        .collect();
    // Each leads from all statuses before the one that it leads to.
    let transitions: Vec<_> = (0..limits::WORKFLOW_TRANSITIONS)
        .map(|index| {
            let to = 1 + index % (limits::WORKFLOW_STATUSES - 1);
            let from: Vec<_> = (0..to.min(4)).map(|from| format!("\"s{from}\"")).collect();
            let role = Role::ALL[index / (limits::WORKFLOW_STATUSES - 1) % 4].as_str();
            let guard = index / (limits::WORKFLOW_STATUSES - 1) / 4;
            let relations = if guard == 0 { "[]" } else { r#"["creator"]"# };
            format!(
                r#"{{"key":"t{index}","name":"T{index}","from":[{}],"to":"s{to}","who":[{{"role":"{role}","relations":{relations}}}]}}"#,
                from.join(",")
            )
        })
        .collect();
    let document = format!(
        r#"{{"key":"large","name":"Large","statuses":[{}],"transitions":[{}]}}"#,
        statuses.join(","),
        transitions.join(",")
    );
    let found = read(&document).findings();
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{found:?}");
}
