-- Weekly draws on SQLite. The same tables, columns and order as ../postgres/0016_draw.sql.

-- A week is counted in whole weeks of local time since Monday, 1969-12-29: one draw for each. The
-- files are kept as they were published, byte for byte.
CREATE TABLE draw (
    draw_id BLOB PRIMARY KEY,
    week INTEGER NOT NULL UNIQUE,
    frozen_at INTEGER NOT NULL,
    frozen_by BLOB NOT NULL,
    commitment TEXT NOT NULL,
    list TEXT NOT NULL,
    supervisors TEXT NOT NULL,
    seed TEXT,
    drawn TEXT,
    drawn_at INTEGER,
    drawn_by BLOB
) STRICT;

-- A drawn case on its way to a supervisor's phone and back.
CREATE TABLE recheck (
    inspection BLOB PRIMARY KEY,
    draw_id BLOB NOT NULL REFERENCES draw (draw_id),
    case_id BLOB NOT NULL,
    order_id BLOB NOT NULL,
    person_id BLOB NOT NULL,
    finding TEXT,
    found_at INTEGER
) STRICT;
CREATE INDEX recheck_draw ON recheck (draw_id);
