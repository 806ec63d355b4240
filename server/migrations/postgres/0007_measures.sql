-- Onscene on PostgreSQL. The same tables, columns and order as ../sqlite/0007_measures.sql.

-- Steps of supervision, as the facts of their cases tell: what lists find them by.
CREATE TABLE measure (
    fact_id BYTEA PRIMARY KEY,
    case_id BYTEA NOT NULL,
    unit_id BYTEA NOT NULL,
    step TEXT NOT NULL,
    cause TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    concluded_at BIGINT
);
CREATE INDEX measure_case ON measure (case_id);
CREATE INDEX measure_unit ON measure (unit_id, taken_at);
CREATE INDEX measure_taken ON measure (taken_at);
