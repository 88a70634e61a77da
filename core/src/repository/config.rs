//! The tenant's configuration, read and changed by its owners.

use std::future::Future;

use serde_json::{Value as Json, json};

use crate::{
    access::batch::Slot,
    domain::tenant_config::{TenantConfig, TenantConfigPatch},
    http::{
        conditional::{Part, Version},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Fault, FaultCode},
        sql::{rows::record, statements},
        values::enumerations::Channel,
    },
    repository::{Repository, activity::Event, repeat, tenants},
};

statements! { "config";
    tenant CURRENT = "SELECT config, version FROM tenants WHERE id = ?1";

    tenant UPDATE = "UPDATE tenants SET config = ?2, updated_at = ?3, version = version + 1 \
         WHERE id = ?1 AND version = ?4";
}

record! {
    struct Stored {
        config: Json,
        version: i64,
    }
}

/// The tenant's configuration.
pub trait Configuration {
    /// The whole configuration, secrets masked.
    fn get(&self) -> impl Future<Output = Result<Part<TenantConfig>>> + Send;

    /// Merges a patch into it.
    fn update(&self, patch: TenantConfigPatch) -> impl Future<Output = Result<Part<TenantConfig>>> + Send;
}

impl Configuration for Repository<'_> {
    async fn get(&self) -> Result<Part<TenantConfig>> {
        let mut batch = self.scope.batch();
        let stored = batch.add::<Stored, _>(&CURRENT, []);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let Stored { config, version } = outcome.one(stored)?;
        Ok(self.of_tenant(TenantConfig::read(config), version))
    }

    async fn update(&self, patch: TenantConfigPatch) -> Result<Part<TenantConfig>> {
        let services = self.scope.services();
        for channel in Channel::ALL {
            if let (Some(member), Some(url)) = (channel.webhook(), patch.webhook(*channel))
                && let Err(refusal) =
                    services.config.outbound_allow.permit(url.expose(), Some(channel.hosts()))
            {
                let detail = format!("This URL is not taken: {refusal}.");
                let fault = Fault::new(FaultCode::NotAllowed, detail).within(member);
                return Err(Problem::faults(Code::ValidationFailed, vec![fault]));
            }
        }
        repeat(|| self.merge(patch.clone())).await
    }
}

impl Repository<'_> {
    /// A configuration has the version of its tenant.
    fn of_tenant(self, config: TenantConfig, version: i64) -> Part<TenantConfig> {
        Part::new(config, Version { id: self.scope.tenant().0, number: version })
    }

    async fn merge(self, patch: TenantConfigPatch) -> Result<Part<TenantConfig>> {
        let mut batch = self.scope.batch();
        let stored = batch.add::<Stored, _>(&CURRENT, []);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let Stored { config, version } = outcome.one(stored)?;
        let before = self.scope.matched(self.of_tenant(TenantConfig::read(config), version))?;
        let mut config = before.value.clone();
        config.merge(patch);
        if config == before.value {
            return Ok(before);
        }
        if config.lacks_webhook() {
            let detail = "A kind of notification goes by Slack, which needs a webhook.";
            let fault = Fault::new(FaultCode::Required, detail).within("slack_webhook_url");
            return Err(Problem::faults(Code::ValidationFailed, vec![fault]));
        }
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &tenants::UNCHANGED, self.scope.tenant().0);
        let _: Slot<()> = batch.require(
            &UPDATE,
            [config.store().into(), self.scope.services().now().into(), version.into()],
            Problem::new(Code::Conflict),
        );
        // Serialised, the configuration masks its secrets.
        let event = Event::new("tenant.configured", "tenant", self.scope.tenant().0, json!(config));
        self.record(&mut batch, event)?;
        self.scope.commit(batch, None).await?;
        Ok(self.of_tenant(config, version + 1))
    }
}
