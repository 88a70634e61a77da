//! Decisions by a workflow's document: who may move a project, vote on a transition, or move a hold.

use crate::{
    domain::definition::document::{
        Approvals, Clause, Definition, Guard, Hold, Relation, Status, Transition, Who,
    },
    kernel::values::{
        Key, UserId,
        enumerations::{
            Role::{self, Manager, Owner},
            wire_enum,
        },
    },
};

wire_enum! {
    /// Why something is refused.
    Refusal {
        /// The workflow has no such transition from the status.
        TransitionNotAllowed = "transition_not_allowed",
        /// The access role is too low.
        InsufficientRole = "insufficient_role",
        /// The person has none of the domain roles.
        DomainRoleRequired = "domain_role_required",
        /// The person did not submit the project.
        NotTheSubmitter = "not_the_submitter",
        /// The person has not the relation to the project.
        RelationRequired = "relation_required",
        /// The person is not among those that the workflow names.
        NotNamed = "not_named",
        /// The workflow lets nobody do it.
        NobodyMay = "nobody_may",
        /// Another person must do it.
        FourEyes = "four_eyes",
        /// The request has no comment.
        CommentRequired = "comment_required",
        /// The request names no revision.
        RevisionRequired = "revision_required",
        /// Some tasks are not done.
        TasksOpen = "tasks_open",
        /// A task is due later than today.
        NotDue = "not_due",
        /// The project has not been in the status for long enough.
        TooEarly = "too_early",
        /// A hold blocks the transition.
        OnHold = "on_hold",
        /// Several people decide on the transition, by vote.
        ApprovalsRequired = "approvals_required",
        /// One person makes the transition, without votes.
        NoVotes = "no_votes",
        /// The workflow lets no owner decide alone.
        OverrideNotAllowed = "override_not_allowed",
        /// The project has such a hold already.
        HoldActive = "hold_active",
        /// The project has no such hold.
        HoldNotActive = "hold_not_active",
        /// The hold is disputed.
        HoldDisputed = "hold_disputed",
        /// The hold is not disputed.
        HoldNotDisputed = "hold_not_disputed",
    }
}

/// The acting person, as far as decisions depend on them.
#[derive(Clone, Debug)]
pub struct Person {
    /// The access role.
    pub role: Role,
    /// The domain roles for the project.
    pub roles: Vec<Key>,
    /// The relations to the project.
    pub relations: Vec<Relation>,
    /// Who it is; nobody in particular in an example.
    pub user: Option<UserId>,
}

/// The state of the project and of the request, as far as decisions depend on them.
#[derive(Clone, Debug)]
pub struct Situation {
    /// The status of the project.
    pub status: Key,
    /// Its tasks that are not done.
    pub open_tasks: i64,
    /// Its tasks that are due later than today.
    pub tasks_due_later: i64,
    /// Active members of the tenant who are managers or owners.
    pub managers: i64,
    /// How long it has been in the status: minutes.
    pub minutes: i64,
    /// The kinds of its holds that are held or disputed.
    pub holds: Vec<Key>,
    /// Those of them that are disputed.
    pub disputed: Vec<Key>,
    /// The kinds of which the last hold was released.
    pub released: Vec<Key>,
    /// Whether the acting person has disputed the hold that the decision is about.
    pub disputer: bool,
    /// Whether the request has a comment.
    pub comment: bool,
    /// Whether the request names the revision.
    pub revision: bool,
}

/// What can make a decision wrong between the reading and the writing, besides the access role and the project itself:
/// the batch that writes fails unless this still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// No other member than the acting person could approve.
    NoOtherManager,
    /// The project has no open tasks.
    NoOpenTasks,
    /// No task of the project is due later than today.
    DueDatesReached,
    /// The project has no hold.
    NoHold,
    /// No hold blocks the transition.
    NotBlocked,
    /// No hold that the transition releases is disputed.
    NotDisputed,
    /// The hold is in the state that was read.
    HoldUnchanged,
    /// The round has the votes that were read.
    RoundUnchanged,
    /// The acting person has one of these domain roles.
    DomainRole(Vec<Key>),
    /// The acting person has a task of the project that is not done.
    Assignee,
    /// The acting person has none.
    NotAssignee,
}

