"""Whether an answer declines: it says that what was asked is not known or not on record.

The rules are about wording alone. An answer that says it of a further detail, after it has
answered, counts as well. docs/statistics.md says how often they are right.
"""

import re

# What an answer may say is not on record, as verb or noun, and as the last word of a short answer.
_ON_RECORD = r"""(?: mention | specif(?:y|ied|ies)\b | state | provid | contain | includ | detail
    | avail | know\b | known\b(?!\ for) | record | clear\b | inform | memor | indicat | evidence
    | disclos | reveal | given\b(?!\ (?:up|in)\b) | name | confirm | answer | list(?:ed)?\b
    | describ | document | discuss | noted\b | identif | reference | clue\b | hint\b | trace\b
    | data\b | idea\b )"""
_RECORDED = r"""(?: mentioned | specified | stated | provided | recorded | known | found | listed
    | described | noted | discussed | detailed | documented | identified | indicated | revealed
    | named | available | (?: is | are | was | were | been ) \s+ given )\b"""
_KNOWLEDGE = r"(?: information | details? | records? | memory | memories | knowledge | answer )\b"
_SOURCE = r"""\b(?: i | we | it | memory | memories | information | context | conversations?
    | dialogues? | records? | data )"""
_DO_NOT = r"(?: do | does | did | have | has | had | could | can ) (?: n't | not | \ not )"
_DECLINES = re.compile(
    rf"""(?: n't \b | \b(?: not | no | never | without | nothing | neither ) \b ) \s+
    (?: (?: \w+ly | been | be | yet | any | a | an | the | have | has | specific | direct | explicit
        | exact | further | enough | more | particular | detailed | such | in | relevant ) \s+ )*
    {_ON_RECORD}
    | \b(?: no | none | nothing | nobody ) \s+
      (?: (?! (?: he | she | they | i | we | you ) \b ) \w+ \s+ ){{0,5}}? {_RECORDED}
    | {_KNOWLEDGE} \s+ (?: is \s+ | was \s+ )? not \s+ found \b
    | (?: n't | \b(?: not | never ) ) \s+ (?: been \s+ )? (?: brought | come | came ) \s+ up \b
    | {_SOURCE} \s+ (?: \w+ \s+ ){{0,3}}? (?: {_DO_NOT} \s+ (?: \w+ly \s+ )? | never \s+ )
      (?: says? | shows? | tells? | refers? | recall | remember | see ) \b
    | {_DO_NOT} \s+ (?: \w+ly \s+ )? (?: have | find | see ) \s+ (?: \w+ \s+ ){{0,4}}?
      (?: {_KNOWLEDGE} | (?: mention | reference | evidence )\b )
    | \b(?: lacks? | insufficient | limited ) \s+ (?: of \s+ | any \s+ )? {_KNOWLEDGE}
    | (?: ^ | [.!?,;:] | \b(?: i'm | i\ am | i\ was | it's | it\ is | but ) ) \W*
      (?: not \s+ (?: \w+ly \s+ | quite \s+ )? (?: sure | certain ) | unsure | uncertain ) \b
    | \b(?: i'm | i\ am | i\ was ) \s+ unable\ to \b
    | \b(?: unable | impossible | no\ way ) \s+ (?: to | of ) \s+
      (?: answer | determin | say | tell | know | provid | confirm | verif )
    | \b(?: cannot | can't | can\ not ) \s+ (?: be \s+ )? (?: determine | answer | find\b | say
      | know | tell | confirm | recall )
    | \b(?: unknown | unclear | undisclosed ) \b
    | ^ \W* (?: n/a | unspecified | undetermined | unanswerable ) \W* $""",
    re.VERBOSE,
)

_NEEDED = re.compile(
    r"n(?:'t|ot|o\s|one\s|obody|ever|either|/a)|without|lack|insufficient|limited|impossible"
    r"|un(?:sure|certain|able|known|clear|disclosed|specified|determined|answerable)"
)


def declines(text: str) -> bool:
    """Whether a text, in lower case with plain apostrophes, says that it cannot answer."""
    return may_decline(text) and _DECLINES.search(text) is not None


def may_decline(text: str) -> bool:
    """False for what has none of the words by which a text declines: most, at little expense."""
    return _NEEDED.search(text) is not None
