"""What the stand-in remembers of a message when it extracts facts, instead of its words.

An invention, simple and deterministic: real services ask a model. Storing the facts belongs to
`state`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from locomo_assets.standin import dates

SOMEBODY = "User"
"""Who speaks in a message that names no speaker."""

_ALIKE = 0.6
"""The share of common words from which on a fact restates another."""

_SPEAKER = re.compile(r"([^:\n]{1,40}): ")
_IMAGE = re.compile(r"\[Sharing image\b([^\]]*)\]?")
_CAPTIONS = (re.compile(r"shows: (.+)", re.S), re.compile(r"query for: (.+)", re.S))
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+|\s+[–—]\s+")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")

_OPENING = re.compile(
    r"^(?:(?:aw|ah|oh|wow|well|yeah|yep|yup|yes|no|nope|hey|hi|hello|thanks|thank you|thx|so|"
    r"btw|by the way|anyway|actually|absolutely|totally|definitely|exactly|sure|cool|nice|great|"
    r"awesome|congrats|congratulations|haha|lol)\b[\s,!.:–-]*)+(?:[A-Z]\w+[,!.–-]\s*)?",
    re.I,
)
_POLITE = re.compile(
    r"\b(?:agree|appreciate|proud of you|happy for you|glad|hear from you|talk to you|see you|"
    r"chat soon|let me know|can't wait to (?:hear|see)|good luck|take care|mean a lot|"
    r"means a lot|for the support|your (?:kind )?words|take a look|check (?:this|it) out|"
    r"long time no)\b",
    re.I,
)
_FIRST_PERSON = re.compile(r"\b(?:I|my|me|mine|myself|we|our|ours|us)\b", re.I)
_SECOND_PERSON = re.compile(r"\b(?:you|your|yours|yourself)\b", re.I)
_LEAST_WORDS, _LEAST_WORDS_WITHOUT_PERSON = 2, 4

_WITHOUT_CONTENT = frozenset(
    _WORD.findall(
        "a about after all also am an and are as at be been but by can can't could did do does "
        "doing don't for from get go going gonna got great had has have he her him his how i i'd "
        "i'll i'm i've if in is it it'll it's its just know like lot lots made make me more much "
        "my nice no not of off on or our out really right she so some still sure than that that's "
        "the their them then there they things this to too up us very was way we we'll we're we've "
        "well were what when who why will with would yeah yes you you're your awesome amazing cool "
        "fun"
    )
)

_VERBS = (
    "love|like|want|need|know|think|feel|hope|plan|enjoy|work|live|play|help|make|take|get|keep|"
    "find|see|give|believe|remember|use|run|read|write|start|look|own|prefer|cook|paint|visit|"
    "try|study|go|teach|watch|wish|do|have|am|don't|haven't"
)
_IRREGULAR = {
    "try": "tries", "study": "studies", "go": "goes", "teach": "teaches", "watch": "watches",
    "wish": "wishes", "do": "does", "have": "has", "am": "is", "don't": "doesn't",
    "haven't": "hasn't",
}  # fmt: skip
_ADVERB = r"really|also|just|still|always|totally|definitely|usually|often|actually|never"
_I_AND_VERB = re.compile(rf"\bI (?:(?P<adverb>{_ADVERB}) )?(?P<verb>{_VERBS})\b")
_PRONOUN = re.compile(
    r"\b(?:I(?:'(?:m|ve|ll|d))?|we(?:'(?:re|ve|ll|d))?|you(?:'(?:re|ve|ll|d))?|me|my|mine|myself|"
    r"our|ours|us|ourselves|your|yours|yourself)\b",
    re.I,
)
_PREPOSITION = re.compile(
    r"\b(?:in|on|since|by|until|till|before|after|from|during|of|for) $", re.I
)
_WEEKS = re.compile(r"(?:the|two|\d+) week")
_LEAD = re.compile(r"(?:back in|in|on|since|of) ", re.I)


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence about its speaker that can be understood alone."""

    speaker: str
    text: str
    is_image: bool = False


Extract = Callable[[str, date], Sequence[Fact]]
"""From a message and its day to what is remembered of it."""


