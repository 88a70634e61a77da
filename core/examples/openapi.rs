//! Writes the OpenAPI document: `cargo run -p bailiwick-core --features openapi --example openapi > core/openapi.json`.

#![expect(clippy::print_stdout, reason = "this is what it is for")]

fn main() {
    println!("{:#}", bailiwick_core::openapi::document());
}
