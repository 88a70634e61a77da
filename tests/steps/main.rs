//! How many steps the product's own code takes for a request, as that grows: however large it is, and whatever it consists of,
//! twice as much takes twice as many steps. Counted, not timed.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so and ends there")]

#[path = "../neighbours/attack.rs"]
#[expect(dead_code, reason = "the neighbours' suite asks for the largest alone")]
mod attack;
mod background;
mod growth;
#[path = "../neighbours/heap.rs"]
mod heap;
mod host;
mod requests;
#[path = "../neighbours/rows.rs"]
mod rows;
#[path = "../conformance/matrix/samples.rs"]
#[expect(dead_code, reason = "the conformance suite needs more of them")]
mod samples;
#[path = "../conformance/strictness/schema.rs"]
#[expect(dead_code, reason = "the conformance suite asks for more of it")]
mod schema;
mod several;
mod texts;
