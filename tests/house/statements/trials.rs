//! The proof on trial: statements that are bound, and ones that look as if they were.

use super::{Spelling, proof::Question, tables::Tables};

fn faults(text: &str) -> Vec<String> {
    let tables = Tables::read();
    let spelling = Spelling::parse("SQLite", text, text);
    let question: Question<'_> = spelling.question(&tables, None);
    question.prove(&spelling.statement).faults
}

/// What is bound.
const RIGHT: &[&str] = &[
    "SELECT id FROM tasks WHERE tenant_id = ?1",
    "SELECT id FROM tasks t WHERE (?1 = t.tenant_id AND (t.id = ?2 OR t.id = ?3))",
    "SELECT 1 FROM tasks t JOIN projects p ON p.tenant_id = t.tenant_id AND p.id = t.project_id WHERE t.tenant_id = ?1",
    "SELECT 1 FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.tenant_id = ?1 AND p.tenant_id = t.tenant_id",
    "SELECT 1 FROM projects p, tasks t WHERE p.tenant_id = t.tenant_id AND t.tenant_id = ?1",
    "SELECT 1 FROM tenants t JOIN memberships m ON m.tenant_id = t.id WHERE t.id = ?1",
    "SELECT 1 FROM tasks t LEFT JOIN comments c ON c.tenant_id = t.tenant_id WHERE t.tenant_id = ?1",
    "SELECT 1 FROM tasks t LEFT JOIN (comments c JOIN memberships m ON m.tenant_id = c.tenant_id) \
     ON c.tenant_id = t.tenant_id WHERE t.tenant_id = ?1",
    "SELECT id FROM users WHERE id = ?1",
    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE tenant_id = ?1)",
    "SELECT (SELECT count(*) FROM tasks x WHERE x.tenant_id = p.tenant_id) FROM projects p WHERE p.tenant_id = ?1",
    "WITH mine AS (SELECT id FROM tasks WHERE tenant_id = ?1) SELECT id FROM mine",
    "SELECT id FROM tasks WHERE tenant_id = ?1 UNION SELECT id FROM projects WHERE tenant_id = ?1",
    "INSERT INTO tasks (id, tenant_id) VALUES (?2, ?1), (?3, ?1)",
    "INSERT INTO tasks (tenant_id, id) SELECT p.tenant_id, ?2 FROM projects p WHERE p.tenant_id = ?1",
    "INSERT INTO memberships (tenant_id, user_id) VALUES (?1, ?2) ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = ?3",
    "UPDATE tasks SET title = ?2 WHERE tenant_id = ?1 RETURNING (SELECT p.name FROM projects p WHERE p.tenant_id = ?1)",
    "UPDATE tasks SET title = p.name FROM projects p WHERE p.tenant_id = tasks.tenant_id AND tasks.tenant_id = ?1",
    "DELETE FROM tasks WHERE tenant_id = ?1",
];

