-- Supervision: drills, special checks, supervised cases. The same tables, columns and order as ../sqlite/0017_supervision.sql.

-- A bureau leader's word that one made-up case may be registered (模拟事项), and the case that was.
CREATE TABLE drill_approval (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason TEXT NOT NULL,
    approved_by BYTEA NOT NULL,
    approved_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    case_id BYTEA UNIQUE
);

-- Special checks (专项督察): what was checked where, on which case, and what was found.
CREATE TABLE special_check (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject TEXT NOT NULL,
    unit_id BYTEA NOT NULL REFERENCES unit (unit_id),
    case_id BYTEA,
    begun_at BIGINT NOT NULL,
    begun_by BYTEA NOT NULL,
    in_order BIGINT,
    finding TEXT,
    found_at BIGINT,
    found_by BYTEA
);
CREATE INDEX special_check_begun ON special_check (begun_at);

-- Supervision of cases (督办), as their facts tell: what lists of hard and media cases find it by.
CREATE TABLE supervised (
    fact_id BYTEA PRIMARY KEY,
    case_id BYTEA NOT NULL,
    manner TEXT NOT NULL,
    stated_at BIGINT NOT NULL
);
CREATE INDEX supervised_case ON supervised (case_id, manner);

CREATE INDEX case_row_media ON case_row (registered_at, case_id) WHERE channel = 'media';
