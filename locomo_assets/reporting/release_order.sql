-- The releases in the order of their time, and the source of each name.
SELECT release, position, source FROM release_order ORDER BY position
