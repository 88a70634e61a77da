//! What a workflow's document says that makes no sense: found without running it, each with a place and a sentence.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::definition::{
        document::{Category, Clause, Definition, Guard, Relation, Status, TaskPolicy, Transition, Who},
        finding::{Finding, FindingCode, Severity},
    },
    kernel::{
        limits::WORKFLOW_VOTES,
        unicode,
        values::{Key, Name},
    },
};

/// The findings so far, in the order in which they were made.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, pointer: impl Into<String>, code: FindingCode, detail: impl Into<String>) {
        self.0.push(Finding::new(pointer, code, detail));
    }

    /// Finds a value that stands twice in a list.
    fn repeated<T: PartialEq>(&mut self, pointer: &str, list: &[T]) {
        for (index, item) in list.iter().enumerate() {
            if list[..index].contains(item) {
                self.add(
                    format!("{pointer}/{index}"),
                    FindingCode::Repeated,
                    "This stands in the list already.",
                );
            }
        }
    }
}

/// The keys of each kind that a document declares.
struct Declared<'a> {
    statuses: BTreeSet<&'a str>,
    transitions: BTreeSet<&'a str>,
    roles: BTreeSet<&'a str>,
    holds: BTreeSet<&'a str>,
}

impl Declared<'_> {
    fn known(&self, code: FindingCode) -> &BTreeSet<&str> {
        match code {
            FindingCode::UnknownStatus => &self.statuses,
            FindingCode::UnknownTransition => &self.transitions,
            FindingCode::UnknownRole => &self.roles,
            _ => &self.holds,
        }
    }

    /// Finds a key that nothing declares.
    fn expect(&self, found: &mut Findings, pointer: String, code: FindingCode, key: &Key) {
        if !self.known(code).contains(key.as_str()) {
            let what = code.as_str().trim_start_matches("unknown_");
            found.add(pointer, code, format!("The workflow has no {what} `{}`.", key.as_str()));
        }
    }

    fn expect_all(&self, found: &mut Findings, pointer: &str, code: FindingCode, keys: &[Key]) {
        for (index, key) in keys.iter().enumerate() {
            self.expect(found, format!("{pointer}/{index}"), code, key);
        }
        found.repeated(pointer, keys);
    }

    fn who(&self, found: &mut Findings, pointer: &str, who: &Who) {
        for (index, clause) in who.0.iter().enumerate() {
            let here = format!("{pointer}/{index}");
            self.expect_all(found, &format!("{here}/roles"), FindingCode::UnknownRole, &clause.0.roles.0);
            found.repeated(&format!("{here}/relations"), &clause.0.relations.0);
            found.repeated(&format!("{here}/people"), &clause.0.people.0);
        }
    }
}

