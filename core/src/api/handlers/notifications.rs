//! The notifications of a member, and their preferences.

use crate::{
    access::scopes::tenant::TenantScope,
    api::{
        endpoint::{Body, Query},
        reply::{Json, List, NoContent, Versioned},
    },
    http::{conditional::Part, page::Page, problem::Result},
    kernel::values::NotificationId,
    repository::notifications::{
        MarkRead, Notification, NotificationQuery, Notifications, Preferences, PreferencesPatch, UnreadCount,
    },
};

pub(crate) async fn list(
    scope: TenantScope,
    Query(query): Query<NotificationQuery>,
) -> Result<List<Page<Notification>>> {
    scope.notifications().list(query).await.map(List)
}

pub(crate) async fn count_unread(scope: TenantScope) -> Result<Json<UnreadCount>> {
    scope.notifications().count_unread().await.map(Json)
}

pub(crate) async fn mark_read(scope: TenantScope, id: NotificationId) -> Result<Json<Notification>> {
    scope.notifications().mark_read(id).await.map(Json)
}

pub(crate) async fn mark_all_read(scope: TenantScope, which: Option<Body<MarkRead>>) -> Result<NoContent> {
    let which = which.and_then(|Body(which)| which.ids.0);
    scope.notifications().mark_all_read(which).await.map(|()| NoContent)
}

pub(crate) async fn preferences(scope: TenantScope) -> Result<Versioned<Part<Preferences>>> {
    scope.notifications().preferences().await.map(Versioned)
}

pub(crate) async fn set_preferences(
    scope: TenantScope,
    Body(patch): Body<PreferencesPatch>,
) -> Result<Versioned<Part<Preferences>>> {
    scope.notifications().set_preferences(patch).await.map(Versioned)
}
