//! What must not compile does not: programs that would get around a tenant, and the reason for which the compiler
//! refuses each (`tests/types`). `TRYBUILD=overwrite cargo test -p bailiwick-tests --test house types` writes the
//! reasons anew.

use std::{env, path::Path, process::Command};

use bailiwick_tests::targets::root;

/// Shows that it is the ids that its twin is refused for.
#[path = "../types/ids/right.rs"]
mod right;

#[test]
fn what_would_get_around_a_tenant_is_refused_by_the_compiler() {
    let core = root().join("core");
    if env::var_os("CARGO_MANIFEST_DIR").is_some_and(|package| Path::new(&package) == core) {
        trybuild::TestCases::new().compile_fail(root().join("tests/types/*.rs"));
        return;
    }
    // The programs get the dependencies of the package that this variable names, compiled into a folder of their own.
    // Those of the core take seconds, those of this suite would take minutes. Hence this test runs itself again.
    let again = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "types::what_would_get_around_a_tenant_is_refused_by_the_compiler", "--nocapture"])
        .env("CARGO_MANIFEST_DIR", core)
        .env("NO_COLOR", "1")
        .output()
        .expect("this program, again");
    let [said, complained] =
        [again.stdout, again.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(again.status.success(), "{said}\n{complained}");
}
