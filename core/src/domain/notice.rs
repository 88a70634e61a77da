//! Notices: the texts of notifications about events.
//!
//! In the product's list of notifications a notice is a row of the batch that makes the change. On the other channels
//! it is a row of the [outbox](crate::delivery::outbox), written in that batch too and sent after it by a
//! [provider](crate::delivery::providers).

use uuid::Uuid;

use crate::kernel::{
    limits,
    values::{
        InvitationId, ProjectId, TaskId, UserId,
        enumerations::{InvitedRole, NotificationKind, ProjectStatus, Role},
    },
};

/// The notice of an event.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) kind: NotificationKind,
    /// One line.
    pub(crate) title: String,
    /// The rest of the message, if there is one: of long texts only the beginning. The whole text is at its source.
    pub(crate) body: String,
    /// The type and id of what it is about.
    pub(crate) subject: (&'static str, Uuid),
}

impl Notice {
    /// A project was moved; `None` for transitions without notifications.
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
            body: excerpt(comment.unwrap_or_default()),
            subject: ("project", id.0),
        })
    }

    /// The contents of a project were changed after its approval. The recipients and channels are those of an approval.
    pub(crate) fn changed(actor: &str, id: ProjectId, name: &str) -> Self {
        Self {
            kind: NotificationKind::Approved,
            title: format!("{actor} changed \u{201c}{name}\u{201d}, which was approved"),
            body: String::new(),
            subject: ("project", id.0),
        }
    }

    /// A member's role was changed, or the member was reinstated.
    pub(crate) fn role_changed(actor: &str, user: UserId, role: Role, reinstated: bool) -> Self {
        let verb = if reinstated { "reinstated you as" } else { "changed your role to" };
        let title = format!("{actor} {verb} {}", role.as_str());
        let kind = NotificationKind::RoleChanged;
        Self { kind, title, body: String::new(), subject: ("member", user.0) }
    }

    /// A person is invited. The token is added when it is sent. The recipient is a stranger, whom the inviter may want
    /// to deceive: names that the inviter has chosen are reduced to what is [plain].
    pub(crate) fn invited(actor: &str, id: InvitationId, tenant: &str, role: InvitedRole) -> Self {
        let (actor, tenant) = (plain(actor), plain(tenant));
        Self {
            kind: NotificationKind::Invitation,
            title: format!("You are invited to \u{201c}{tenant}\u{201d}"),
            body: format!("{actor} invites you to \u{201c}{tenant}\u{201d}, as {}.", role.as_str()),
            subject: ("invitation", id.0),
        }
    }

    /// A task was assigned to a member.
    pub(crate) fn assigned(actor: &str, id: TaskId, title: &str, description: &str) -> Self {
        Self {
            kind: NotificationKind::TaskAssigned,
            title: format!("{actor} assigned you \u{201c}{title}\u{201d}"),
            body: excerpt(description),
            subject: ("task", id.0),
        }
    }

    /// A member was mentioned in a comment.
    pub(crate) fn mentioned(actor: &str, task: TaskId, title: &str, body: &str) -> Self {
        Self {
            kind: NotificationKind::Mentioned,
            title: format!("{actor} mentioned you on \u{201c}{title}\u{201d}"),
            body: excerpt(body),
            subject: ("task", task.0),
        }
    }
}

/// A name as a stranger may be shown it: one line of at most [`limits::INVITATION_NAME`] characters, which no mail
/// reader turns into a link or an address, and without changes of the direction of writing. Parts of links become
/// spaces: `/ \\ : @ < >`, and full stops before a letter or digit.
pub(crate) fn plain(name: &str) -> String {
    let mut plain = String::new();
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let linked = characters.peek().is_some_and(|next| next.is_alphanumeric());
        plain.push(match character {
            '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' if linked => ' ',
            '/' | '\\' | ':' | '@' | '<' | '>' | '\u{ff0f}' | '\u{ff1a}' | '\u{ff20}' => ' ',
            other if other.is_control() || turns(other) => ' ',
            other => other,
        });
    }
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if plain.chars().count() <= limits::INVITATION_NAME {
        return plain;
    }
    plain.chars().take(limits::INVITATION_NAME - 1).chain(['\u{2026}']).collect()
}

/// Whether it changes the direction of writing, or ends a line.
fn turns(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The beginning of a text: all of it if it is short, or else as many whole words as there is room for, and an
/// ellipsis. A word that would leave little room to others is cut.
fn excerpt(text: &str) -> String {
    if text.char_indices().nth(limits::EXCERPT).is_none() {
        return text.to_owned();
    }
    let room = text.char_indices().nth(limits::EXCERPT - 1).map_or(text.len(), |(end, _)| end);
    let (begins, goes_on) = text.split_at(room);
    let words = begins.rfind(char::is_whitespace).filter(|_| !goes_on.starts_with(char::is_whitespace));
    let end = words.filter(|end| *end >= room / 2).unwrap_or(room);
    format!("{}\u{2026}", begins[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_shown_no_link() {
        for (name, shown) in [
            ("A tenant", "A tenant"),
            ("Acme Inc., Ltd.", "Acme Inc., Ltd."),
            (
                "M\u{fc}ller & S\u{f6}hne (\u{6771}\u{4eac}) \u{1F469}\u{200D}\u{1F4BB}",
                "M\u{fc}ller & S\u{f6}hne (\u{6771}\u{4eac}) \u{1F469}\u{200D}\u{1F4BB}",
            ),
            ("Win! https://evil.example/now", "Win! https evil example now"),
            ("www.evil.example", "www evil example"),
            ("evil\u{3002}example \u{ff0f} x@evil.example", "evil example x evil example"),
            ("a\r\nBcc: b\u{202e}c", "a Bcc b c"),
            ("...", "..."),
        ] {
            assert_eq!(plain(name), shown);
        }
        assert_eq!(plain(&"\u{fc}".repeat(40)).chars().count(), 40);
        let long = plain(&"\u{fc}".repeat(100));
        assert!(long.chars().count() == 40 && long.ends_with("\u{fc}\u{2026}"), "{long}");
    }

    #[test]
    fn an_excerpt_is_short_and_ends_with_a_word() {
        let most = limits::EXCERPT;
        for short in ["", "Short.", &"é".repeat(most)] {
            assert_eq!(excerpt(short), short);
        }
        let words = excerpt(&"twelve chars ".repeat(100));
        assert!(words.ends_with(" twelve\u{2026}") || words.ends_with(" chars\u{2026}"), "{words}");
        assert!(words.chars().count() <= most && words.chars().count() > most - 10, "{words}");
        for long in ["é".repeat(most + 1), format!("one {}", "word".repeat(1_000))] {
            let cut = excerpt(&long);
            assert_eq!(cut.chars().count(), most);
            assert!(long.starts_with(cut.trim_end_matches('\u{2026}')), "{cut}");
        }
        // A word that just fits stays.
        let fits = format!("{} {}", "a".repeat(most - 1), "more ".repeat(9));
        assert_eq!(excerpt(&fits), format!("{}\u{2026}", "a".repeat(most - 1)));
    }
}
