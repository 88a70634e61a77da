//! The document of a workflow, as it is written: its parts, and how it is read.

use crate::kernel::{
    decode::{
        Fault, FaultCode, Input, Items, Object, input,
        parts::{Flag, List, Nested},
    },
    json,
    limits::{
        WORKFLOW_BYTES, WORKFLOW_CLAUSES, WORKFLOW_EXAMPLES, WORKFLOW_HOLDS, WORKFLOW_ROLES,
        WORKFLOW_STATUSES, WORKFLOW_TRANSITIONS,
    },
    values::{
        Description, Key, Name, UserId,
        count::Count,
        enumerations::{Role, wire_enum},
    },
};

/// Up to as many keys as a workflow has of the kind that has most.
pub type Keys = List<Key, WORKFLOW_TRANSITIONS>;

/// The alternatives of who may do something: whoever meets one of them.
pub type Who = List<Nested<Clause>, WORKFLOW_CLAUSES>;

wire_enum! {
    /// What a status means for a project, whatever it is called.
    Category {
        /// It is being prepared.
        Draft = "draft",
        /// It waits for a decision.
        Review = "review",
        /// It was approved, and is being worked on.
        Active = "active",
        /// The work is finished.
        Done = "done",
        /// It is kept for reading only: neither its contents nor its tasks can be changed.
        Archived = "archived",
    }
}

wire_enum! {
    /// What can be done with the tasks of a project.
    TaskPolicy {
        /// Tasks can be created and changed.
        Open = "open",
        /// Tasks can be changed, but none can be created or reopened.
        NoNew = "no_new",
        /// Tasks can only be read.
        ReadOnly = "read_only",
    }
}

wire_enum! {
    /// What a person has to do with a project.
    Relation {
        /// Created the project.
        Creator = "creator",
        /// Made the transition that sets the submitter (`set_submitter`) last.
        Submitter = "submitter",
        /// Has a task of the project that is not done.
        Assignee = "assignee",
        /// Made or completed the transition that sets the approver (`set_approver`) last.
        LastApprover = "last_approver",
    }
}

wire_enum! {
    /// A condition of a transition, besides who may make it.
    Guard {
        /// The request has a comment that gives the reason.
        Comment = "comment",
        /// The request names the revision that was read, so that nothing unread is approved.
        Revision = "revision",
        /// The project has no open tasks.
        NoOpenTasks = "no_open_tasks",
        /// Nothing is held back, of whatever kind. A hold that names the transition in `blocks` needs no guard.
        NoHold = "no_hold",
        /// No task of the project is due later than today.
        DueDatesReached = "due_dates_reached",
    }
}

wire_enum! {
    /// People who are told of a transition.
    Audience {
        /// The managers and owners.
        Managers = "managers",
        /// Those who have to do with the project: its creator, its submitter and the assignees of its tasks.
        Involved = "involved",
        /// Those who can make a transition from the new status.
        Next = "next",
    }
}

wire_enum! {
    /// What becomes of a hold at the end of its time.
    Expiry {
        /// It is released.
        Release = "release",
        /// It is refunded.
        Refund = "refund",
        /// Nothing; people are told.
        None = "none",
    }
}

wire_enum! {
    /// Whether a hold is about an amount of money.
    AmountPolicy {
        /// It has none.
        None = "none",
        /// It may have one.
        Optional = "optional",
        /// It has one.
        Required = "required",
    }
}

