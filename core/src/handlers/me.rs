//! One's own account.

use crate::{
    dispatch::Account,
    endpoint::{Body, Json},
    problem::Result,
    repository::users::{Profile, ProfilePatch, User},
};

pub(crate) async fn get(account: Account) -> Result<Json<User>> {
    Profile::get(&account).await.map(Json)
}

pub(crate) async fn update(account: Account, Body(patch): Body<ProfilePatch>) -> Result<Json<User>> {
    account.update(patch).await.map(Json)
}
