"""A judge without a model, which compares dates, numbers, polarity and words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from locomo_assets.judging.judge import JudgeIdentity, Judgement, Verdict
from locomo_assets.judging.text_normalization import STOP_STEMS, is_number, normalized, stems
from locomo_assets.judging.time_spans import Span, spans, years_in
from locomo_assets.locomo.declines import declines
from locomo_assets.prices import LEXICAL

_UNKNOWABLE = re.compile(
    r"\b(?:not|never) (?:mentioned|specified|stated|known|answerable|available|given)\b|"
    r"\bno (?:information|mention|answer)\b|\bunknown\b|\bunanswerable\b|"
    r"\b(?:cannot|can't) be (?:known|answered|determined)\b"
)
_POLARITY = re.compile(
    r"^\W*(?:most )?(?:likely |probably )?(?P<word>yes|no)\b(?!\s+(?:one|more)\b)"
)
_NAME = re.compile(r"(?<=\s)[A-Z]\w+")
_WHETHER = re.compile(r"\b(?:whether|if)\b")
_DENIES = re.compile(
    r"\b(?:not|no|never|unlikely|isn't|wasn't|doesn't|didn't|don't|wouldn't|won't|hasn't|haven't|"
    r"cannot|can't|couldn't|aren't|weren't)\b"
)
# A reply's own yes or no: its first word, or a first sentence such as `He did.`
_SAYS_YES = re.compile(
    r"^\W*(?:(?:most )?(?:likely |probably )?yes|yeah|yep|absolutely|certainly|definitely|indeed|"
    r"of course|correct|i (?:think|believe|guess) so)\b"
)
_SAYS_NO = re.compile(
    r"^\W*(?:(?:(?:most )?(?:likely|probably) no|nope|not (?:really|at all)|incorrect|"
    r"i (?:don't|do not) (?:think|believe) so)\b|no(?=\W*$|\s*[^\w\s]|"
    r"\s+(?:he|she|they|it|i|we|because|since|but|that|there)\b))"
)
_ELLIPSIS = re.compile(
    r"^\W*(?:\w+ ){1,2}(?:did|does|do|has|have|had|is|was|are|were|would|will|can|could|should)"
    r"(?P<no>n't| not)?\W*$"
)
_HEDGES = re.compile(
    r"\b(?:unsure|uncertain|unclear|unknown|not (?:\w+ly )?(?:sure|certain|clear|known)|"
    r"(?:don't|do not) know|no idea|(?:can't|cannot|unable to|hard to|difficult to|impossible to) "
    r"(?:be )?(?:say|tell|know|determine|answer)\w*|it depends|maybe|perhaps)\b"
)
_TIME_FILLER = """
a about an and around approximately at before between by beginning day during early end from in is
it late last likely mid middle morning night nearly next of on or since start the this to until was
week weekend
"""
_TIME_FILLER_WORDS = frozenset(_TIME_FILLER.split())

# The share of the gold answer's telling words that an answer needs; between 0.2 and 0.4 the
# agreement hardly changes. In doubt: the answer also says that it does not know, or the question
# itself offers the words.
_NEEDED_SHARE = 0.3
_NEEDED_SHARE_WHERE_IN_DOUBT = 0.5
# Of the question's telling words, in an answer that says neither yes nor no.
_NEEDED_SHARE_OF_QUESTION = 0.4
_PREFIX = 5
# The published judge accepts a month for a day in it, but no longer time.
_LONGEST_DAYS = 31


class LexicalJudge:
    """Says CORRECT if the answer gives the gold answer's substance in recognizable words.

    It is about as generous as the judge of the published results. It refuses a paraphrase in other
    words, and may accept a wrong answer in the right ones. A verdict is free and takes well under
    3 ms. Measured on the 1,540 published verdicts of GPT-4.1, of which 90 % are CORRECT:

        conversations   agreement   Cohen's kappa   balanced accuracy
        odd (tuned)     0.90        0.58            0.88
        even            0.90        0.57            0.87

    It was tuned on the conversations at odd positions; only the spellings of dates in gold answers
    were taken from all. It accepts 9 % of answers to another question of the same conversation and
    category.
    """

    @property
    def identity(self) -> JudgeIdentity:
        # A changed rule needs a new number: verdicts are reused by this name.
        return JudgeIdentity(name="lexical-2", system=LEXICAL, model="lexical-2")

    async def judge(self, question: str, gold_answer: str, answer: str, category: int) -> Judgement:
        """As `Judge.judge`; never unscored, and the category changes nothing."""
        start = perf_counter()
        correct, reasoning = compare(question, gold_answer, answer)
        return Judgement(
            verdict=Verdict.CORRECT if correct else Verdict.WRONG,
            reasoning=reasoning,
            reason=None,
            input_tokens=None,
            output_tokens=None,
            cost_usd=0.0,
            latency_ms=(perf_counter() - start) * 1000.0,
        )


def compare(question: str, gold_answer: str, answer: str) -> tuple[bool, str]:
    """Whether the answer says what the gold answer does, and the rule that decided."""
    if not answer.strip():
        return False, "The answer is empty."
    abstains = declines(normalized(answer))
    gold_text = normalized(gold_answer)
    if _UNKNOWABLE.search(gold_text):
        return abstains, (
            f"Nothing can be known here, and the answer {'says so' if abstains else 'claims to'}."
        )
    years = years_in(f"{gold_answer} {answer} {question}")
    wanted_times = spans(gold_answer, years)
    if wanted_times and _is_only_time(gold_text, wanted_times):
        return _compare_times(wanted_times, spans(answer, years))
    polarity = _POLARITY.match(gold_text)
    if polarity:
        given = _polarity(question, normalized(answer))
        return given == polarity["word"], (
            f"The gold answer is {polarity['word']}, the answer amounts to {given or 'neither'}."
        )
    return _compare_words(question, gold_answer, answer, abstains)


def _is_only_time(text: str, found: Sequence[Span]) -> bool:
    for span in reversed(found):
        text = f"{text[: span.start]} {text[span.end :]}"
    return all(word in _TIME_FILLER_WORDS for word in re.findall(r"[a-z0-9]+", text))


def _compare_times(wanted: Sequence[Span], given: Sequence[Span]) -> tuple[bool, str]:
    if not given:
        return False, "The gold answer is a time, and the answer names none."
    longest = max(_LONGEST_DAYS, 2 * max(span.days for span in wanted))
    for span in given:
        if span.days <= longest and any(span.overlaps(other) for other in wanted):
            return True, f"The answer's {_days(span)} meets the gold answer's time."
    return False, f"The answer's {_days(given[0])} is not the gold answer's {_days(wanted[0])}."


def _days(span: Span) -> str:
    return f"{span.first}" if span.first == span.last else f"{span.first} to {span.last}"


def _polarity(question: str, answer: str) -> str | None:
    """`yes` or `no`; None where the answer hedges, or is about something else.

    Without a yes or no of its own it must speak of what was asked. `Nothing says that she moved`
    amounts to no; `it isn't said whether she moved` does not.
    """
    first = re.split(r"(?<=[.!?])\s", answer.strip(), maxsplit=1)[0]
    if _SAYS_YES.match(answer):
        return "yes"
    if _SAYS_NO.match(answer):
        return "no"
    elliptic = _ELLIPSIS.match(first)
    if elliptic:
        return "no" if elliptic["no"] else "yes"
    if _HEDGES.search(first) or not _is_about(question, answer):
        return None
    if declines(first):
        return None if _WHETHER.search(first) else "no"
    return "no" if _DENIES.search(first) else "yes"


def _is_about(question: str, answer: str) -> bool:
    """Whether the answer has enough of the question's telling words; names alone do not count."""
    names = frozenset(stems(" ".join(_NAME.findall(question))))
    telling = [stem for stem in dict.fromkeys(stems(question)) if stem not in STOP_STEMS]
    asked = [stem for stem in telling if stem not in names] or telling
    given = _Given(frozenset(stems(answer)))
    return sum(map(given.has, asked)) >= _NEEDED_SHARE_OF_QUESTION * len(asked)


