//! The enumerations: each variant has one text, on the wire and in the database.

use crate::kernel::values::UserId;

/// The common interface of all enumerations that `wire_enum!` declares.
pub trait Enumeration: Copy + 'static {
    /// All variants, in order.
    const ALL: &'static [Self];

    /// The text on the wire and in the database.
    fn as_str(self) -> &'static str;

    /// The variants of a list, in order, each once.
    fn set(list: &[Self]) -> Vec<Self>
    where
        Self: PartialEq,
    {
        Self::ALL.iter().copied().filter(|variant| list.contains(variant)).collect()
    }
}

/// An enumeration with one fixed text for each variant, on the wire and in the database.
macro_rules! wire_enum {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $variant_doc])+ $variant,)+ }

        impl $crate::kernel::values::enumerations::Enumeration for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                self.as_str()
            }
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its text on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Finds the variant with that text.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|variant| variant.as_str() == text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl $crate::kernel::decode::Scalar for $name {
            fn from_value(value: serde_json::Value) -> Result<Self, $crate::kernel::decode::Fault> {
                let text = $crate::kernel::values::string(value)?;
                Self::parse(&text).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|variant| variant.as_str()).collect();
                    $crate::kernel::decode::Fault::new(
                        $crate::kernel::decode::FaultCode::NotAllowed,
                        format!("Expected one of: {}.", all.join(", ")),
                    )
                })
            }
        }

        impl $crate::kernel::sql::rows::FromCell for $name {
            fn from_cell(cell: $crate::kernel::sql::rows::Cell) -> Result<Self, $crate::kernel::sql::rows::DecodeError> {
                let text = String::from_cell(cell)?;
                Self::parse(&text).ok_or_else(|| $crate::kernel::sql::rows::DecodeError(format!("unknown {}: {text}", stringify!($name))))
            }
        }

        impl From<$name> for serde_json::Value {
            fn from(value: $name) -> Self {
                value.as_str().into()
            }
        }

        impl From<$name> for $crate::kernel::sql::Value {
            fn from(value: $name) -> Self {
                Self::Text(Some(value.as_str().to_owned()))
            }
        }

        impl From<Option<$name>> for $crate::kernel::sql::Value {
            fn from(value: Option<$name>) -> Self {
                Self::Text(value.map(|value| value.as_str().to_owned()))
            }
        }

        #[cfg(feature = "openapi")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let variants = [$(($text, concat!($($variant_doc),+))),+];
                $crate::kernel::schema::enumeration(concat!($($doc),+), &variants)
            }
        }
    };
}

pub(crate) use wire_enum;

wire_enum! {
    /// The role of a member in a tenant. Each role includes the rights of the ones before it.
    Role {
        /// Can read.
        Viewer = "viewer",
        /// Can work on projects.
        Member = "member",
        /// Can approve projects and manage.
        Manager = "manager",
        /// Has full control of the tenant.
        Owner = "owner",
    }
}

impl Role {
    /// Its place in the order, as the membership check compares it: 1 for a viewer to 4 for an owner.
    pub const fn rank(self) -> i64 {
        match self {
            Self::Viewer => 1,
            Self::Member => 2,
            Self::Manager => 3,
            Self::Owner => 4,
        }
    }
}

/// The rank of the role in a column, for SQL, with arms for the roles that the column can have: another one could not be
/// tested.
macro_rules! rank {
    // Without a membership there is no role, and it has no rank.
    (of_membership $column:literal) => {
        $crate::kernel::values::enumerations::rank!(@ $column, " WHEN 'owner' THEN 4", " WHEN 'viewer' THEN 1 ELSE 0")
    };
    (of_api_key $column:literal) => {
        $crate::kernel::values::enumerations::rank!(@ $column, " WHEN 'owner' THEN 4", " ELSE 1")
    };
    (of_invitation $column:literal) => {
        $crate::kernel::values::enumerations::rank!(@ $column, "", " ELSE 1")
    };
    (@ $column:literal, $owner:literal, $viewer:literal) => {
        concat!("CASE ", $column, $owner, " WHEN 'manager' THEN 3 WHEN 'member' THEN 2", $viewer, " END")
    };
}
pub(crate) use rank;

