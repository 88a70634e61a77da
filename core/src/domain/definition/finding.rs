//! What can be wrong with a workflow's document.

use serde::Serialize;

use crate::kernel::values::enumerations::wire_enum;

wire_enum! {
    /// What is wrong with a workflow.
    FindingCode {
        /// No status is marked as the one of a new project, or several are.
        InitialStatus = "initial_status",
        /// Two parts of a kind have the same key.
        KeyRepeated = "key_repeated",
        /// Two parts of a kind have names that look the same.
        NameRepeated = "name_repeated",
        /// There is no such status.
        UnknownStatus = "unknown_status",
        /// There is no such transition.
        UnknownTransition = "unknown_transition",
        /// There is no such domain role.
        UnknownRole = "unknown_role",
        /// There is no such kind of hold.
        UnknownHold = "unknown_hold",
        /// No project can come to the status.
        Unreachable = "unreachable",
        /// From the status, no project can come to an end.
        Endless = "endless",
        /// The transition leads to where it comes from.
        LeadsNowhere = "leads_nowhere",
        /// The same people have two ways between the same statuses.
        TransitionRepeated = "transition_repeated",
        /// A value is given twice in a list.
        Repeated = "repeated",
        /// Nobody may do it: neither `who` nor `approvals` says who.
        Nobody = "nobody",
        /// Both `who` and `approvals` say who.
        WhoAndApprovals = "who_and_approvals",
        /// The guard is about a request that votes do not have.
        GuardOfVotes = "guard_of_votes",
        /// The number of votes is no number that people can give.
        Votes = "votes",
        /// Fewer people are named than must vote.
        TooFewPeople = "too_few_people",
        /// The exception is from nothing, or from what others than managers could do.
        NoExclusion = "no_exclusion",
        /// No transition sets the relation that is asked for.
        NobodyIs = "nobody_is",
        /// Two conditions cannot be met together.
        Contradiction = "contradiction",
        /// The hold blocks nothing.
        BlocksNothing = "blocks_nothing",
        /// From some status in which it can be placed, nothing ends the hold.
        NeverReleased = "never_released",
        /// Nothing places the hold.
        NeverPlaced = "never_placed",
        /// The hold can be disputed, but nobody decides the dispute.
        NeverResolved = "never_resolved",
        /// A time and what happens then belong together.
        Expiry = "expiry",
        /// Only people who are named or have a domain role can move a project on from the status.
        LockedOut = "locked_out",
        /// A tenant with a single manager cannot move a project on from the status.
        SingleManager = "single_manager",
        /// The status ends the workflow, but its category says that work is left.
        Unfinished = "unfinished",
        /// The status is for reading only, but it lets people change contents or tasks.
        NotReadOnly = "not_read_only",
        /// The domain role counts nowhere.
        RoleUnused = "role_unused",
        /// The workflow has no examples.
        NoExamples = "no_examples",
        /// An example does not say what happens, or says it twice.
        ExampleIncomplete = "example_incomplete",
        /// The situation of an example cannot be.
        ExampleImpossible = "example_impossible",
        /// Something else comes of an example than it says.
        ExampleFails = "example_fails",
    }
}

wire_enum! {
    /// How much a finding matters.
    Severity {
        /// The workflow cannot be published.
        Error = "error",
        /// It can, but perhaps it is not what was meant.
        Warning = "warning",
    }
}

impl FindingCode {
    /// How much it matters.
    pub const fn severity(self) -> Severity {
        match self {
            Self::LockedOut
            | Self::SingleManager
            | Self::Unfinished
            | Self::RoleUnused
            | Self::NeverPlaced
            | Self::NoExamples => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// Something that is wrong with a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Where: a JSON pointer into the document (RFC 6901).
    pub pointer: String,
    /// What, for programs.
    pub code: FindingCode,
    /// How much it matters.
    pub severity: Severity,
    /// What, for people.
    pub detail: String,
}

impl Finding {
    pub(super) fn new(pointer: impl Into<String>, code: FindingCode, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, severity: code.severity(), detail: detail.into() }
    }
}
