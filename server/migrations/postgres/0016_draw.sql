-- Weekly draws on PostgreSQL. The same tables, columns and order as ../sqlite/0016_draw.sql.

-- A week is counted in whole weeks of local time since Monday, 1969-12-29: one draw for each. The
-- files are kept as they were published, byte for byte.
CREATE TABLE draw (
    draw_id BYTEA PRIMARY KEY,
    week BIGINT NOT NULL UNIQUE,
    frozen_at BIGINT NOT NULL,
    frozen_by BYTEA NOT NULL,
    commitment TEXT NOT NULL,
    list TEXT NOT NULL,
    supervisors TEXT NOT NULL,
    seed TEXT,
    drawn TEXT,
    drawn_at BIGINT,
    drawn_by BYTEA
);

-- A drawn case on its way to a supervisor's phone and back.
CREATE TABLE recheck (
    inspection BYTEA PRIMARY KEY,
    draw_id BYTEA NOT NULL REFERENCES draw (draw_id),
    case_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    person_id BYTEA NOT NULL,
    finding TEXT,
    found_at BIGINT
);
CREATE INDEX recheck_draw ON recheck (draw_id);