/// A decision that something may be done, and what it relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<T> {
    /// What is done.
    pub done: T,
    /// The lowest access role with which the person could have done the same.
    pub least_role: Role,
    /// What must hold in the batch that writes.
    pub requirements: Vec<Requirement>,
}

/// A person's vote on a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// For the transition.
    Approve,
    /// Against it.
    Reject,
}

/// The votes of others in a round so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    /// Those who approved.
    pub approvals: i64,
    /// Those who rejected.
    pub rejections: i64,
}

/// What becomes of a round with one vote more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tally {
    /// More votes are needed.
    Open,
    /// The transition is made.
    Approved,
    /// The round ends, and the project is moved to this status.
    Rejected(Key),
}

/// What is done with a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldMove {
    /// It is placed.
    Place,
    /// It is released: what is held goes on as agreed.
    Release,
    /// It is refunded: what is held goes back.
    Refund,
    /// It is disputed, and stays until the dispute is decided.
    Dispute,
    /// The dispute is decided, for a release or for a refund.
    Resolve,
}

impl Definition {
    /// The transitions between two statuses, in the order of the document; several if different people have
    /// different ways.
    pub fn between<'a>(&'a self, from: &'a Key, to: &'a Key) -> impl Iterator<Item = &'a Transition> {
        self.from(from).filter(move |transition| transition.to == *to)
    }

    /// Decides whether a person may make a transition alone.
    ///
    /// # Errors
    /// In this order: `transition_not_allowed` if it does not lead from the status, `approvals_required` if several
    /// people decide, what is missing of who may make it, `four_eyes`, the first guard that is not met in the order of
    /// the document, `too_early`, `on_hold`, `hold_disputed` for a hold that the transition would release.
    pub fn decide<'a>(
        &'a self,
        transition: &'a Transition,
        person: &Person,
        situation: &Situation,
    ) -> Result<Decision<&'a Transition>, Refusal> {
        if !transition.from.0.contains(&situation.status) {
            return Err(Refusal::TransitionNotAllowed);
        }
        if transition.approvals.is_some() {
            return Err(Refusal::ApprovalsRequired);
        }
        let mut basis = admit(&transition.who, person)?;
        exclude(transition, person, situation, &mut basis)?;
        self.allow(transition, situation, &mut basis)?;
        Ok(basis.decision(transition))
    }

    /// Decides whether an owner may make a transition alone on which others would vote.
    ///
    /// # Errors
    /// `transition_not_allowed`, `no_votes`, `override_not_allowed`, `insufficient_role`, `four_eyes`, `comment_required`, and those
    /// of guards and holds as in [`Definition::decide`].
    pub fn decide_alone<'a>(
        &'a self,
        transition: &'a Transition,
        person: &Person,
        situation: &Situation,
    ) -> Result<Decision<&'a Transition>, Refusal> {
        let approvals = votes(transition, situation)?;
        if !approvals.owner_override.0 {
            return Err(Refusal::OverrideNotAllowed);
        }
        if person.role < Owner {
            return Err(Refusal::InsufficientRole);
        }
        let mut basis = Basis { least_role: Owner, requirements: Vec::new() };
        exclude(transition, person, situation, &mut basis)?;
        if !situation.comment {
            return Err(Refusal::CommentRequired);
        }
        self.allow(transition, situation, &mut basis)?;
        Ok(basis.decision(transition))
    }

    /// Decides whether a person may vote, and what becomes of the round.
    ///
    /// # Errors
    /// As in [`Definition::decide`], with `no_votes` if one person makes the transition. Guards and holds count for
    /// approvals only: what could not be made is not approved either, but it can be rejected.
    pub fn decide_vote(
        &self,
        transition: &Transition,
        vote: Vote,
        round: Round,
        person: &Person,
        situation: &Situation,
    ) -> Result<Decision<Tally>, Refusal> {
        let approvals = votes(transition, situation)?;
        let mut basis = admit(&approvals.of, person)?;
        exclude(transition, person, situation, &mut basis)?;
        basis.requirements.push(Requirement::RoundUnchanged);
        let tally = match vote {
            Vote::Approve => {
                self.allow(transition, situation, &mut basis)?;
                if round.approvals + 1 >= approvals.votes.0 { Tally::Approved } else { Tally::Open }
            }
            Vote::Reject if round.rejections + 1 >= approvals.rejections() => {
                Tally::Rejected(approvals.reject_to.clone())
            }
            Vote::Reject => Tally::Open,
        };
        Ok(basis.decision(tally))
    }

    /// Guards, the time in the status, and holds.
    fn allow(
        &self,
        transition: &Transition,
        situation: &Situation,
        basis: &mut Basis,
    ) -> Result<(), Refusal> {
        for guard in &transition.guards.0 {
            basis.requirements.extend(guard.judge(situation)?);
        }
        if transition.minimum_minutes.is_some_and(|least| situation.minutes < least.0) {
            return Err(Refusal::TooEarly);
        }
        let mut blocking = self.holds.0.iter().filter(|hold| hold.0.blocks.0.contains(&transition.key));
        if blocking.clone().any(|hold| hold.0.stands(situation)) {
            return Err(Refusal::OnHold);
        }
        basis.requirements.extend(blocking.next().map(|_| Requirement::NotBlocked));
        let released = transition.effects().map_or(&[][..], |effects| &effects.release_holds.0);
        if released.iter().any(|hold| situation.disputed.contains(hold)) {
            return Err(Refusal::HoldDisputed);
        }
        basis.requirements.extend((!released.is_empty()).then_some(Requirement::NotDisputed));
        Ok(())
    }
}

