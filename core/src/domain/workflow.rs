//! The approval workflow of projects: one table of the transitions and their conditions, and the function that consults
//! it and nothing else.

use serde::Serialize;

use crate::{
    http::problem::{Code, Problem, Result},
    kernel::values::{
        UserId,
        enumerations::{
            ProjectStatus::{self, Approved, Archived, Completed, Draft, InProgress, Rejected, Submitted},
            Role::{self, Manager, Member, Owner},
            wire_enum,
        },
    },
};

wire_enum! {
    /// A condition besides the role.
    Guard {
        /// Only the person who submitted the project, or a manager.
        SubmitterOrManager = "submitter_or_manager",
        /// Not the person who submitted the project, unless the tenant has no other manager or owner.
        FourEyes = "four_eyes",
        /// The request has a comment that gives the reason.
        Comment = "comment",
        /// The request names the revision that was read, so that nothing unread is approved.
        Revision = "revision",
        /// The project has no open tasks.
        NoOpenTasks = "no_open_tasks",
    }
}

/// What can make a decision wrong between the reading and the writing, besides the role and the project itself: the
/// batch that writes fails unless this still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// No other member than the acting user could approve.
    NoOtherManager,
    /// The project has no open tasks.
    NoOpenTasks,
}

impl Requirement {
    /// The problem if it does not hold.
    pub const fn code(self) -> Code {
        match self {
            Self::NoOtherManager => Code::FourEyes,
            Self::NoOpenTasks => Code::TasksOpen,
        }
    }
}

/// What a guard that is met relies on.
enum Basis {
    /// Only the request, the acting user, and the project in the version that was read.
    Fixed,
    /// A role of the acting user.
    Role(Role),
    /// A condition that a concurrent change could end.
    Requires(Requirement),
}

impl Guard {
    /// The condition in a few words, as the drawing of the workflow shows it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::SubmitterOrManager => "the submitter, or a manager",
            Self::FourEyes => "not the submitter",
            Self::Comment => "with a comment",
            Self::Revision => "naming the revision",
            Self::NoOpenTasks => "no task left open",
        }
    }

    /// What the guard relies on if it is met, or the code of the refusal.
    fn judge(self, facts: &Facts) -> Result<Basis, Code> {
        let submitter = facts.submitted_by == Some(facts.user);
        match self {
            Self::SubmitterOrManager if submitter => Ok(Basis::Fixed),
            Self::SubmitterOrManager if facts.role >= Manager => Ok(Basis::Role(Manager)),
            Self::SubmitterOrManager => Err(Code::NotTheSubmitter),
            Self::FourEyes if !submitter => Ok(Basis::Fixed),
            Self::FourEyes if facts.managers <= 1 => Ok(Basis::Requires(Requirement::NoOtherManager)),
            Self::FourEyes => Err(Requirement::NoOtherManager.code()),
            Self::Comment if facts.comment => Ok(Basis::Fixed),
            Self::Comment => Err(Code::CommentRequired),
            Self::Revision if facts.revision => Ok(Basis::Fixed),
            Self::Revision => Err(Code::RevisionRequired),
            Self::NoOpenTasks if facts.open_tasks == 0 => Ok(Basis::Requires(Requirement::NoOpenTasks)),
            Self::NoOpenTasks => Err(Requirement::NoOpenTasks.code()),
        }
    }
}

/// A transition of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Transition {
    /// The current status.
    pub from: ProjectStatus,
    /// The new status.
    pub to: ProjectStatus,
    /// The lowest role that may make the transition.
    pub required_role: Role,
    /// The other conditions.
    pub guards: &'static [Guard],
}

const fn step(
    from: ProjectStatus,
    to: ProjectStatus,
    required_role: Role,
    guards: &'static [Guard],
) -> Transition {
    Transition { from, to, required_role, guards }
}

