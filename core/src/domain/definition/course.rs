//! What a workflow's document says of the ways of a project: statuses that it cannot reach or leave, holds that are never
//! released, conditions that cannot be met together.

use std::collections::BTreeSet;

use crate::{
    domain::definition::{
        check::Findings,
        document::{
            Category, Clause, Definition, Effects, Expiry, Guard, Hold, Relation, TaskPolicy, Transition, Who,
        },
        finding::FindingCode,
    },
    kernel::values::{Key, enumerations::Role},
};

/// From one status to another.
type Way<'a> = (&'a str, &'a str);

impl Definition {
    /// Finds statuses that no project reaches, or leaves towards an end, or leaves without a certain person.
    pub(super) fn check_course(&self, found: &mut Findings) {
        let ways: Vec<Way<'_>> = self.transitions.0.iter().flat_map(Transition::ways).collect();
        let has_no_way = |key: &str| ways.iter().all(|(from, _)| *from != key);
        let initial = self.initial().map(|status| status.key.as_str());
        let reached = reach(initial, &ways);
        let turned: Vec<_> = ways.iter().map(|(from, to)| (*to, *from)).collect();
        let ends = self.statuses.0.iter().filter(|status| {
            matches!(status.category, Category::Done | Category::Archived) || has_no_way(status.key.as_str())
        });
        let ending = reach(ends.map(|status| status.key.as_str()), &turned);
        for (index, status) in self.statuses.0.iter().enumerate() {
            let (here, key) = (format!("/statuses/{index}"), status.key.as_str());
            if !reached.contains(key) {
                found.add(&here, FindingCode::Unreachable, format!("No project can come to `{key}`."));
            }
            if !ending.contains(key) {
                let detail = format!(
                    "From `{key}`, no transitions lead to an end: a status that is done or archived, or without a way out."
                );
                found.add(&here, FindingCode::Endless, detail);
            }
            if has_no_way(key) {
                if !matches!(status.category, Category::Done | Category::Archived) {
                    let category = status.category.as_str();
                    let detail = format!("`{key}` has no way out, but its category is `{category}`.");
                    found.add(&here, FindingCode::Unfinished, detail);
                }
                continue;
            }
            if self.from(&status.key).all(Transition::needs_certain_people) {
                let detail = format!(
                    "Only people who are named or have a domain role can move a project on from `{key}`."
                );
                found.add(&here, FindingCode::LockedOut, detail);
            } else if self.from(&status.key).all(|way| way.needs_certain_people() || way.needs_two_managers())
            {
                let detail = format!("A single manager or owner cannot move a project on from `{key}`.");
                found.add(&here, FindingCode::SingleManager, detail);
            }
        }
    }

    /// The status in which a hold of this kind can be placed and never ends, if there is one.
    pub(super) fn kept_by(&self, hold: &Hold) -> Option<&str> {
        // A refund is no end if it must be released.
        let refunds = !hold.must_be_released.0;
        let ends_by_itself = hold.expires_after_minutes.is_some()
            && match hold.on_expiry {
                Some(Expiry::Release) => true,
                Some(Expiry::Refund) => refunds,
                Some(Expiry::None) | None => false,
            };
        let by_people = !hold.released_by.0.is_empty() || (refunds && !hold.refunded_by.0.is_empty());
        if ends_by_itself || by_people {
            return None;
        }
        let has = |effects: Option<&Effects>, part: fn(&Effects) -> &[Key]| {
            effects.is_some_and(|effects| part(effects).contains(&hold.key))
        };
        let open: Vec<_> = self
            .transitions
            .0
            .iter()
            .filter(|way| !hold.blocks.0.contains(&way.key) && !way.guards.0.contains(&Guard::NoHold))
            .collect();
        let releasing = open.iter().filter(|way| has(way.effects(), |effects| &effects.release_holds.0));
        let ways: Vec<Way<'_>> =
            open.iter().flat_map(|way| way.ways()).map(|(from, to)| (to, from)).collect();
        let ending = reach(releasing.flat_map(|way| way.from.0.iter().map(Key::as_str)), &ways);
        let placing =
            self.transitions.0.iter().filter(|way| has(way.effects(), |effects| &effects.place_holds.0));
        let by_transition = placing.map(|way| way.to.as_str());
        let by_people = self.statuses.0.iter().map(|status| status.key.as_str());
        let by_people = by_people.filter(|_| !hold.placed_by.0.is_empty());
        by_transition.chain(by_people).find(|status| !ending.contains(status))
    }

