//! Telling people what happened: what is said, and by which ways it goes out.
//!
//! What goes to the list of notifications in the product is a row of the batch that makes the change. What goes to the
//! outside is a row of the [outbox], written in that batch too and sent after it by a [provider](providers).

pub(crate) mod outbox;
mod providers;

use uuid::Uuid;

pub(crate) use self::providers::SLACK_HOSTS;

use crate::values::{
    InvitationId, InvitedRole, NotificationKind, ProjectId, ProjectStatus, Role, TaskId, UserId,
};

/// What people are told of.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) kind: NotificationKind,
    /// One line.
    pub(crate) title: String,
    /// More, if there is more to say.
    pub(crate) body: String,
    /// The type and id of what it is about.
    pub(crate) subject: (&'static str, Uuid),
}

impl Notice {
    /// That a project was moved; `None` for the moves that nobody is told of.
    pub(crate) fn moved(
        actor: &str,
        id: ProjectId,
        name: &str,
        (from, to): (ProjectStatus, ProjectStatus),
        comment: Option<&str>,
    ) -> Option<Self> {
        let (kind, verb) = match to {
            ProjectStatus::Submitted => (NotificationKind::Submitted, "submitted"),
            ProjectStatus::Approved => (NotificationKind::Approved, "approved"),
            ProjectStatus::Rejected => (NotificationKind::Rejected, "rejected"),
            ProjectStatus::InProgress if from == ProjectStatus::Completed => {
                (NotificationKind::Started, "reopened")
            }
            ProjectStatus::InProgress => (NotificationKind::Started, "started"),
            ProjectStatus::Completed => (NotificationKind::Completed, "completed"),
            ProjectStatus::Draft | ProjectStatus::Archived => return None,
        };
        Some(Self {
            kind,
            title: format!("{actor} {verb} \u{201c}{name}\u{201d}"),
            body: comment.unwrap_or_default().to_owned(),
            subject: ("project", id.0),
        })
    }

    /// That somebody's role was changed, or that they are in again.
    pub(crate) fn role_changed(actor: &str, user: UserId, role: Role, reinstated: bool) -> Self {
        let verb = if reinstated { "reinstated you as" } else { "changed your role to" };
        let title = format!("{actor} {verb} {}", role.as_str());
        let kind = NotificationKind::RoleChanged;
        Self { kind, title, body: String::new(), subject: ("member", user.0) }
    }

    /// That somebody is invited. The token is added when it is sent.
    pub(crate) fn invited(actor: &str, id: InvitationId, tenant: &str, role: InvitedRole) -> Self {
        let title = format!("{actor} invites you to {tenant}");
        Self {
            kind: NotificationKind::Invitation,
            body: format!("{title}, as {}.", role.as_str()),
            title,
            subject: ("invitation", id.0),
        }
    }

    /// That a task was given to somebody.
    pub(crate) fn assigned(actor: &str, id: TaskId, title: &str, description: &str) -> Self {
        Self {
            kind: NotificationKind::TaskAssigned,
            title: format!("{actor} assigned you \u{201c}{title}\u{201d}"),
            body: description.to_owned(),
            subject: ("task", id.0),
        }
    }

    /// That somebody was mentioned in a comment.
    pub(crate) fn mentioned(actor: &str, task: TaskId, title: &str, body: &str) -> Self {
        Self {
            kind: NotificationKind::Mentioned,
            title: format!("{actor} mentioned you on \u{201c}{title}\u{201d}"),
            body: body.to_owned(),
            subject: ("task", task.0),
        }
    }
}