wire_enum! {
    /// The status of a membership.
    MembershipStatus {
        /// The member has the rights of their role.
        Active = "active",
        /// The member has no rights until an owner reinstates them.
        Suspended = "suspended",
    }
}

wire_enum! {
    /// The assignee of a task, relative to the caller.
    Assignee {
        /// The caller; for an API key, the member who created it.
        Me = "me",
        /// Nobody.
        Nobody = "none",
    }
}

/// Whose tasks a list contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssigneeFilter {
    /// Those of this user.
    User(UserId),
    /// Tasks of the caller, or of nobody.
    Named(Assignee),
}

impl crate::kernel::decode::Scalar for AssigneeFilter {
    fn from_value(value: serde_json::Value) -> Result<Self, crate::kernel::decode::Fault> {
        let text = crate::kernel::values::string(value)?;
        let named = Assignee::parse(&text).map(Self::Named);
        named.or_else(|| UserId::parse(&text).map(Self::User)).ok_or_else(|| {
            let detail = "Expected the id of a user, `me` or `none`.";
            crate::kernel::decode::Fault::new(crate::kernel::decode::FaultCode::Format, detail)
        })
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for AssigneeFilter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AssigneeFilter".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(me|none|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
            "description": "The id of a user; `me`: the user who asks, for an API key the member who made it; or `none`: tasks \
                without an assignee.",
        })
    }
}

wire_enum! {
    /// The status of a project in the approval workflow.
    ProjectStatus {
        /// Being written.
        Draft = "draft",
        /// Waiting for approval.
        Submitted = "submitted",
        /// Approved, but not started.
        Approved = "approved",
        /// Sent back.
        Rejected = "rejected",
        /// Being worked on.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
        /// Out of sight and read-only, permanently.
        Archived = "archived",
    }
}

wire_enum! {
    /// Whether people outside the tenant can see a project.
    Visibility {
        /// Only members of the tenant.
        Private = "private",
        /// Anyone, through the tenant's public catalogue.
        Public = "public",
    }
}

wire_enum! {
    /// The status of a task. Anybody who may change the task may set any status.
    TaskStatus {
        /// Not started.
        Todo = "todo",
        /// Being worked on.
        InProgress = "in_progress",
        /// Waiting for something else.
        Blocked = "blocked",
        /// Done. A project whose tasks are not all done cannot be completed.
        Done = "done",
    }
}

wire_enum! {
    /// The priority of a task.
    Priority {
        /// To be done when there is time.
        Low = "low",
        /// To be done in the usual order.
        Normal = "normal",
        /// To be done before others.
        High = "high",
        /// To be done now.
        Urgent = "urgent",
    }
}

impl Priority {
    /// Its place in the order, as lists go by it: 1 for low to 4 for urgent.
    pub const fn rank(self) -> i64 {
        match self {
            Self::Low => 1,
            Self::Normal => 2,
            Self::High => 3,
            Self::Urgent => 4,
        }
    }
}

wire_enum! {
    /// The order of a list of tasks. A `-` in front reverses it; among equals the newest always comes first.
    TaskOrder {
        /// Newest first.
        CreatedAt = "created_at",
        /// Oldest first.
        Oldest = "-created_at",
        /// The task due soonest first; tasks without a due date last.
        DueOn = "due_on",
        /// The task due latest first; tasks without a due date last.
        Latest = "-due_on",
        /// Most urgent first.
        Priority = "priority",
        /// Least urgent first.
        LeastUrgent = "-priority",
    }
}

wire_enum! {
    /// A resource that can be included with a task: the one whose id is in the field of this name, with or without `_id`.
    TaskInclude {
        /// The assignee, by name.
        Assignee = "assignee",
        /// The user who created the task, by name.
        CreatedBy = "created_by",
        /// The project of the task, with its name and status.
        Project = "project",
    }
}