def extract(content: str, said_on: date) -> tuple[Fact, ...]:
    """The facts of a message `speaker: text`; none where nothing is worth remembering.

    Greetings, questions, thanks and what is only about the listener are left out. An image is a
    fact of its own.
    """
    named = _SPEAKER.match(content)
    speaker = named[1].strip() if named else SOMEBODY
    said = content[named.end() :] if named else content
    plain = _IMAGE.sub(" ", said).replace("’", "'")
    facts = [
        Fact(speaker, _reworded(sentence, speaker, said_on))
        for part in _SENTENCE_END.split(plain)
        if (sentence := _without_opening(part)) and _is_worth_remembering(sentence)
    ]
    for image in _IMAGE.finditer(said):
        shown = next((found[1] for one in _CAPTIONS if (found := one.search(image[1]))), None)
        if shown:
            text = f"{speaker} shared {shown.strip().rstrip('.')}."
            facts.append(Fact(speaker, text, is_image=True))
    return tuple(dict.fromkeys(facts))


def restated(fact: Fact, known: Iterable[tuple[str, str]]) -> tuple[str, bool] | None:
    """Of memories of the same speaker (id, text) the first that the fact restates, if any.

    And whether the fact has words that the memory lacks. Most words must be in both, of an image
    all: two photos of dogs are two facts.
    """
    new = words(fact.text)
    for memory_id, text in known:
        old = words(text)
        if len(new & old) >= (1.0 if fact.is_image else _ALIKE) * max(1, len(new | old)):
            return memory_id, not new <= old
    return None


def words(text: str) -> frozenset[str]:
    """The words by which facts are compared."""
    return frozenset(_WORD.findall(text.lower())) - _WITHOUT_CONTENT


def _without_opening(part: str) -> str:
    sentence = part.strip(" -–—\t")
    rest = _OPENING.sub("", sentence, count=1)
    return rest[:1].upper() + rest[1:]


def _is_worth_remembering(sentence: str) -> bool:
    if sentence.endswith("?") or _POLITE.search(sentence):
        return False
    content = len(words(sentence))
    if _FIRST_PERSON.search(sentence):
        return content >= _LEAST_WORDS
    return content >= _LEAST_WORDS_WITHOUT_PERSON and not _SECOND_PERSON.search(sentence)


def _reworded(sentence: str, speaker: str, said_on: date) -> str:
    dated = _with_date(sentence.rstrip(".!"), said_on)
    forms = _third_person(speaker)
    third = _I_AND_VERB.sub(lambda found: _inflected(found, speaker), dated)
    third = _PRONOUN.sub(lambda found: forms[found[0].lower()], third)
    if speaker not in third:
        third = f"{speaker} said that {third[:1].lower()}{third[1:]}"
    return f"{third[:1].upper()}{third[1:]}."


def _with_date(sentence: str, said_on: date) -> str:
    """The sentence with its phrase of time as a date, such as `on 7 May 2023` for yesterday."""
    found = dates.find(sentence, said_on)
    if found is None:
        return sentence
    (begin, end), when = found
    before, phrase = sentence[:begin], sentence[begin:end]
    lead = _LEAD.match(phrase)
    if not _WEEKS.match(when):
        before += lead[0] if lead else ""
        if not _PREPOSITION.search(before):
            before += "on " if re.match(r"\d{1,2} ", when) else "in "
    return f"{before}{when}{sentence[end:]}"


def _inflected(found: re.Match[str], speaker: str) -> str:
    adverb = f"{found['adverb']} " if found["adverb"] else ""
    verb = found["verb"]
    return f"{speaker} {adverb}{_IRREGULAR.get(verb, f'{verb}s')}"


def _third_person(speaker: str) -> Mapping[str, str]:
    both, whose = f"{speaker} and others", f"{speaker}'s"
    return {
        "i": speaker, "i'm": f"{speaker} is", "i've": f"{speaker} has",
        "i'll": f"{speaker} will", "i'd": f"{speaker} would",
        "me": speaker, "my": whose, "mine": whose, "myself": "themselves",
        "we": both, "we're": f"{both} are", "we've": f"{both} have", "we'll": f"{both} will",
        "we'd": f"{both} would", "our": "their", "ours": "theirs", "us": "them",
        "ourselves": "themselves",
        "you": "the other", "you're": "the other is", "you've": "the other has",
        "you'll": "the other will", "you'd": "the other would", "your": "the other's",
        "yours": "the other's", "yourself": "themselves",
    }  # fmt: skip
