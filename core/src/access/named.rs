//! The first tier of tenant resolution: which tenant a request's headers name, whether or not that tenant exists.

use http::{HeaderMap, HeaderName};

use crate::{
    http::problem::{Code, Problem, Result},
    kernel::values::{self, Slug, TenantId},
};

pub(crate) const TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
pub(crate) const TENANT_SLUG: HeaderName = HeaderName::from_static("x-tenant-slug");

/// The tenant that the headers name.
#[derive(Clone, Default)]
pub(crate) struct NamedTenant {
    pub(crate) id: Option<TenantId>,
    pub(crate) slug: Option<NamedSlug>,
    /// Whether there is no tenant header, so that `default` is meant.
    pub(crate) silent: bool,
}

/// The slug that the headers name.
#[derive(Clone)]
pub(crate) struct NamedSlug {
    pub(crate) slug: Slug,
    /// Whether the request named the tenant by its id as well.
    pub(crate) beside_id: bool,
}

impl NamedTenant {
    /// Reads the headers. Without either, the tenant is `default`.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self> {
        let id = single(headers, &TENANT_ID, TenantId::parse)?;
        let given = single(headers, &TENANT_SLUG, |text| Slug::parse(text).ok())?;
        let silent = id.is_none() && given.is_none();
        let slug = if silent { Slug::parse(values::DEFAULT_SLUG).ok() } else { given };
        Ok(Self { id, slug: slug.map(|slug| NamedSlug { slug, beside_id: id.is_some() }), silent })
    }

    /// The same for an API key, which names its tenant itself; headers may only repeat that.
    pub(crate) fn by_key(self, tenant: TenantId) -> Result<Self> {
        if self.id.is_some_and(|id| id != tenant) {
            return Err(Problem::new(Code::NotAMember));
        }
        let slug = if self.silent { None } else { self.slug };
        Ok(Self { id: Some(tenant), slug, silent: false })
    }

    /// The slug; `default` where there is none.
    pub(crate) fn slug(&self) -> &str {
        self.slug.as_ref().map_or(values::DEFAULT_SLUG, |named| named.slug.as_str())
    }
}

fn single<T>(headers: &HeaderMap, name: &HeaderName, parse: fn(&str) -> Option<T>) -> Result<Option<T>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(parse).filter(|_| values.next().is_none());
    parsed.map(Some).ok_or_else(|| {
        Problem::with(Code::InvalidTenantHeader, format!("{name} is malformed or was sent more than once."))
    })
}
