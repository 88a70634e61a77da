//! Comparing answers with the model.

use std::fmt::Debug;

use bailiwick_tests::client::Answer;
use serde_json::Value;

use super::world::Told;

/// Holds a value to what the model has.
pub(super) fn same<T: Debug + PartialEq>(what: &str, got: &T, expected: &T) -> Told {
    if got == expected { Ok(()) } else { Err(format!("{what}: got {got:?}, the model has {expected:?}")) }
}

/// Holds members of the answer to what the model has.
pub(super) fn members(answer: &Answer, expected: &Value) -> Told {
    for (name, value) in expected.as_object().into_iter().flatten() {
        same(name, &answer.body[name], value)?;
    }
    Ok(())
}

/// The text of a member.
pub(super) fn text(answer: &Answer, name: &str) -> Result<String, String> {
    answer.body[name].as_str().map(str::to_owned).ok_or_else(|| format!("there is no {name}"))
}

/// The items of a list.
pub(super) fn items(answer: &Answer) -> Result<&Vec<Value>, String> {
    answer.body["data"].as_array().ok_or_else(|| "there is no list".to_owned())
}

/// The items of a list, as these members of each, in order of the alphabet.
pub(super) fn listed<const N: usize>(answer: &Answer, names: [&str; N]) -> Result<Vec<[String; N]>, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut all: Vec<_> = items(answer)?.iter().map(|item| names.map(|name| text(&item[name]))).collect();
    all.sort_unstable();
    Ok(all)
}

/// Holds a list to what the model has, in any order.
pub(super) fn list<const N: usize>(
    answer: &Answer,
    names: [&str; N],
    expected: impl IntoIterator<Item = [String; N]>,
) -> Told {
    let mut expected: Vec<_> = expected.into_iter().collect();
    expected.sort_unstable();
    same("the list", &listed(answer, names)?, &expected)
}

/// Holds a list to go from the newest to the oldest.
pub(super) fn newest_first(answer: &Answer) -> Told {
    let ids: Vec<_> = items(answer)?.iter().filter_map(|item| item["id"].as_str()).collect();
    if ids.windows(2).all(|pair| pair[0] > pair[1]) { Ok(()) } else { Err(format!("not in order: {ids:?}")) }
}
