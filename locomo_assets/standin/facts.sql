-- What an operation did where memories are extracted: a JSON list of
-- [memory_id, event, memory]. Null where memories are verbatim, and where it failed.
ALTER TABLE operations ADD COLUMN results_json TEXT
