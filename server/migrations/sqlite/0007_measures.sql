-- Onscene on SQLite. The same tables, columns and order as ../postgres/0007_measures.sql.

-- Steps of supervision, as the facts of their cases tell: what lists find them by.
CREATE TABLE measure (
    fact_id BLOB PRIMARY KEY,
    case_id BLOB NOT NULL,
    unit_id BLOB NOT NULL,
    step TEXT NOT NULL,
    cause TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    concluded_at INTEGER
) STRICT;
CREATE INDEX measure_case ON measure (case_id);
CREATE INDEX measure_unit ON measure (unit_id, taken_at);
CREATE INDEX measure_taken ON measure (taken_at);
