-- Supervision: drills, special checks, supervised cases. The same tables, columns and order as ../postgres/0017_supervision.sql.

-- A bureau leader's word that one made-up case may be registered (模拟事项), and the case that was.
CREATE TABLE drill_approval (
    id INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    approved_by BLOB NOT NULL,
    approved_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    case_id BLOB UNIQUE
) STRICT;

-- Special checks (专项督察): what was checked where, on which case, and what was found.
CREATE TABLE special_check (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    unit_id BLOB NOT NULL REFERENCES unit (unit_id),
    case_id BLOB,
    begun_at INTEGER NOT NULL,
    begun_by BLOB NOT NULL,
    in_order INTEGER,
    finding TEXT,
    found_at INTEGER,
    found_by BLOB
) STRICT;
CREATE INDEX special_check_begun ON special_check (begun_at);

-- Supervision of cases (督办), as their facts tell: what lists of hard and media cases find it by.
CREATE TABLE supervised (
    fact_id BLOB PRIMARY KEY,
    case_id BLOB NOT NULL,
    manner TEXT NOT NULL,
    stated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX supervised_case ON supervised (case_id, manner);

CREATE INDEX case_row_media ON case_row (registered_at, case_id) WHERE channel = 'media';
