-- Duty: territories, the roster, notices. The same tables, columns and order as ../postgres/0014_duty.sql.

-- The ground that a unit answers for, every version of it: GeoJSON as it was given, NULL where it was
-- removed. The box is WGS-84, 10^-7 degrees.
CREATE TABLE territory (
    unit_id BLOB NOT NULL REFERENCES unit (unit_id),
    version INTEGER NOT NULL,
    current INTEGER NOT NULL,
    datum TEXT NOT NULL,
    geometry TEXT,
    area_m2 INTEGER NOT NULL,
    south INTEGER NOT NULL,
    north INTEGER NOT NULL,
    west INTEGER NOT NULL,
    east INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by BLOB NOT NULL,
    PRIMARY KEY (unit_id, version)
) STRICT;
CREATE INDEX territory_box ON territory (west, east, south, north) WHERE current = 1;

-- Who stands by, where and when (值班). A shift that has begun is never removed.
CREATE TABLE duty_shift (
    id INTEGER PRIMARY KEY,
    unit_id BLOB NOT NULL REFERENCES unit (unit_id),
    person_id BLOB NOT NULL REFERENCES person (person_id),
    post TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    signed_on_at INTEGER,
    signed_off_at INTEGER,
    removed_at INTEGER
) STRICT;
CREATE INDEX duty_shift_unit ON duty_shift (unit_id, until_at) WHERE removed_at IS NULL;
CREATE INDEX duty_shift_person ON duty_shift (person_id, until_at) WHERE removed_at IS NULL;
CREATE INDEX duty_shift_until ON duty_shift (until_at) WHERE removed_at IS NULL;

-- How many notices a person has been given. Whoever gives one holds this row until it is committed, so
-- that who reads on from a number misses none.
CREATE TABLE inbox (
    person_id BLOB PRIMARY KEY REFERENCES person (person_id),
    n INTEGER NOT NULL
) STRICT;

CREATE TABLE notice (
    person_id BLOB NOT NULL REFERENCES person (person_id),
    n INTEGER NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    because TEXT NOT NULL,
    case_id BLOB,
    order_id BLOB,
    unit_id BLOB,
    inspection BLOB,
    clock TEXT,
    step INTEGER,
    due_at INTEGER,
    at INTEGER NOT NULL,
    read_at INTEGER,
    PRIMARY KEY (person_id, n),
    UNIQUE (person_id, event)
) STRICT;
CREATE INDEX notice_unread ON notice (person_id, n) WHERE read_at IS NULL;
CREATE INDEX notice_at ON notice (at);

CREATE INDEX dispatch_order_undone ON dispatch_order (unit_id)
    WHERE ended_at IS NULL AND fed_back_at IS NULL;
