-- Files and batches of the judge. Times are epoch seconds, and a batch's status follows from them.
CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    file_id TEXT NOT NULL UNIQUE,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    content BLOB NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id TEXT NOT NULL UNIQUE,
    input_file_id TEXT NOT NULL,
    metadata_json TEXT NOT NULL,
    fate TEXT NOT NULL, -- completed, failed, expired
    errors_json TEXT NOT NULL, -- why it is to fail
    created_at REAL NOT NULL,
    ends_at REAL NOT NULL,
    cancelled_at REAL,
    requests INTEGER NOT NULL,
    judged INTEGER, -- null until the batch is over and its requests have been judged, once
    failed INTEGER,
    output_file_id TEXT,
    error_file_id TEXT
);
