-- Each current answer that two judges have scored: whether either found it correct.
SELECT
    a.verdict = 'correct' AS a_correct,
    b.verdict = 'correct' AS b_correct
FROM current_judgements AS a
JOIN current_judgements AS b USING (answer_id)
WHERE
    a.judge = $a
    AND b.judge = $b
    AND a.verdict IN ('correct', 'wrong')
    AND b.verdict IN ('correct', 'wrong')
    AND ($release IS NULL OR a.release = $release)
