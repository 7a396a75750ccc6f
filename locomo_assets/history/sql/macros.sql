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