/// What only looks bound, and what the refusal says.
const WRONG: &[(&str, &str)] = &[
    (
        "SELECT id FROM tasks",
        "`tasks`: nothing binds its tenant_id to ?1. Conjuncts that were looked at: none",
    ),
    ("SELECT id FROM tasks WHERE tenant_id = ?2", "`tasks`"),
    ("SELECT id FROM tasks WHERE id = ?1", "`tasks`"),
    ("SELECT id FROM tenants WHERE slug = ?1", "`tenants`: nothing binds its id"),
    ("SELECT id FROM tasks WHERE tenant_id = ?1 OR id = ?2", "`tasks`"),
    ("SELECT id FROM tasks WHERE (tenant_id = ?1 OR id = ?2) AND id = ?3", "`tasks`"),
    ("SELECT id FROM tasks WHERE NOT tenant_id = ?1", "`tasks`"),
    ("SELECT id FROM tasks WHERE NOT (tenant_id = ?1 AND id = ?2)", "`tasks`"),
    ("SELECT id FROM tasks WHERE tenant_id <> ?1", "`tasks`"),
    ("SELECT id FROM tasks WHERE tenant_id >= ?1", "`tasks`"),
    ("SELECT id FROM tasks WHERE tenant_id = COALESCE(?1, tenant_id)", "`tasks`"),
    ("SELECT id FROM tasks WHERE CASE WHEN id = ?2 THEN tenant_id = ?1 ELSE TRUE END", "`tasks`"),
    ("SELECT id FROM tasks WHERE (tenant_id = ?1) IS NOT NULL", "`tasks`"),
    ("SELECT id, tenant_id = ?1 FROM tasks", "`tasks`"),
    ("SELECT id FROM tasks ORDER BY tenant_id = ?1", "`tasks`"),
    ("SELECT count(*) FROM tasks GROUP BY tenant_id HAVING tenant_id = ?1", "`tasks`"),
    ("SELECT id FROM tasks WHERE tenant_id = tenant_id", "`tasks`"),
    ("SELECT 1 FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.tenant_id = ?1", "`projects p`"),
    ("SELECT 1 FROM tasks t JOIN projects p ON p.tenant_id = t.tenant_id", "which is not bound itself"),
    ("SELECT 1 FROM tasks t JOIN projects p ON p.tenant_id = t.id WHERE t.tenant_id = ?1", "`projects p`"),
    ("SELECT 1 FROM tasks t JOIN tasks u ON t.tenant_id = ?1", "`tasks u`"),
    ("SELECT 1 FROM tasks t JOIN projects p USING (tenant_id) WHERE t.tenant_id = ?1", "`projects p`"),
    ("SELECT 1 FROM tasks t LEFT JOIN comments c ON c.tenant_id = ?1 AND t.tenant_id = ?1", "`tasks t`"),
    (
        "SELECT 1 FROM tasks t LEFT JOIN comments c ON c.tenant_id = ?1 AND t.tenant_id = c.tenant_id",
        "`tasks t`",
    ),
    ("SELECT 1 FROM tasks t LEFT JOIN comments c ON c.task_id = t.id WHERE t.tenant_id = ?1", "`comments c`"),
    (
        "SELECT 1 FROM tasks t RIGHT JOIN comments c ON t.tenant_id = ?1 WHERE c.tenant_id = ?1",
        "kind of join",
    ),
    (
        "SELECT 1 FROM tasks WHERE tenant_id = ?1 AND EXISTS (SELECT 1 FROM projects p WHERE p.id = ?2)",
        "`projects p`",
    ),
    // It is the outer one's tenant that is asked for again.
    (
        "SELECT 1 FROM tasks t WHERE t.tenant_id = ?1 AND EXISTS (SELECT 1 FROM projects p WHERE t.tenant_id = ?1)",
        "`projects p`",
    ),
    (
        "SELECT 1 FROM projects p WHERE EXISTS (SELECT 1 FROM tasks t WHERE t.tenant_id = ?1 AND p.tenant_id = ?1)",
        "`projects p`",
    ),
    ("SELECT 1 FROM tasks WHERE tenant_id = ?1 AND id IN (SELECT task_id FROM comments)", "`comments`"),
    ("SELECT (SELECT count(*) FROM tasks) FROM projects p WHERE p.tenant_id = ?1", "`tasks`"),
    ("SELECT 1 FROM projects p WHERE p.tenant_id = ?1 ORDER BY (SELECT count(*) FROM tasks)", "`tasks`"),
    ("SELECT 1 FROM projects p WHERE p.tenant_id = ?1 LIMIT (SELECT count(*) FROM tasks)", "`tasks`"),
    (
        "SELECT count(*) FROM projects p WHERE p.tenant_id = ?1 HAVING count(*) > (SELECT count(*) FROM tasks)",
        "`tasks`",
    ),
    ("SELECT 1 FROM (SELECT tenant_id FROM tasks) d WHERE d.tenant_id = ?1", "`tasks`"),
    ("SELECT 1 FROM (SELECT 1 AS tenant_id) d JOIN tasks ON tenant_id = ?1", "`tasks`"),
    ("WITH a AS (SELECT tenant_id FROM tasks) SELECT 1 FROM a WHERE a.tenant_id = ?1", "`tasks`"),
    ("WITH tasks AS (SELECT * FROM tasks) SELECT id FROM tasks WHERE tenant_id = ?1", "`tasks`"),
    ("SELECT id FROM tasks WHERE tenant_id = ?1 UNION ALL SELECT id FROM projects", "`projects`"),
    ("INSERT INTO tasks (tenant_id, id) VALUES (?2, ?1)", "`INSERT INTO tasks`"),
    ("INSERT INTO tasks (tenant_id, id) VALUES (?1, ?2), (?3, ?4)", "`INSERT INTO tasks`"),
    ("INSERT INTO tasks (id) VALUES (?1)", "`INSERT INTO tasks`"),
    ("INSERT INTO tasks VALUES (?1)", "`INSERT INTO tasks`"),
    ("INSERT INTO tasks (tenant_id, id) SELECT p.tenant_id, p.id FROM projects p", "`INSERT INTO tasks`"),
    (
        "INSERT INTO tasks (tenant_id, id) SELECT p.id, p.tenant_id FROM projects p WHERE p.tenant_id = ?1",
        "`INSERT INTO tasks`",
    ),
    (
        "INSERT INTO tasks (id, tenant_id) SELECT p.*, ?1 FROM projects p WHERE p.tenant_id = ?1",
        "`INSERT INTO tasks`",
    ),
    ("INSERT INTO tasks (tenant_id) SELECT ?1 UNION SELECT ?2", "`INSERT INTO tasks`"),
    ("INSERT INTO tasks (tenant_id, id) VALUES (?1, (SELECT p.id FROM projects p))", "`projects p`"),
    (
        "INSERT INTO tenants (id, slug) VALUES (?1, ?2) ON CONFLICT (slug) DO UPDATE SET name = ?3",
        "`tenants (ON CONFLICT)`",
    ),
    (
        "INSERT INTO memberships (tenant_id, id) VALUES (?1, ?2) ON CONFLICT (user_id) DO NOTHING",
        "(ON CONFLICT)",
    ),
    ("INSERT INTO memberships (tenant_id, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING", "(ON CONFLICT)"),
    ("INSERT OR REPLACE INTO tasks (tenant_id, id) VALUES (?1, ?2)", "in the place of other rows"),
    ("UPDATE tasks SET title = ?1", "`tasks`"),
    ("UPDATE tasks SET tenant_id = ?2 WHERE tenant_id = ?1", "to another tenant"),
    ("UPDATE tasks SET title = (SELECT p.name FROM projects p) WHERE tenant_id = ?1", "`projects p`"),
    ("UPDATE tasks SET title = p.name FROM projects p WHERE p.tenant_id = ?1", "`tasks`"),
    (
        "UPDATE tasks SET title = ?2 WHERE tenant_id = ?1 RETURNING (SELECT p.name FROM projects p)",
        "`projects p`",
    ),
    ("DELETE FROM tasks WHERE id = ?1", "`tasks`"),
    (
        "DELETE FROM tasks WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM tasks WHERE tenant_id = ?1)",
        "`tasks`",
    ),
    ("SELECT 1 FROM nowhere", "there is no table nowhere"),
    ("CREATE TABLE t (a TEXT)", "kind of statement"),
    // The inner one hides the outer one of the same name.
    (
        "SELECT 1 FROM tasks t WHERE t.tenant_id = ?1 AND EXISTS (SELECT 1 FROM projects t WHERE t.id = ?2)",
        "`projects t`",
    ),
    ("SELECT 1 FROM tasks WHERE tenant_id IN (?1, ?2)", "`tasks`"),
    ("SELECT 1 FROM tasks t (id, tenant_id) WHERE t.tenant_id = ?1", "other names"),
    ("SELECT 1 FROM tasks t JOIN projects p ON p.id = t.project_id WHERE tenant_id = ?1", "`tasks t`"),
];

#[test]
fn what_is_bound_is_proven() {
    for text in RIGHT {
        assert_eq!(faults(text), <[String; 0]>::default(), "{text}");
    }
}

#[test]
fn what_only_looks_bound_is_refused() {
    for (text, said) in WRONG {
        let found = faults(text);
        assert!(found.iter().any(|fault| fault.contains(said)), "{text}: expected {said}, got {found:?}");
    }
}