input! {
    /// A workflow: which statuses a project has, who may move it from which to which, and examples that must hold.
    pub struct Definition {
        /// Its name for programs, unique in the tenant.
        pub key: Key,
        /// Its name for people.
        pub name: Name,
        /// What it is for.
        pub description: Option<Description>,
        /// The domain roles: what people are in the business that the workflow is about, such as a client or an
        /// inspector. They count in transitions, approvals and holds only.
        pub roles: List<Nested<DomainRole>, WORKFLOW_ROLES>,
        /// The statuses, in the order in which people see them.
        pub statuses: Items<Status, 1, WORKFLOW_STATUSES>,
        /// The transitions. No others are possible.
        pub transitions: Items<Transition, 1, WORKFLOW_TRANSITIONS>,
        /// The kinds of holds, which keep a project from transitions until they are released.
        pub holds: List<Nested<Hold>, WORKFLOW_HOLDS>,
        /// Examples, which are tried whenever the workflow is validated or published.
        pub examples: List<Nested<Example>, WORKFLOW_EXAMPLES>,
    }

    /// A domain role.
    pub struct DomainRole {
        /// Its name for programs.
        pub key: Key,
        /// Its name for people.
        pub name: Name,
    }

    /// A status of a project.
    pub struct Status {
        /// Its name for programs.
        pub key: Key,
        /// Its name for people.
        pub name: Name,
        /// What it means.
        pub category: Category,
        /// Whether a new project has it: exactly one status does.
        pub initial: Flag,
        /// The lowest role that may change name, description and visibility of the project; without one, nobody may.
        pub content_editable_by: Option<Role>,
        /// What can be done with its tasks.
        pub tasks: TaskPolicy,
        /// Whether the public catalogue may show the project, if it is public.
        pub public: Flag,
    }

    /// A transition: one person makes it (`who`), or several people decide on it by vote (`approvals`).
    pub struct Transition {
        /// Its name for programs.
        pub key: Key,
        /// Its name for people.
        pub name: Name,
        /// The statuses from which it leads.
        pub from: List<Key, WORKFLOW_STATUSES>,
        /// The status to which it leads.
        pub to: Key,
        /// Who may make it: whoever meets one of these.
        pub who: Who,
        /// Who may not make it in any case, so that another person must.
        pub not: List<Relation, 4>,
        /// Whether a manager or owner that `not` excludes may make it if the tenant has no other. Only for what takes a
        /// manager or owner in any case: elsewhere there are others who could.
        pub single_manager_exception: Flag,
        /// The other conditions, in the order in which they are looked at.
        pub guards: List<Guard, 5>,
        /// How long the project must have been in the status: minutes.
        pub minimum_minutes: Option<Count>,
        /// The votes that it needs.
        pub approvals: Option<Nested<Approvals>>,
        /// What it does besides.
        pub effects: Option<Nested<Effects>>,
    }

    /// One alternative of who may do something: all that it names must be met.
    pub struct Clause {
        /// The lowest access role; without one, any member.
        pub role: Option<Role>,
        /// The domain roles, of which the person has at least one.
        pub roles: List<Key, WORKFLOW_ROLES>,
        /// The relations to the project, of which the person has at least one.
        pub relations: List<Relation, 4>,
        /// The people, of whom the person is one.
        pub people: List<UserId, 20>,
    }

    /// The votes that a transition needs. The vote that completes them makes the transition.
    pub struct Approvals {
        /// How many different people must approve.
        pub votes: Count,
        /// Who may vote: whoever meets one of these.
        pub of: Who,
        /// How many rejections end the round; one, unless it says otherwise.
        pub rejections: Option<Count>,
        /// The status to which a rejection leads.
        pub reject_to: Key,
        /// How long a round lasts: minutes. Then its votes no longer count, and another round begins. Without a number
        /// it does not end by itself.
        pub expires_after_minutes: Option<Count>,
        /// Whether an owner whom `not` does not exclude may decide alone, with a comment that gives the reason.
        pub owner_override: Flag,
    }

    /// What a transition does besides changing the status.
    pub struct Effects {
        /// The person who makes it is the submitter from then on.
        pub set_submitter: Flag,
        /// The person who makes it, or whose vote completes it, is the last approver from then on.
        pub set_approver: Flag,
        /// Who is told.
        pub notify: List<Audience, 3>,
        /// Kinds of holds that it places. One that holds the project already stays as it is.
        pub place_holds: List<Key, WORKFLOW_HOLDS>,
        /// Kinds of holds that it releases.
        pub release_holds: List<Key, WORKFLOW_HOLDS>,
    }

    /// A kind of hold (escrow): it keeps a project from transitions until it is released or refunded. The service moves
    /// no money.
    pub struct Hold {
        /// Its name for programs.
        pub key: Key,
        /// Its name for people.
        pub name: Name,
        /// The transitions that it blocks while it is held or disputed.
        pub blocks: Keys,
        /// Whether it blocks them until it has been released, also if it was never placed, or was refunded.
        pub must_be_released: Flag,
        /// Who may place it; without anybody, only transitions do.
        pub placed_by: Who,
        /// Who may release it.
        pub released_by: Who,
        /// Who may refund it; without anybody, those who may release it.
        pub refunded_by: Who,
        /// Who may dispute it; without anybody, it cannot be disputed.
        pub disputed_by: Who,
        /// Who decides a dispute; never the person who has disputed.
        pub resolved_by: Who,
        /// Whether it is about an amount of money.
        pub amount: AmountPolicy,
        /// How long it lasts: minutes. Without a number it does not end by itself.
        pub expires_after_minutes: Option<Count>,
        /// What becomes of it then.
        pub on_expiry: Option<Expiry>,
    }

    /// An example: what happens when somebody does something in a given situation.
    pub struct Example {
        /// What it shows.
        pub name: Name,
        /// The situation.
        pub given: Nested<Given>,
        /// What somebody does.
        pub when: Nested<When>,
        /// What must come of it.
        pub then: Nested<Then>,
    }

    /// The situation of an example. What it does not name is as in a new project.
    pub struct Given {
        /// The status of the project.
        pub status: Key,
        /// How many tasks are open.
        pub open_tasks: Option<Count>,
        /// How many tasks are due later than today.
        pub tasks_due_later: Option<Count>,
        /// How many managers and owners the tenant has; two, unless it says otherwise.
        pub managers: Option<Count>,
        /// How long the project has been in the status: minutes.
        pub minutes: Option<Count>,
        /// The kinds of holds that hold the project.
        pub holds: List<Key, WORKFLOW_HOLDS>,
        /// The kinds of holds that are disputed.
        pub disputed: List<Key, WORKFLOW_HOLDS>,
        /// The kinds of holds that have been released.
        pub released: List<Key, WORKFLOW_HOLDS>,
        /// How many others have approved in this round.
        pub approvals: Option<Count>,
        /// How many others have rejected in this round.
        pub rejections: Option<Count>,
    }

    /// What somebody does in an example: one of `transition`, `approve`, `reject`, `place`, `release`, `refund`,
    /// `dispute` and `resolve`.
    pub struct When {
        /// The access role of the person.
        pub role: Role,
        /// The domain roles of the person.
        pub roles: List<Key, WORKFLOW_ROLES>,
        /// The relations of the person to the project.
        pub relations: List<Relation, 4>,
        /// The id of the person, for alternatives that name people.
        pub user: Option<UserId>,
        /// Whether the person has disputed the hold.
        pub disputer: Flag,
        /// Whether the request has a comment.
        pub comment: Flag,
        /// Whether the request names the revision.
        pub revision: Flag,
        /// Whether the person decides as an owner, without votes.
        pub override_votes: Flag,
        /// The transition that the person makes.
        pub transition: Option<Key>,
        /// The transition that the person approves.
        pub approve: Option<Key>,
        /// The transition that the person rejects.
        pub reject: Option<Key>,
        /// The kind of hold that the person places.
        pub place: Option<Key>,
        /// The kind of hold that the person releases.
        pub release: Option<Key>,
        /// The kind of hold that the person refunds.
        pub refund: Option<Key>,
        /// The kind of hold that the person disputes.
        pub dispute: Option<Key>,
        /// The kind of hold whose dispute the person decides.
        pub resolve: Option<Key>,
    }

    /// What must come of an example: `status` or `refused`.
    pub struct Then {
        /// The status of the project afterwards: the same as before, if a vote was counted or a hold was moved.
        pub status: Option<Key>,
        /// The code of the refusal.
        pub refused: Option<crate::domain::definition::decide::Refusal>,
    }
}

