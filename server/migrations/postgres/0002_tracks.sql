-- Onscene on PostgreSQL. The same tables, columns and order as ../sqlite/0002_tracks.sql.

-- Tracks of arrival claims, erased when the policy's retention of tracks ends. `cell` is a coarse
-- place; `body` is the track as sync-core encodes it.
CREATE TABLE track (
    fact_id BYTEA PRIMARY KEY,
    doc_id BYTEA NOT NULL,
    device BYTEA NOT NULL,
    boot BYTEA NOT NULL,
    cell BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    body BYTEA NOT NULL
);
CREATE INDEX track_cell ON track (cell, received_at);
CREATE INDEX track_received ON track (received_at);

-- Claims that rest on the same track: each pair stands here both ways, without positions.
CREATE TABLE same_track (
    fact_id BYTEA NOT NULL,
    other BYTEA NOT NULL,
    PRIMARY KEY (fact_id, other)
);