    /// Finds relations that nobody has, and conditions that exclude each other.
    pub(super) fn check_conditions(&self, found: &mut Findings) {
        let sets =
            |part: fn(&Effects) -> bool| self.transitions.0.iter().filter_map(Transition::effects).any(part);
        let (submitter, approver) =
            (sets(|effects| effects.set_submitter.0), sets(|effects| effects.set_approver.0));
        let never = |relation: &Relation| match relation {
            Relation::Submitter => !submitter,
            Relation::LastApprover => !approver,
            Relation::Creator | Relation::Assignee => false,
        };
        for (index, transition) in self.transitions.0.iter().enumerate() {
            let here = format!("/transitions/{index}");
            let people = if transition.approvals.is_some() { "approvals/of" } else { "who" };
            check_relations(found, &format!("{here}/{people}"), transition.people(), never);
            if let Some(relation) = transition.not.0.iter().find(|relation| never(relation)) {
                found.add(format!("{here}/not"), FindingCode::NobodyIs, nobody_is(*relation));
            }
            if let Some(detail) = transition.contradiction() {
                found.add(&here, FindingCode::Contradiction, detail);
            }
        }
        for (index, hold) in self.holds.0.iter().enumerate() {
            for (name, who) in hold.0.people() {
                check_relations(found, &format!("/holds/{index}/{name}"), who, never);
            }
        }
        for (index, status) in self.statuses.0.iter().enumerate() {
            let mut on = self.from(&status.key).peekable();
            let stuck = status.tasks == TaskPolicy::ReadOnly && on.peek().is_some();
            if stuck && on.all(|way| way.guards.0.contains(&Guard::NoOpenTasks)) {
                let detail =
                    "Its tasks cannot be changed, but every way out asks for the last one to be done.";
                found.add(format!("/statuses/{index}/tasks"), FindingCode::Contradiction, detail);
            }
        }
    }
}

fn nobody_is(relation: Relation) -> String {
    let effect = if relation == Relation::Submitter { "set_submitter" } else { "set_approver" };
    format!("Nobody is ever the `{}`: no transition has the effect `{effect}`.", relation.as_str())
}

/// Finds alternatives that ask for a relation that nobody has.
fn check_relations(found: &mut Findings, pointer: &str, who: &Who, never: impl Fn(&Relation) -> bool) {
    for (index, clause) in who.0.iter().enumerate() {
        if let Some(relation) = clause.0.relations.0.iter().find(|relation| never(relation)) {
            let here = format!("{pointer}/{index}/relations");
            found.add(here, FindingCode::NobodyIs, nobody_is(*relation));
        }
    }
}

impl Transition {
    /// The pairs of statuses between which it leads, with that of a rejection.
    fn ways(&self) -> impl Iterator<Item = Way<'_>> {
        let rejected = self.votes().map(|approvals| approvals.reject_to.as_str());
        let to = [Some(self.to.as_str()), rejected].into_iter().flatten();
        to.flat_map(|to| self.from.0.iter().map(move |from| (from.as_str(), to)))
    }

    /// Whether nobody can make it, or vote for it, by their access role and their relation to the project.
    fn needs_certain_people(&self) -> bool {
        let overridden = self.votes().is_some_and(|approvals| approvals.owner_override.0);
        let anybody = |clause: &Clause| clause.roles.0.is_empty() && clause.people.0.is_empty();
        !overridden && !self.people().0.iter().any(|clause| anybody(&clause.0))
    }

    /// Whether only managers and owners can make it, and one of them alone cannot.
    fn needs_two_managers(&self) -> bool {
        let several = self.votes().is_some_and(|approvals| approvals.votes.0 > 1);
        let overridden = self.votes().is_some_and(|approvals| approvals.owner_override.0);
        let excluded = !self.not.0.is_empty() && !self.single_manager_exception.0;
        (several && !overridden) || (excluded && self.is_for_managers())
    }

    /// Whether it takes a manager or owner in any case.
    pub(super) fn is_for_managers(&self) -> bool {
        self.people().0.iter().all(|clause| clause.0.least_role() >= Role::Manager)
    }

    /// Two conditions that cannot be met together.
    fn contradiction(&self) -> Option<&'static str> {
        let excluded = |clause: &Clause| {
            let relations = &clause.relations.0;
            !relations.is_empty() && relations.iter().all(|relation| self.not.0.contains(relation))
        };
        if !self.single_manager_exception.0 && self.people().0.iter().any(|clause| excluded(&clause.0)) {
            return Some("An alternative admits only people whom `not` excludes.");
        }
        // An assignee has a task that is not done.
        let of_assignees = |clause: &Clause| clause.relations.0 == [Relation::Assignee];
        let assignees = self.not.0.contains(&Relation::Assignee)
            || self.people().0.iter().any(|clause| of_assignees(&clause.0));
        (assignees && self.guards.0.contains(&Guard::NoOpenTasks))
            .then_some("It is about assignees, who have an open task, but asks for no open task.")
    }
}

/// All that can be reached from some statuses, with these.
fn reach<'a>(from: impl IntoIterator<Item = &'a str>, ways: &[Way<'a>]) -> BTreeSet<&'a str> {
    let mut set: BTreeSet<&str> = from.into_iter().collect();
    loop {
        let more: Vec<_> = ways
            .iter()
            .filter(|(from, to)| set.contains(from) && !set.contains(to))
            .map(|(_, to)| *to)
            .collect();
        if more.is_empty() {
            return set;
        }
        set.extend(more);
    }
}
