CREATE VIEW categories AS
SELECT *
FROM (
    VALUES
    (1, 'multi-hop', 'single-hop', true),
    (2, 'temporal', 'temporal', true),
    (3, 'open-domain', 'multi-hop', true),
    (4, 'single-hop', 'open-domain', true),
    (5, 'adversarial', 'adversarial', false)
) AS t (category, official_name, vendor_name, counts_in_score);