/// The transitions and their conditions. No others are possible.
pub const TRANSITIONS: &[Transition] = &[
    //   from        to          at least  and
    step(Draft, Submitted, Member, &[]),
    step(Submitted, Draft, Member, &[Guard::SubmitterOrManager]),
    step(Submitted, Approved, Manager, &[Guard::FourEyes, Guard::Revision]),
    step(Submitted, Rejected, Manager, &[Guard::Comment]),
    step(Rejected, Draft, Member, &[]),
    step(Approved, InProgress, Member, &[]),
    step(InProgress, Completed, Manager, &[Guard::NoOpenTasks]),
    step(Completed, InProgress, Manager, &[Guard::Comment]),
    step(Completed, Archived, Owner, &[]),
    step(Draft, Archived, Owner, &[]),
    step(Rejected, Archived, Owner, &[]),
];

/// The facts that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The status that the project has.
    pub status: ProjectStatus,
    /// The user who submitted it last.
    pub submitted_by: Option<UserId>,
    /// Tasks of the project that are not done.
    pub open_tasks: i64,
    /// Active members of the tenant who are managers or owners.
    pub managers: i64,
    /// The acting user.
    pub user: UserId,
    /// The role of that user.
    pub role: Role,
    /// Whether a comment was given.
    pub comment: bool,
    /// Whether the revision was named.
    pub revision: bool,
}

/// The decision that a project may be moved, and what it relied on.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    /// The line of the table.
    pub transition: &'static Transition,
    /// The lowest role with which the acting user could have made the same transition.
    pub least_role: Role,
    /// What must hold in the batch that writes.
    pub requirements: Vec<Requirement>,
}

/// The transitions from a status, in the order of the table.
pub fn from(status: ProjectStatus) -> impl Iterator<Item = &'static Transition> {
    TRANSITIONS.iter().filter(move |transition| transition.from == status)
}

/// Decides whether a project may be moved.
///
/// # Errors
/// In this order: `transition_not_allowed` if the table has no such line, `insufficient_role`, the code of the
/// first guard that is not met.
pub fn decide(to: ProjectStatus, facts: &Facts) -> Result<Decision> {
    let Some(transition) = from(facts.status).find(|transition| transition.to == to) else {
        let allowed: Vec<_> = from(facts.status).map(|transition| transition.to.as_str()).collect();
        let detail = format!("A project cannot be moved from {} to {}.", facts.status.as_str(), to.as_str());
        return Err(Problem::with(Code::TransitionNotAllowed, detail)
            .member("from", facts.status.as_str())
            .member("to", to.as_str())
            .member("allowed", allowed));
    };
    if facts.role < transition.required_role {
        return Err(insufficient_role(transition.required_role));
    }
    let mut decision =
        Decision { transition, least_role: transition.required_role, requirements: Vec::new() };
    for guard in transition.guards {
        match guard.judge(facts).map_err(Problem::new)? {
            Basis::Fixed => {}
            Basis::Role(role) => decision.least_role = decision.least_role.max(role),
            Basis::Requires(requirement) => decision.requirements.push(requirement),
        }
    }
    Ok(decision)
}

/// Whether the contents of a project in this status can be changed: nothing once it is archived, and nothing that opens
/// a task while it is completed.
///
/// # Errors
/// `project_archived`, `project_completed`.
pub(crate) fn admits(status: ProjectStatus, opens: bool) -> Result<()> {
    match status {
        Archived => Err(Problem::new(Code::ProjectArchived)),
        Completed if opens => Err(Problem::new(Code::ProjectCompleted)),
        Draft | Submitted | Approved | Rejected | InProgress | Completed => Ok(()),
    }
}

