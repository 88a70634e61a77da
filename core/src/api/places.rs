//! Where the resources can be read that are created or moved: what `Location` and `Content-Location` name.

use crate::{
    http::conditional::Resource,
    repository::{
        api_keys::{ApiKey, MadeApiKey},
        comments::Comment,
        identities::Identity,
        invitations::{Invitation, MadeInvitation},
        projects::Project,
        tasks::task::Task,
        tenants::Tenant,
        users::User,
    },
};

/// A resource that is created or moved, and can be read at a place of its own.
pub(crate) trait Placed: Resource {
    /// The path of the place.
    fn location(&self) -> String;
}

macro_rules! places {
    ($($type:ident: |$resource:pat_param| $location:expr;)+) => {
        $(impl Placed for $type {
            fn location(&self) -> String {
                let $resource = self;
                $location
            }
        })+
    };
}

places! {
    ApiKey: |key| format!("/v1/api-keys/{}", key.id);
    Comment: |comment| format!("/v1/tasks/{}/comments/{}", comment.task_id, comment.id);
    Identity: |_| "/v1/me/identities".to_owned();
    Invitation: |invitation| format!("/v1/invitations/{}", invitation.id);
    MadeApiKey: |made| made.api_key.location();
    MadeInvitation: |made| made.invitation.location();
    Project: |project| format!("/v1/projects/{}", project.id);
    Task: |task| format!("/v1/tasks/{}", task.id);
    Tenant: |_| "/v1/tenant".to_owned();
    User: |_| "/v1/me".to_owned();
}
