-- Duty: territories, the roster, notices. The same tables, columns and order as ../sqlite/0014_duty.sql.

-- The ground that a unit answers for, every version of it: GeoJSON as it was given, NULL where it was
-- removed. The box is WGS-84, 10^-7 degrees.
CREATE TABLE territory (
    unit_id BYTEA NOT NULL REFERENCES unit (unit_id),
    version BIGINT NOT NULL,
    current BIGINT NOT NULL,
    datum TEXT NOT NULL,
    geometry TEXT,
    area_m2 BIGINT NOT NULL,
    south BIGINT NOT NULL,
    north BIGINT NOT NULL,
    west BIGINT NOT NULL,
    east BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by BYTEA NOT NULL,
    PRIMARY KEY (unit_id, version)
);
CREATE INDEX territory_box ON territory (west, east, south, north) WHERE current = 1;

-- Who stands by, where and when (值班). A shift that has begun is never removed.
CREATE TABLE duty_shift (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id BYTEA NOT NULL REFERENCES unit (unit_id),
    person_id BYTEA NOT NULL REFERENCES person (person_id),
    post TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    signed_on_at BIGINT,
    signed_off_at BIGINT,
    removed_at BIGINT
);
CREATE INDEX duty_shift_unit ON duty_shift (unit_id, until_at) WHERE removed_at IS NULL;
CREATE INDEX duty_shift_person ON duty_shift (person_id, until_at) WHERE removed_at IS NULL;
CREATE INDEX duty_shift_until ON duty_shift (until_at) WHERE removed_at IS NULL;

-- How many notices a person has been given. Whoever gives one holds this row until it is committed, so
-- that who reads on from a number misses none.
CREATE TABLE inbox (
    person_id BYTEA PRIMARY KEY REFERENCES person (person_id),
    n BIGINT NOT NULL
);

CREATE TABLE notice (
    person_id BYTEA NOT NULL REFERENCES person (person_id),
    n BIGINT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    because TEXT NOT NULL,
    case_id BYTEA,
    order_id BYTEA,
    unit_id BYTEA,
    inspection BYTEA,
    clock TEXT,
    step BIGINT,
    due_at BIGINT,
    at BIGINT NOT NULL,
    read_at BIGINT,
    PRIMARY KEY (person_id, n),
    UNIQUE (person_id, event)
);
CREATE INDEX notice_unread ON notice (person_id, n) WHERE read_at IS NULL;
CREATE INDEX notice_at ON notice (at);

CREATE INDEX dispatch_order_undone ON dispatch_order (unit_id)
    WHERE ended_at IS NULL AND fed_back_at IS NULL;
