//! The recipients of a notice, and its channels.

use serde_json::Value as Json;

use crate::{
    access::batch::{Batch, Outcome, Slot},
    domain::tenant_config::TenantConfig,
    http::problem::Result,
    kernel::{
        limits,
        sql::rows::record,
        values::{Email, Name, ProjectId, UserId, enumerations::NotificationKind},
    },
    repository::{
        members,
        mentions::Mention,
        notifications::{
            APPROVERS, OF_ADDRESS, OF_ANY_MEMBER, OF_MEMBER, OF_MEMBERS, OF_PROJECT, muted_kinds,
        },
        quotas::Room,
        tenants,
    },
};

record! {
    /// A possible recipient.
    pub(super) struct Recipient {
        pub(super) user_id: UserId,
        pub(super) email: Email,
        pub(super) name: Name,
        muted: Json,
    }
}

impl Recipient {
    pub(super) fn wants(&self, kind: NotificationKind) -> bool {
        !muted_kinds(self.muted.clone()).contains(&kind)
    }
}

/// The audience of a notice, without the acting user.
pub(super) enum Audience<'a> {
    /// The members who could approve a project.
    Approvers,
    /// The users who created and submitted a project.
    OfProject(ProjectId),
    /// One active member.
    Member(UserId),
    /// Several active members.
    Members(&'a [UserId]),
    /// One member, who will be active by then.
    Reinstated(UserId),
    /// The members that a text mentions.
    Mentioned(&'a [Mention]),
}

/// The queries for the recipients and the channels.
pub(super) struct AudienceQuery {
    recipients: Vec<Slot<Recipient>>,
    config: Slot<Json>,
    room: Slot<Room>,
}

impl AudienceQuery {
    /// Adds the queries to a batch that reads.
    pub(super) fn ask(batch: &mut Batch<'_>, actor: UserId, audience: &Audience<'_>) -> Self {
        let actor = || actor.into();
        let recipients = match audience {
            Audience::Approvers => vec![batch.add(&APPROVERS, [actor(), limits::RECIPIENTS.into()])],
            Audience::OfProject(id) => vec![batch.add(&OF_PROJECT, [actor(), (*id).into()])],
            Audience::Member(id) => vec![batch.add(&OF_MEMBER, [actor(), (*id).into()])],
            Audience::Members(ids) => {
                vec![batch.add(&OF_MEMBERS, [actor(), members::as_items(ids).into()])]
            }
            Audience::Reinstated(id) => vec![batch.add(&OF_ANY_MEMBER, [actor(), (*id).into()])],
            Audience::Mentioned(mentions) => mentions
                .iter()
                .map(|mention| match mention {
                    Mention::Id(id) => batch.add(&OF_MEMBER, [actor(), (*id).into()]),
                    Mention::Address(text) => {
                        batch.add(&OF_ADDRESS, [actor(), text.as_str().into(), limits::NAMESAKES.into()])
                    }
                })
                .collect(),
        };
        Self { recipients, config: batch.add(&tenants::CONFIG, []), room: Room::ask(batch) }
    }

    /// Takes the rows.
    pub(super) fn take(self, outcome: &mut Outcome) -> Result<Recipients> {
        self.take_where(outcome, |_| true)
    }

    /// Takes the rows, of mentions only those whose place is wanted.
    pub(super) fn take_where(
        self,
        outcome: &mut Outcome,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Recipients> {
        let mut people: Vec<Recipient> = Vec::new();
        for (_, slot) in self.recipients.into_iter().enumerate().filter(|(place, _)| wanted(*place)) {
            for recipient in outcome.all(slot)? {
                if !people.iter().any(|known| known.user_id == recipient.user_id) {
                    people.push(recipient);
                }
            }
        }
        let (config, room) = (outcome.one(self.config)?, outcome.one(self.room)?);
        Ok(Recipients { people, config: TenantConfig::read(config), room })
    }
}

/// The recipients of a notice, and its channels.
pub(super) struct Recipients {
    pub(super) people: Vec<Recipient>,
    pub(super) config: TenantConfig,
    pub(super) room: Room,
}

impl Recipients {
    /// One of the recipients, or none.
    pub(super) fn only(&self, user: UserId) -> &[Recipient] {
        let found = self.people.iter().find(|recipient| recipient.user_id == user);
        found.map_or(&[], std::slice::from_ref)
    }
}