impl Definition {
    /// Reads a document.
    ///
    /// # Errors
    /// All faults of its form. Whether it makes sense is a question for [`Definition::findings`].
    pub fn read(document: &[u8]) -> Result<Self, Vec<Fault>> {
        let fault = |code, detail: String| vec![Fault::new(code, detail)];
        if document.len() > WORKFLOW_BYTES {
            let detail = format!("Expected at most {WORKFLOW_BYTES} bytes, got {}.", document.len());
            return Err(fault(FaultCode::TooLong, detail));
        }
        match json::parse(document).map_err(|error| fault(FaultCode::Format, error))? {
            serde_json::Value::Object(members) => Self::decode(Object::new(members)),
            other => Err(vec![Fault::wrong_type("an object", &other)]),
        }
    }

    /// The status with that key.
    pub fn status(&self, key: &Key) -> Option<&Status> {
        self.statuses.0.iter().find(|status| status.key == *key)
    }

    /// The status of a new project: the first that is marked so.
    pub fn initial(&self) -> Option<&Status> {
        self.statuses.0.iter().find(|status| status.initial.0)
    }

    /// The transition with that key.
    pub fn transition(&self, key: &Key) -> Option<&Transition> {
        self.transitions.0.iter().find(|transition| transition.key == *key)
    }

    /// The transitions from a status, in the order of the document.
    pub fn from<'a>(&'a self, status: &'a Key) -> impl Iterator<Item = &'a Transition> {
        self.transitions.0.iter().filter(move |transition| transition.from.0.contains(status))
    }

    /// The kind of hold with that key.
    pub fn hold(&self, key: &Key) -> Option<&Hold> {
        self.holds.0.iter().map(|hold| &hold.0).find(|hold| hold.key == *key)
    }
}

impl Transition {
    /// The votes that it needs, if several people decide.
    pub fn votes(&self) -> Option<&Approvals> {
        self.approvals.as_ref().map(|approvals| &approvals.0)
    }

    /// The people who may make it, or vote on it.
    pub fn people(&self) -> &Who {
        self.votes().map_or(&self.who, |approvals| &approvals.of)
    }

    /// Its effects.
    pub fn effects(&self) -> Option<&Effects> {
        self.effects.as_ref().map(|effects| &effects.0)
    }
}

impl Approvals {
    /// How many rejections end the round.
    pub fn rejections(&self) -> i64 {
        self.rejections.map_or(1, |count| count.0)
    }
}

impl Hold {
    /// The people who may do something with it, by the name of the member.
    pub fn people(&self) -> [(&'static str, &Who); 5] {
        [
            ("placed_by", &self.placed_by),
            ("released_by", &self.released_by),
            ("refunded_by", &self.refunded_by),
            ("disputed_by", &self.disputed_by),
            ("resolved_by", &self.resolved_by),
        ]
    }

    /// Who may refund it.
    pub fn refunders(&self) -> &Who {
        if self.refunded_by.0.is_empty() { &self.released_by } else { &self.refunded_by }
    }
}