/// The problem of a role that is too low.
pub(crate) fn insufficient_role(required: Role) -> Box<Problem> {
    Problem::with(
        Code::InsufficientRole,
        format!("This needs the role {} or a higher one.", required.as_str()),
    )
    .member("required_role", required.as_str())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// The design's table, typed a second time, as a person would read it aloud.
    const DESIGN: &str = "
        draft       submitted   member
        submitted   draft       member  submitter_or_manager
        submitted   approved    manager four_eyes revision
        submitted   rejected    manager comment
        rejected    draft       member
        approved    in_progress member
        in_progress completed   manager no_open_tasks
        completed   in_progress manager comment
        completed   archived    owner
        draft       archived    owner
        rejected    archived    owner
    ";

    fn designed(from: ProjectStatus, to: ProjectStatus) -> Option<(Role, Option<Guard>)> {
        DESIGN.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|words| {
            (words.len() >= 3 && words[0] == from.as_str() && words[1] == to.as_str()).then(|| {
                (Role::parse(words[2]).unwrap(), words.get(3).map(|guard| Guard::parse(guard).unwrap()))
            })
        })
    }

    #[test]
    fn every_pair_role_and_guard() {
        let (me, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let mut cases = 0;
        for &status in ProjectStatus::ALL {
            for &to in ProjectStatus::ALL {
                for &role in Role::ALL {
                    for mine in [false, true] {
                        for comment in [false, true] {
                            for (open_tasks, revision) in [(0, true), (3, true), (0, false), (3, false)] {
                                for managers in [1, 2] {
                                    let submitted_by = Some(if mine { me } else { other });
                                    let facts = Facts {
                                        status,
                                        submitted_by,
                                        open_tasks,
                                        managers,
                                        user: me,
                                        role,
                                        comment,
                                        revision,
                                    };
                                    let expected = match designed(status, to) {
                                        None => Err(Code::TransitionNotAllowed),
                                        Some((needed, _)) if role < needed => Err(Code::InsufficientRole),
                                        Some((_, Some(Guard::SubmitterOrManager)))
                                            if !mine && role < Manager =>
                                        {
                                            Err(Code::NotTheSubmitter)
                                        }
                                        Some((_, Some(Guard::SubmitterOrManager))) if !mine => {
                                            Ok((Manager, vec![]))
                                        }
                                        Some((_, Some(Guard::FourEyes))) if mine && managers > 1 => {
                                            Err(Code::FourEyes)
                                        }
                                        Some((_, Some(Guard::FourEyes))) if !revision => {
                                            Err(Code::RevisionRequired)
                                        }
                                        Some((needed, Some(Guard::FourEyes))) if mine => {
                                            Ok((needed, vec![Requirement::NoOtherManager]))
                                        }
                                        Some((_, Some(Guard::Comment))) if !comment => {
                                            Err(Code::CommentRequired)
                                        }
                                        Some((_, Some(Guard::NoOpenTasks))) if open_tasks > 0 => {
                                            Err(Code::TasksOpen)
                                        }
                                        Some((needed, Some(Guard::NoOpenTasks))) => {
                                            Ok((needed, vec![Requirement::NoOpenTasks]))
                                        }
                                        Some((needed, _)) => Ok((needed, vec![])),
                                    };
                                    let expected = expected
                                        .map(|(least, requirements)| (status, to, least, requirements));
                                    let decided = decide(to, &facts)
                                        .map(|Decision { transition: found, least_role, requirements }| {
                                            (found.from, found.to, least_role, requirements)
                                        })
                                        .map_err(|problem| problem.code);
                                    assert_eq!(decided, expected, "{facts:?} -> {to:?}");
                                    cases += 1;
                                }
                            }
                        }
                    }
                }
            }
        }
        assert_eq!(cases, 7 * 7 * 4 * 32);
    }

    #[test]
    fn the_table_is_the_design() {
        let table = TRANSITIONS.iter().map(|line| {
            let words = [line.from.as_str(), line.to.as_str(), line.required_role.as_str()];
            words.into_iter().chain(line.guards.iter().map(|guard| guard.as_str())).collect::<Vec<_>>()
        });
        let design = DESIGN.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(table.collect::<Vec<_>>(), design.filter(|words| !words.is_empty()).collect::<Vec<_>>());
    }

    #[test]
    fn no_pair_stands_twice() {
        for (index, one) in TRANSITIONS.iter().enumerate() {
            assert!(TRANSITIONS[..index].iter().all(|other| (other.from, other.to) != (one.from, one.to)));
        }
    }

    #[test]
    fn everything_can_be_reached_and_only_the_archive_is_final() {
        for status in ProjectStatus::ALL {
            assert!(*status == Draft || TRANSITIONS.iter().any(|line| line.to == *status), "{status:?}");
            assert_eq!(from(*status).next().is_none(), *status == Archived, "{status:?}");
        }
    }
}
