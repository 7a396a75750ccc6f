COMMENT ON COLUMN $table.attempt_id IS 'The attempt that wrote the row: one run''s work on one partition of one asset';
COMMENT ON COLUMN $table.run_id IS 'The Dagster run, or the command, that wrote the row';
COMMENT ON COLUMN $table.asset IS 'The asset that the row belongs to';
COMMENT ON COLUMN $table.release IS 'The label of what was measured; null for the data set itself';
COMMENT ON COLUMN $table.conversation IS 'The conversation, as its sample_id in the data set';
COMMENT ON COLUMN $table.code_version IS 'The version of this program that wrote the row';
COMMENT ON COLUMN $table.dataset_sha256 IS 'SHA-256 of the data set''s file';
COMMENT ON COLUMN $table.system IS 'What was measured: backboard, standin, or as an import names it; null for the data set itself';
COMMENT ON COLUMN $table.written_at IS 'When the row was written (UTC)';