impl Definition {
    /// What is wrong with the document, errors and warnings, in the order of its parts; examples that fail are last,
    /// and are tried only if nothing else is an error.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Findings::default();
        let declared = self.declare(&mut found);
        self.check_statuses(&mut found);
        for (index, transition) in self.transitions.0.iter().enumerate() {
            check_transition(&mut found, &declared, &format!("/transitions/{index}"), transition);
        }
        self.check_ways(&mut found);
        self.check_conditions(&mut found);
        self.check_holds(&mut found, &declared);
        self.check_roles(&mut found);
        if found.0.iter().all(|finding| finding.severity == Severity::Warning) {
            self.check_course(&mut found);
        }
        if self.examples.0.is_empty() {
            found.add(
                "/examples",
                FindingCode::NoExamples,
                "Examples show what the workflow is for, and keep it so.",
            );
        }
        if found.0.iter().all(|finding| finding.severity == Severity::Warning) {
            found.0.extend(self.failing_examples());
        }
        found.0
    }

    /// The declared keys; finds keys and names that stand twice.
    fn declare(&self, found: &mut Findings) -> Declared<'_> {
        let statuses = self.statuses.0.iter().map(|part| (&part.key, &part.name));
        let transitions = self.transitions.0.iter().map(|part| (&part.key, &part.name));
        let roles = self.roles.0.iter().map(|part| (&part.0.key, &part.0.name));
        let holds = self.holds.0.iter().map(|part| (&part.0.key, &part.0.name));
        Declared {
            statuses: unique(found, "/statuses", statuses),
            transitions: unique(found, "/transitions", transitions),
            roles: unique(found, "/roles", roles),
            holds: unique(found, "/holds", holds),
        }
    }

    fn check_statuses(&self, found: &mut Findings) {
        let ended = |status: &Status| matches!(status.category, Category::Done | Category::Archived);
        if let Some(status) = self.initial().filter(|status| ended(status)) {
            let detail = format!("A new project is not `{}`.", status.category.as_str());
            found.add("/statuses", FindingCode::InitialStatus, detail);
        }
        let initial = self.statuses.0.iter().filter(|status| status.initial.0).count();
        if initial != 1 {
            let detail = format!("Exactly one status is that of a new project (`initial`), not {initial}.");
            found.add("/statuses", FindingCode::InitialStatus, detail);
        }
        for (index, status) in self.statuses.0.iter().enumerate() {
            let changes = status.tasks != TaskPolicy::ReadOnly || status.content_editable_by.is_some();
            if status.category == Category::Archived && changes {
                let detail = "An archived project is for reading only: `tasks` is `read_only`, and nobody edits the content.";
                found.add(format!("/statuses/{index}"), FindingCode::NotReadOnly, detail);
            }
        }
    }

    /// Finds two transitions between the same statuses that are for the same people.
    fn check_ways(&self, found: &mut Findings) {
        let mut ways: BTreeMap<(&str, &str), Vec<&Transition>> = BTreeMap::new();
        for (index, transition) in self.transitions.0.iter().enumerate() {
            for from in &transition.from.0 {
                let others = ways.entry((from.as_str(), transition.to.as_str())).or_default();
                let same = |other: &&&Transition| {
                    !std::ptr::eq(**other, transition) && same_people(other.people(), transition.people())
                };
                if let Some(other) = others.iter().find(same) {
                    let detail = format!(
                        "`{}` is for the same people, from {} to {}, too.",
                        other.key.as_str(),
                        from.as_str(),
                        transition.to.as_str()
                    );
                    found.add(format!("/transitions/{index}"), FindingCode::TransitionRepeated, detail);
                }
                others.push(transition);
            }
        }
    }

    fn check_holds(&self, found: &mut Findings, declared: &Declared<'_>) {
        for (index, hold) in self.holds.0.iter().map(|hold| &hold.0).enumerate() {
            let here = format!("/holds/{index}");
            for (name, who) in hold.people() {
                declared.who(found, &format!("{here}/{name}"), who);
            }
            let blocks = format!("{here}/blocks");
            declared.expect_all(found, &blocks, FindingCode::UnknownTransition, &hold.blocks.0);
            if hold.blocks.0.is_empty() {
                found.add(blocks, FindingCode::BlocksNothing, "A hold blocks at least one transition.");
            }
            if let Some(status) = self.kept_by(hold) {
                let detail = format!(
                    "Nobody releases it, it does not end by itself, and from `{status}` no transition that releases it is \
                     reached without one that it blocks."
                );
                found.add(format!("{here}/released_by"), FindingCode::NeverReleased, detail);
            }
            if hold.disputed_by.0.is_empty() != hold.resolved_by.0.is_empty() {
                let detail = "`disputed_by` and `resolved_by` belong together.";
                found.add(format!("{here}/resolved_by"), FindingCode::NeverResolved, detail);
            }
            if hold.expires_after_minutes.is_some() != hold.on_expiry.is_some() {
                let detail = "`expires_after_minutes` and `on_expiry` belong together.";
                found.add(format!("{here}/on_expiry"), FindingCode::Expiry, detail);
            }
            if hold.expires_after_minutes.is_some_and(|minutes| minutes.0 == 0) {
                found.add(
                    format!("{here}/expires_after_minutes"),
                    FindingCode::Expiry,
                    "A time is at least a minute.",
                );
            }
            let places = |transition: &Transition| {
                transition.effects().is_some_and(|effects| effects.place_holds.0.contains(&hold.key))
            };
            if hold.placed_by.0.is_empty() && !self.transitions.0.iter().any(places) {
                let detail = "Nobody places it, and no transition does.";
                found.add(here, FindingCode::NeverPlaced, detail);
            }
        }
    }

    /// Finds domain roles that count nowhere.
    fn check_roles(&self, found: &mut Findings) {
        let of_transitions = self.transitions.0.iter().map(Transition::people);
        let of_holds = self.holds.0.iter().flat_map(|hold| hold.0.people()).map(|(_, who)| who);
        let clauses = of_transitions.chain(of_holds).flat_map(|who| &who.0);
        let used: BTreeSet<_> = clauses.flat_map(|clause| &clause.0.roles.0).map(Key::as_str).collect();
        for (index, role) in self.roles.0.iter().enumerate() {
            if !used.contains(role.0.key.as_str()) {
                let detail = format!("`{}` counts nowhere.", role.0.key.as_str());
                found.add(format!("/roles/{index}"), FindingCode::RoleUnused, detail);
            }
        }
    }
}

