-- The stand-in's state. Times are epoch seconds, `seq` is the order of insertion.
CREATE TABLE assistants (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    assistant_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    fields_json TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX assistants_by_name ON assistants (name);
CREATE TABLE threads (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    thread_id TEXT NOT NULL UNIQUE,
    assistant_id TEXT NOT NULL REFERENCES assistants (assistant_id) ON DELETE CASCADE,
    created_at REAL NOT NULL
);
CREATE INDEX threads_by_assistant ON threads (assistant_id);
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    thread_id TEXT NOT NULL REFERENCES threads (thread_id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    status TEXT NOT NULL,
    metadata_json TEXT NOT NULL,
    memory_operation_id TEXT,
    created_at REAL NOT NULL
);
CREATE INDEX messages_by_thread ON messages (thread_id);
CREATE TABLE memories (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    memory_id TEXT NOT NULL UNIQUE,
    assistant_id TEXT NOT NULL REFERENCES assistants (assistant_id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    said_at REAL NOT NULL,
    thread_id TEXT NOT NULL, -- where it was said, the thread may be deleted
    message_id TEXT NOT NULL,
    visible_at REAL NOT NULL
);
CREATE INDEX memories_by_assistant ON memories (assistant_id, visible_at);
CREATE TABLE operations (
    operation_id TEXT PRIMARY KEY,
    assistant_id TEXT NOT NULL REFERENCES assistants (assistant_id) ON DELETE CASCADE,
    memory_id TEXT,
    ends_at REAL
) WITHOUT ROWID;
CREATE INDEX operations_by_assistant ON operations (assistant_id);
