-- Patrols on SQLite. The same tables, columns and order as ../postgres/0018_patrols.sql.
-- How many a phone began of late bounds how many more the hub takes.

CREATE INDEX doc_patrol ON doc (created_at) WHERE kind = 2;