impl Status {
    /// Whether the contents of the project were approved when it came here.
    pub fn is_approved(&self) -> bool {
        use crate::domain::definition::document::Category::{Active, Done};
        matches!(self.category, Active | Done)
    }
}

impl Hold {
    /// Whether it blocks what it names in `blocks`.
    fn stands(&self, situation: &Situation) -> bool {
        let owed = self.must_be_released.0 && !situation.released.contains(&self.key);
        owed || situation.holds.contains(&self.key)
    }

    /// Decides whether a person may do something with a hold of this kind.
    ///
    /// # Errors
    /// What stands against it in the state of the hold, what is missing of who may do it, and `four_eyes` for the person
    /// who has disputed it.
    pub fn decide(
        &self,
        what: HoldMove,
        person: &Person,
        situation: &Situation,
    ) -> Result<Decision<HoldMove>, Refusal> {
        let (active, disputed) =
            (situation.holds.contains(&self.key), situation.disputed.contains(&self.key));
        let who = match what {
            HoldMove::Place if active => return Err(Refusal::HoldActive),
            HoldMove::Place => &self.placed_by,
            _ if !active => return Err(Refusal::HoldNotActive),
            HoldMove::Resolve if !disputed => return Err(Refusal::HoldNotDisputed),
            HoldMove::Resolve => &self.resolved_by,
            _ if disputed => return Err(Refusal::HoldDisputed),
            HoldMove::Release => &self.released_by,
            HoldMove::Refund => self.refunders(),
            HoldMove::Dispute => &self.disputed_by,
        };
        let mut basis = admit(who, person)?;
        if what == HoldMove::Resolve && situation.disputer {
            return Err(Refusal::FourEyes);
        }
        basis.requirements.push(Requirement::HoldUnchanged);
        Ok(basis.decision(what))
    }
}

impl Guard {
    /// What must hold in the batch that writes if the guard is met, or the refusal.
    fn judge(self, situation: &Situation) -> Result<Option<Requirement>, Refusal> {
        let (met, requirement, refusal) = match self {
            Self::Comment => (situation.comment, None, Refusal::CommentRequired),
            Self::Revision => (situation.revision, None, Refusal::RevisionRequired),
            Self::NoOpenTasks => {
                (situation.open_tasks == 0, Some(Requirement::NoOpenTasks), Refusal::TasksOpen)
            }
            Self::NoHold => (situation.holds.is_empty(), Some(Requirement::NoHold), Refusal::OnHold),
            Self::DueDatesReached => {
                (situation.tasks_due_later == 0, Some(Requirement::DueDatesReached), Refusal::NotDue)
            }
        };
        if met { Ok(requirement) } else { Err(refusal) }
    }
}

