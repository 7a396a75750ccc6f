SELECT release, category, avg((verdict = 'correct')::INT) FROM current_judgements GROUP BY ALL