def _compare_words(question: str, gold: str, answer: str, abstains: bool) -> tuple[bool, str]:
    given = _Given(frozenset(stems(answer)))
    asked = frozenset(stems(question))
    offers_choice = " or " in question
    in_gold = list(dict.fromkeys(stems(gold)))
    telling = [stem for stem in in_gold if stem not in STOP_STEMS] or in_gold
    wanted = [stem for stem in telling if offers_choice or stem not in asked] or telling
    if not wanted:
        return False, "The gold answer holds no word to compare."
    found = [stem for stem in wanted if given.has(stem)]
    said = f"The answer has {len(found)} of the gold answer's {len(wanted)} telling words"
    numbers = [stem for stem in wanted if is_number(stem)]
    if len(numbers) * 2 >= len(wanted) and not all(map(given.has, numbers)):
        return False, f"{said}, and a number is missing."
    needed = _NEEDED_SHARE_WHERE_IN_DOUBT if abstains or offers_choice else _NEEDED_SHARE
    return len(found) >= needed * len(wanted), f"{said}."


@dataclass(frozen=True)
class _Given:
    stems: frozenset[str]

    def has(self, stem: str) -> bool:
        if stem in self.stems:
            return True
        prefix = stem[:_PREFIX]
        return (
            len(prefix) == _PREFIX
            and not is_number(stem)
            and any(other.startswith(prefix) for other in self.stems)
        )