/// What a decision has relied on so far.
struct Basis {
    least_role: Role,
    requirements: Vec<Requirement>,
}

impl Basis {
    fn decision<T>(self, done: T) -> Decision<T> {
        Decision { done, least_role: self.least_role, requirements: self.requirements }
    }
}

impl Clause {
    /// The lowest access role that it admits.
    pub fn least_role(&self) -> Role {
        self.role.unwrap_or(Role::Viewer)
    }

    /// What it relies on if the person meets it; otherwise what the person lacks.
    fn admit(&self, person: &Person) -> Result<Basis, Refusal> {
        if person.role < self.least_role() {
            return Err(Refusal::InsufficientRole);
        }
        let mut requirements = Vec::new();
        if !self.roles.0.is_empty() {
            if !self.roles.0.iter().any(|role| person.roles.contains(role)) {
                return Err(Refusal::DomainRoleRequired);
            }
            requirements.push(Requirement::DomainRole(self.roles.0.clone()));
        }
        let mut has = self.relations.0.iter().filter(|relation| person.relations.contains(relation));
        match (self.relations.0.as_slice(), has.clone().next()) {
            ([], _) => {}
            ([Relation::Submitter], None) => return Err(Refusal::NotTheSubmitter),
            (_, None) => return Err(Refusal::RelationRequired),
            // The other relations are part of the project, whose version is checked in any case.
            (_, Some(_)) if has.all(|relation| *relation == Relation::Assignee) => {
                requirements.push(Requirement::Assignee);
            }
            (_, Some(_)) => {}
        }
        if !self.people.0.is_empty() && !person.user.is_some_and(|user| self.people.0.contains(&user)) {
            return Err(Refusal::NotNamed);
        }
        Ok(Basis { least_role: self.least_role(), requirements })
    }
}

/// Admits a person by the alternative that needs the lowest access role, and of these the one with the fewest
/// requirements. Without an alternative, nobody is admitted.
fn admit(who: &Who, person: &Person) -> Result<Basis, Refusal> {
    let mut admitted: Option<Basis> = None;
    let mut refusal = if who.0.is_empty() { Refusal::NobodyMay } else { Refusal::InsufficientRole };
    let weight = |basis: &Basis| (basis.least_role, basis.requirements.len());
    for clause in who.0.iter().map(|clause| &clause.0) {
        match clause.admit(person) {
            Ok(basis) if admitted.as_ref().is_none_or(|best| weight(&basis) < weight(best)) => {
                admitted = Some(basis);
            }
            Ok(_) | Err(Refusal::InsufficientRole) => {}
            // The first alternative that the access role would suffice for says what is missing.
            Err(found) if refusal == Refusal::InsufficientRole => refusal = found,
            Err(_) => {}
        }
    }
    admitted.ok_or(refusal)
}

/// Refuses a person that `not` excludes.
fn exclude(
    transition: &Transition,
    person: &Person,
    situation: &Situation,
    basis: &mut Basis,
) -> Result<(), Refusal> {
    let excluded = transition.not.0.iter().any(|relation| person.relations.contains(relation));
    if !excluded {
        let by_tasks = transition.not.0.contains(&Relation::Assignee);
        basis.requirements.extend(by_tasks.then_some(Requirement::NotAssignee));
        return Ok(());
    }
    // The exception is for the manager or owner who is left, and for nobody below.
    let alone = situation.managers <= 1 && person.role >= Manager;
    if !transition.single_manager_exception.0 || !alone {
        return Err(Refusal::FourEyes);
    }
    basis.least_role = basis.least_role.max(Manager);
    basis.requirements.push(Requirement::NoOtherManager);
    Ok(())
}

/// The votes that a transition from the status needs.
fn votes<'a>(transition: &'a Transition, situation: &Situation) -> Result<&'a Approvals, Refusal> {
    if !transition.from.0.contains(&situation.status) {
        return Err(Refusal::TransitionNotAllowed);
    }
    transition.votes().ok_or(Refusal::NoVotes)
}
