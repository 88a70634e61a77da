//! The files of `site/` as the Worker's static assets (`[assets]` in wrangler.toml), which do not weigh on its module.

use bailiwick_core::ports::{AssetFailure, Assets};
use bytes::Bytes;
use worker::{
    Env,
    send::SendFuture,
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
    worker_sys::{Fetcher, web_sys::Response},
};

use crate::outbound::whole;

/// The binding `ASSETS`. (The platform's own and not `worker`'s: what that wraps it in takes 8 kB.)
pub(crate) struct Bound(Fetcher);

impl Bound {
    /// # Errors
    /// A sentence if the binding is missing.
    pub(crate) fn new(env: &Env) -> Result<Self, String> {
        let bound = env.assets("ASSETS").map(|fetcher| Self(fetcher.into_rpc()));
        bound.map_err(|error| format!("The binding ASSETS is missing: {error}."))
    }
}

impl Assets for Bound {
    async fn read(&self, name: &'static str) -> Result<Bytes, AssetFailure> {
        // The host is any: the binding looks at the path alone.
        let url = format!("https://assets/{name}");
        let read = SendFuture::new(async { read(&self.0, &url).await.map_err(|error| format!("{error:?}")) });
        read.await.map_err(AssetFailure)
    }
}

async fn read(assets: &Fetcher, url: &str) -> Result<Bytes, JsValue> {
    let response: Response = JsFuture::from(assets.fetch_with_str(url)?).await?.unchecked_into();
    let body = response.body().filter(|_| response.status() == 200);
    let bytes = match &body {
        Some(body) => whole(body, usize::MAX).await,
        None => None,
    };
    bytes.map(Bytes::from).ok_or_else(|| format!("status {}, or it broke off", response.status()).into())
}
