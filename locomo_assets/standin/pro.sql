-- Whether Memory Pro formed the memory.
ALTER TABLE memories ADD COLUMN pro INTEGER NOT NULL DEFAULT 0
