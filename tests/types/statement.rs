//! A statement gets its arguments from a scope: outside of the core none can be had, made, looked into or bound.

use bailiwick_core::{
    repository::catalogue::BY_ID,
    sql::{GlobalSql, Sql, TenantSql},
};

fn made(sql: &'static Sql) -> (TenantSql, GlobalSql) {
    (TenantSql(sql), GlobalSql(sql))
}

fn looked_into(tenant: &TenantSql, global: &GlobalSql) -> [&'static Sql; 2] {
    [tenant.0, global.0]
}

fn bound(tenant: &TenantSql, global: &GlobalSql) {
    tenant.bind([]);
    global.bind([]);
}

fn main() {}
