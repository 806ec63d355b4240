-- Patrols on PostgreSQL. The same tables, columns and order as ../sqlite/0018_patrols.sql.
-- How many a phone began of late bounds how many more the hub takes.

CREATE INDEX doc_patrol ON doc (created_at) WHERE kind = 2;
