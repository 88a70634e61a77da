//! A merge patch of a note: what `input!` makes of the object that a client sends.

use serde_json::{Value, json};

use crate::kernel::{
    decode::{Clearable, FaultCode, Input, Object, Patch},
    time::Date,
    values::TaskTitle,
};

input! {
    /// The members to change. The type of each says whether it may be absent, and whether `null` clears it.
    struct NotePatch {
        /// The new title.
        title: Patch<TaskTitle>,
        /// The new day of the note; `null` removes it.
        day: Clearable<Date>,
    }
}

fn object(body: &Value) -> Object {
    Object::new(body.as_object().cloned().expect("an object"))
}

#[test]
fn a_patch_is_decoded() {
    let patch = NotePatch::decode(object(&json!({ "title": "Buy tea", "day": null }))).expect("no fault");
    assert_eq!(patch.title.0, TaskTitle::parse("Buy tea").ok());
    assert_eq!(patch.day, Clearable(Some(None)));
}

#[test]
fn every_fault_is_found_at_once() {
    let faults = NotePatch::decode(object(&json!({ "title": "", "day": 7, "colour": "red" }))).unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
    let (short, wrong, unknown) = (FaultCode::TooShort, FaultCode::WrongType, FaultCode::Unknown);
    assert_eq!(found, [("/title", short), ("/day", wrong), ("/colour", unknown)]);
}
