-- Bounds of the Wilson score interval at 95 % (z = 1.959963984540054), clipped to 0…1; null for
-- no trials. Source: Wilson 1927; the same as statsmodels' proportion_confint(method='wilson').
CREATE MACRO wilson_low(successes, trials) AS
    CASE WHEN trials > 0 THEN greatest(0.0, (
        successes + 1.9207294103470887
        - 1.959963984540054 * sqrt(
            successes * (trials - successes)::DOUBLE / trials + 0.9603647051735444)
    ) / (trials + 3.8414588206941774)) END;

CREATE MACRO wilson_high(successes, trials) AS
    CASE WHEN trials > 0 THEN least(1.0, (
        successes + 1.9207294103470887
        + 1.959963984540054 * sqrt(
            successes * (trials - successes)::DOUBLE / trials + 0.9603647051735444)
    ) / (trials + 3.8414588206941774)) END;

-- Sorts versions as people count them: 0.0.9, 0.0.10rc1, 0.0.10, 0.0.10.post1. Numbers compare as
-- numbers; a mark of a version before the release comes before the end, all else after it.
CREATE MACRO version_key(label) AS
    list_append(
        list_transform(
            regexp_extract_all(regexp_replace(lower(label), '(^|[^a-z])v\.?(\d)', '\1\2', 'g'), '\d+|\D+'),
            lambda part, place:
                CASE
                    WHEN regexp_full_match(part, '\d+') THEN '2' || lpad(part, 100, '0')
                    WHEN place > 1 AND regexp_full_match(part, '[-._]?(dev|nightly|snapshot|canary)[-._]?')
                        THEN '0a'
                    WHEN place > 1 AND regexp_full_match(part, '[-._]?a(lpha)?[-._]?') THEN '0b'
                    WHEN place > 1 AND regexp_full_match(part, '[-._]?b(eta)?[-._]?') THEN '0c'
                    WHEN place > 1 AND regexp_full_match(part, '[-._](m|milestone)[-._]?')
                        THEN '0ca'
                    WHEN place > 1 AND regexp_full_match(part, '[-._]?(rc|c|pre|preview)[-._]?')
                        THEN '0d'
                    ELSE '2' || part
                END
        ),
        '1'
    );

-- A text without differences of white space: by it a label is known as that of an answer.
CREATE MACRO plain_text(given) AS trim(regexp_replace(given, '\s+', ' ', 'g'));

-- The protocol alone of a column question_protocol, which also names what differs from the published
-- measurement: `isolated, memory pro`. In Python: protocol_name.
CREATE MACRO protocol_name(question_protocol) AS split_part(question_protocol, ', ', 1);

-- Whether a column question_protocol names a difference from the published measurement. In Python:
-- is_variant.
CREATE MACRO is_variant(question_protocol) AS contains(question_protocol, ', ');

-- Question protocols without a memory, which a memory is compared with. In Python:
-- REFERENCE_PROTOCOLS.
CREATE MACRO is_reference(question_protocol) AS
    split_part(question_protocol, ', ', 1) IN ('no-memory', 'full-context', 'evidence-only');
