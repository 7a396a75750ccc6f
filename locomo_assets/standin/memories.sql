-- Memories that clients write and change. `updated_at` is epoch seconds, null until a change.
ALTER TABLE memories ADD COLUMN updated_at REAL;
-- Null if a message formed the memory.
ALTER TABLE memories ADD COLUMN written_metadata_json TEXT;
-- How often memories of the assistant were changed or deleted.
ALTER TABLE assistants ADD COLUMN memory_changes INTEGER NOT NULL DEFAULT 0