/// The keys of a kind; finds those and the names that stand twice. Names that look the same are the same.
fn unique<'a>(
    found: &mut Findings,
    pointer: &str,
    parts: impl Iterator<Item = (&'a Key, &'a Name)>,
) -> BTreeSet<&'a str> {
    let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (index, (key, name)) in parts.enumerate() {
        if !keys.insert(key.as_str()) {
            let detail = format!("The key `{}` stands twice.", key.as_str());
            found.add(format!("{pointer}/{index}/key"), FindingCode::KeyRepeated, detail);
        }
        if !names.insert(look(name.as_str())) {
            let detail =
                format!("Another part has a name that looks like \u{201c}{}\u{201d}.", name.as_str());
            found.add(format!("{pointer}/{index}/name"), FindingCode::NameRepeated, detail);
        }
    }
    keys
}

/// A name without what a reader does not see: case, typography, invisible characters, runs of blanks.
fn look(name: &str) -> String {
    let seen = |character: &char| character.is_whitespace() || unicode::is_visible(*character);
    let visible: String = name.chars().filter(seen).collect();
    // By way of capitals, for letters with several small forms.
    let words = unicode::plain(&visible).to_uppercase().to_lowercase();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check_transition(found: &mut Findings, declared: &Declared<'_>, here: &str, transition: &Transition) {
    use FindingCode::{
        GuardOfVotes, LeadsNowhere, NoExclusion, Nobody, UnknownHold, UnknownStatus, WhoAndApprovals,
    };
    declared.expect_all(found, &format!("{here}/from"), UnknownStatus, &transition.from.0);
    declared.expect(found, format!("{here}/to"), UnknownStatus, &transition.to);
    if transition.from.0.is_empty() {
        found.add(format!("{here}/from"), LeadsNowhere, "A transition leads from at least one status.");
    }
    if transition.from.0.contains(&transition.to) {
        let detail = format!("It leads from `{0}` to `{0}`.", transition.to.as_str());
        found.add(format!("{here}/to"), LeadsNowhere, detail);
    }
    declared.who(found, &format!("{here}/who"), &transition.who);
    found.repeated(&format!("{here}/not"), &transition.not.0);
    found.repeated(&format!("{here}/guards"), &transition.guards.0);
    let several = transition.votes().is_some_and(|approvals| approvals.votes.0 > 1);
    let excepted = !transition.not.0.is_empty() && transition.is_for_managers() && !several;
    if transition.single_manager_exception.0 && !excepted {
        let detail = "An exception for a single manager, but `not` excludes nobody, or others than managers can make it, \
             or it takes several people.";
        found.add(format!("{here}/single_manager_exception"), NoExclusion, detail);
    }
    match transition.votes() {
        None if transition.who.0.is_empty() => {
            let detail = "Nobody may make it: `who` is empty, and there are no `approvals`.";
            found.add(format!("{here}/who"), Nobody, detail);
        }
        Some(_) if !transition.who.0.is_empty() => {
            let detail = "Either one person makes it (`who`), or several decide (`approvals`).";
            found.add(format!("{here}/approvals"), WhoAndApprovals, detail);
        }
        Some(_) => check_approvals(found, declared, here, transition),
        None => {}
    }
    for (index, guard) in transition.guards.0.iter().enumerate() {
        if transition.approvals.is_some() && matches!(guard, Guard::Comment | Guard::Revision) {
            let detail = "A vote names its revision in any case, and needs no comment.";
            found.add(format!("{here}/guards/{index}"), GuardOfVotes, detail);
        }
    }
    if let Some(effects) = transition.effects() {
        let here = format!("{here}/effects");
        declared.expect_all(found, &format!("{here}/place_holds"), UnknownHold, &effects.place_holds.0);
        declared.expect_all(found, &format!("{here}/release_holds"), UnknownHold, &effects.release_holds.0);
        found.repeated(&format!("{here}/notify"), &effects.notify.0);
    }
}

fn check_approvals(found: &mut Findings, declared: &Declared<'_>, here: &str, transition: &Transition) {
    let Some(approvals) = transition.votes() else { return };
    let here = format!("{here}/approvals");
    declared.who(found, &format!("{here}/of"), &approvals.of);
    declared.expect(found, format!("{here}/reject_to"), FindingCode::UnknownStatus, &approvals.reject_to);
    for (name, votes) in [("votes", approvals.votes.0), ("rejections", approvals.rejections())] {
        if !(1..=WORKFLOW_VOTES).contains(&votes) {
            let detail = format!("Expected 1 to {WORKFLOW_VOTES}, got {votes}.");
            found.add(format!("{here}/{name}"), FindingCode::Votes, detail);
        }
    }
    if approvals.expires_after_minutes.is_some_and(|minutes| minutes.0 == 0) {
        let detail = "A time is at least a minute.";
        found.add(format!("{here}/expires_after_minutes"), FindingCode::Expiry, detail);
    }
    if approvals.reject_to == transition.to {
        let detail = format!("A rejection leads to `{}`, as an approval does.", transition.to.as_str());
        found.add(format!("{here}/reject_to"), FindingCode::LeadsNowhere, detail);
    }
    if transition.from.0.contains(&approvals.reject_to) {
        let detail = format!("A rejection leads from `{0}` to `{0}`.", approvals.reject_to.as_str());
        found.add(format!("{here}/reject_to"), FindingCode::LeadsNowhere, detail);
    }
    if approvals.of.0.is_empty() {
        found.add(format!("{here}/of"), FindingCode::Nobody, "Nobody may vote.");
        return;
    }
    let voters = approvals.of.0.iter().map(|clause| clause.0.people()).sum::<Option<usize>>();
    let voters = voters.and_then(|voters| i64::try_from(voters).ok());
    let needed = approvals.votes.0 + approvals.rejections() - 1;
    if let Some(voters) = voters.filter(|voters| *voters < needed) {
        let detail = format!(
            "{voters} people may vote, and it takes {needed} to decide in any case: {} to approve or {} to reject.",
            approvals.votes.0,
            approvals.rejections()
        );
        found.add(format!("{here}/of"), FindingCode::TooFewPeople, detail);
    }
}

impl Clause {
    /// How many people meet it at the most; `None` if there may be any number.
    fn people(&self) -> Option<usize> {
        if !self.people.0.is_empty() {
            return Some(self.people.0.len());
        }
        // A project has one creator, one submitter and one last approver.
        let single = !self.relations.0.is_empty() && !self.relations.0.contains(&Relation::Assignee);
        single.then_some(self.relations.0.len())
    }
}

/// Whether two lists of alternatives are about the same people, in whatever order they stand.
fn same_people(one: &Who, other: &Who) -> bool {
    fn same<T: PartialEq>(one: &[T], other: &[T]) -> bool {
        one.len() == other.len() && one.iter().all(|item| other.contains(item))
    }
    let alike = |one: &Clause, other: &Clause| {
        one.least_role() == other.least_role()
            && same(&one.roles.0, &other.roles.0)
            && same(&one.relations.0, &other.relations.0)
            && same(&one.people.0, &other.people.0)
    };
    let within = |one: &Who, other: &Who| {
        one.0.iter().all(|clause| other.0.iter().any(|found| alike(&clause.0, &found.0)))
    };
    within(one, other) && within(other, one)
}
