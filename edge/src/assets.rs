//! The files of `site/` as the Worker's static assets (`[assets]` in wrangler.toml), which do not weigh on its module.

use bailiwick_core::ports::{AssetFailure, Assets};
use bytes::Bytes;
use worker::{
    Env,
    send::SendFuture,
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
    worker_sys::{
        Fetcher,
        web_sys::{ReadableStream, Response},
    },
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

impl Bound {
    /// A file that does not pass through here: the platform sends it.
    ///
    /// # Errors
    /// It is not to be had: why, for the log.
    pub(crate) async fn stream(&self, name: &str) -> Result<ReadableStream, String> {
        open(&self.0, &url_of(name)).await.map_err(|error| format!("{error:?}"))
    }
}

/// The host is any: the binding looks at the path alone.
fn url_of(name: &str) -> String {
    format!("https://assets/{name}")
}

impl Assets for Bound {
    async fn read(&self, name: &'static str) -> Result<Bytes, AssetFailure> {
        let url = url_of(name);
        let read = SendFuture::new(async { read(&self.0, &url).await.map_err(|error| format!("{error:?}")) });
        read.await.map_err(AssetFailure)
    }
}

async fn read(assets: &Fetcher, url: &str) -> Result<Bytes, JsValue> {
    let bytes = whole(&open(assets, url).await?, usize::MAX).await;
    bytes.map(Bytes::from).ok_or_else(|| "it broke off".into())
}

async fn open(assets: &Fetcher, url: &str) -> Result<ReadableStream, JsValue> {
    let response: Response = JsFuture::from(assets.fetch_with_str(url)?).await?.unchecked_into();
    let body = response.body().filter(|_| response.status() == 200);
    body.ok_or_else(|| format!("status {}", response.status()).into())
}
