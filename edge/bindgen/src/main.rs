//! Makes the JavaScript around the compiled Worker, as wasm-bindgen's command line and worker-build do, from the library
//! behind both: it compiles in half a minute, and together with what the rest of the workspace needs anyway.
//!
//! `bailiwick-edge-bindgen WASM DIRECTORY` writes `index.js` and `index_bg.wasm`. `bailiwick-edge-bindgen asset NAME FILE` writes
//! what a package carries for the page /docs, unless it is there.

use std::{env, fs};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, name, file] = &arguments[..]
        && first == "asset"
    {
        let asset = scalar_api_reference::get_asset(name).context("the package has no such file")?;
        if fs::read(file).is_ok_and(|written| written == asset) {
            return Ok(());
        }
        return fs::write(file, asset).with_context(|| file.clone());
    }
    let [wasm, directory] = &arguments[..] else {
        bail!("expected the compiled module and the directory to write into");
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(wasm)
        .out_name("index")
        .typescript(false)
        // For runtimes that compile modules ahead, as workerd does.
        .module(true)?
        // After a panic the module starts anew, in the same isolate: edge/shim.mjs says when.
        .reset_state_function(true)
        .force_enable_abort_handler(true);
    bindgen.generate(directory).with_context(|| format!("{wasm} into {directory}"))
}
