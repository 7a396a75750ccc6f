-- The releases in the order of their time, and who named them.
SELECT release, position, source FROM release_order ORDER BY position
