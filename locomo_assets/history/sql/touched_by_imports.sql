-- An import is one attempt over many conversations; only its rows name them.
INSERT INTO touched_partitions
SELECT DISTINCT answers.release, answers.conversation
FROM answers
JOIN changed USING (attempt_id)
WHERE changed.asset = 'imported_results';