wire_enum! {
    /// A resource that can be included with a comment: the person whose id is in `author_id`.
    CommentInclude {
        /// The user who wrote the comment, by name.
        Author = "author",
    }
}

wire_enum! {
    /// The order of a list of projects. A `-` in front reverses it; among equals the newest always comes first.
    ProjectOrder {
        /// Newest first.
        CreatedAt = "created_at",
        /// Oldest first.
        Oldest = "-created_at",
        /// The project changed last first.
        UpdatedAt = "updated_at",
        /// The project unchanged for the longest time first.
        Stalest = "-updated_at",
        /// By the words of the name (their first 64 characters), without regard to case, accents and punctuation.
        Name = "name",
        /// The same, reversed.
        NameReversed = "-name",
    }
}

wire_enum! {
    /// The kind of a notification.
    NotificationKind {
        /// A project waits for approval. Sent to the managers and owners who can approve it.
        Submitted = "submitted",
        /// A project was approved, or its contents were changed after that. This and the next three are sent to the users who created
        /// and submitted the project.
        Approved = "approved",
        /// A project was sent back.
        Rejected = "rejected",
        /// Work on a project began.
        Started = "started",
        /// A project is done.
        Completed = "completed",
        /// A task was assigned to a member. Sent to them.
        TaskAssigned = "task_assigned",
        /// A member was mentioned in a comment. Sent to them.
        Mentioned = "mentioned",
        /// A person is invited. Sent to the invited address, always by email.
        Invitation = "invitation",
        /// A member's role or status was changed. Sent to them.
        RoleChanged = "role_changed",
    }
}

impl NotificationKind {
    /// Whether it concerns one person, and not the common work.
    pub(crate) const fn is_personal(self) -> bool {
        matches!(self, Self::TaskAssigned | Self::Mentioned | Self::Invitation | Self::RoleChanged)
    }
}

wire_enum! {
    /// A way to send notifications.
    Channel {
        /// The list of notifications in the product itself.
        InApp = "in_app",
        /// An email to each recipient.
        Email = "email",
        /// A message to the tenant's Slack channel, for all recipients together.
        Slack = "slack",
    }
}

wire_enum! {
    /// The state of a delivery.
    DeliveryState {
        /// The delivery waits for its next attempt.
        Pending = "pending",
        /// The receiving service has accepted the delivery.
        Sent = "sent",
        /// The delivery was given up; `last_error` says why. An owner can retry it.
        Dead = "dead",
    }
}

wire_enum! {
    /// The role of an invited person. Only existing members can become owners.
    InvitedRole {
        /// Can read.
        Viewer = "viewer",
        /// Can work on projects.
        Member = "member",
        /// Can approve projects and manage.
        Manager = "manager",
    }
}

impl InvitedRole {
    /// The lowest role that may invite with this role: the next one up.
    pub const fn inviter(self) -> Role {
        match self {
            Self::Viewer => Role::Member,
            Self::Member => Role::Manager,
            Self::Manager => Role::Owner,
        }
    }
}

wire_enum! {
    /// The status of an invitation.
    InvitationStatus {
        /// The invitation can be accepted.
        Open = "open",
        /// The invitation was accepted.
        Accepted = "accepted",
        /// The invitation was revoked.
        Revoked = "revoked",
        /// The invitation expired before anybody accepted it.
        Expired = "expired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_the_same_rank_in_sql() {
        let whole = rank!(of_membership "m.role");
        for role in Role::ALL {
            let arm = format!(" WHEN '{}' THEN {}", role.as_str(), role.rank());
            assert!(whole.contains(&arm), "{arm}");
            for shorter in [rank!(of_api_key "m.role"), rank!(of_invitation "m.role")] {
                let known = shorter.contains(&format!("'{}'", role.as_str()));
                assert!(!known || shorter.contains(&arm), "{arm}");
            }
        }
    }
}
