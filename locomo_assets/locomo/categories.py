"""What the data set's category numbers mean.

Here: number → name. The number is what is stored; names are for people.

Official names follow the counts of the paper (Maharana et al., ACL 2024). Backboard, mem0 and
others print 1, 3 and 4 under each other's names, so a published table is compared under
`VENDOR_NAMES`.
"""

ADVERSARIAL = 5
"""Questions whose premise is false: asked on request only, never averaged with the rest."""

OFFICIAL_NAMES: dict[int, str] = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    ADVERSARIAL: "adversarial",
}

VENDOR_NAMES: dict[int, str] = {
    1: "single-hop",
    2: "temporal",
    3: "multi-hop",
    4: "open-domain",
    ADVERSARIAL: "adversarial",
}

SCORED_CATEGORIES: tuple[int, ...] = (1, 2, 3, 4)
"""The categories a published score is made of."""


def official_name(category: int) -> str:
    """The paper's name of a category; KeyError for a number the data set does not have."""
    return OFFICIAL_NAMES[category]


def vendor_name(category: int) -> str:
    """The name the vendors print for a category; KeyError as in `official_name`."""
    return VENDOR_NAMES[category]
