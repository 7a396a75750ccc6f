"""Names that are nearly known ones: a misspelled limit or key would be none, and unnoticed.

Of the environment's variables, of the keys of files, and of releases. Names alone; values belong
elsewhere.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator

PREFIX = "LOCOMO_"

# The likeness from which on a name counts as misspelled: MAX_COST and MAX_COST_USD have 0.80.
# RELEASE, which deployments use for their own, and RELEASE_FEED have 0.74.
_NEARLY = 0.76

# Others have names of their own that begin so: OPENAI_API_TYPE has 0.80, without underscores.
_NEARLY_OF_SERVICE = 0.9
_SHORTER = {
    "KEY": "_API_KEY",
    "TOKEN": "_API_KEY",
    "APITOKEN": "_API_KEY",
    "SECRET": "_API_KEY",
    "SECRETKEY": "_API_KEY",
    "URL": "_BASE_URL",
    "APIURL": "_BASE_URL",
    "ENDPOINT": "_BASE_URL",
    "APIENDPOINT": "_BASE_URL",
    "BASE": "_BASE_URL",
    "HOST": "_BASE_URL",
    "APISECRET": "_API_KEY",
}


def unknown_name(name: str, known: Collection[str]) -> str:
    """What to say of a key that a file may not have: the nearest known one, else all of them."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"


_MOST_NAMED = 20


def unknown_release(
    release: str,
    known: Iterable[str],
    lacks: str = "no verdicts",
    where: str = "in the history",
) -> str:
    """What to say of a release that is not known: the nearest known one, else all of them.

    `known`: newest first, each as often as may be. `lacks`: what there is not of it.
    """
    known = list(dict.fromkeys(known))
    says = f"release {release}: {lacks} {where}"
    by_letters = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(release.casefold(), by_letters, n=1, cutoff=0.6)
    if near:
        return f"{says}; did you mean {by_letters[near[0]]}?"
    more = f" and {len(known) - _MOST_NAMED} older" if len(known) > _MOST_NAMED else ""
    if not known:
        return f"{says}; none is there yet"
    names = ", ".join(known[:_MOST_NAMED])
    return f"{says}; choose one of: {names}{more}"


def misspelled(variables: Collection[str], settings: Collection[str]) -> Iterator[str]:
    """A line for each variable that is nearly one of the settings', and is none.

    A service's own name is left alone where the variable that is meant is set, too, or a key
    comes from LOCOMO_SECRETS: it may be another program's.
    """
    known = {name.removeprefix(PREFIX) for name in settings if name.startswith(PREFIX)}
    of_services = {name for name in settings if not name.startswith(PREFIX)}
    given = {variable.upper() for variable in variables}
    if PREFIX + "SECRETS" in given:
        given |= {name for name in of_services if name.endswith("_KEY")}
    for variable in sorted(variables):
        name = variable.upper().removeprefix(PREFIX)
        has_prefix = variable.upper().startswith(PREFIX)
        if variable.upper() in settings:
            continue
        of = _mistyped_prefix(variable.upper(), known)
        if of is not None:
            yield f"{variable} is no setting, but {of} is; rename it, or unset it"
            continue
        meant = _service_setting(name, of_services)
        if has_prefix and meant is None:
            near = nearest(name, known)
            meant = None if near is None else PREFIX + near
        if meant is not None and (has_prefix or meant not in given):
            yield f"{variable} is no setting, but {meant} is; rename it, or unset it"


def _mistyped_prefix(variable: str, known: Collection[str]) -> str | None:
    """LOKOMO_DATASET, LOCOMODATASET, … → the setting that is meant."""
    project = PREFIX.rstrip("_")
    for one in known:
        first = variable.removesuffix(one).rstrip("_-")
        if first != variable and not variable.startswith(PREFIX):
            likeness = difflib.SequenceMatcher(None, first, project).ratio()
            if likeness >= _NEARLY and first[0] == project[0] and len(first) >= 5:
                return PREFIX + one
    return None


def _service_setting(name: str, settings: Collection[str]) -> str | None:
    """BACKBOARD_APIKEY, OPENAI_KEY, … → the setting that is meant."""
    letters = _letters(name)
    for setting in sorted(settings):
        service = setting.partition("_")[0]
        if letters.startswith(service):
            rest = letters.removeprefix(service)
            if _SHORTER.get(rest) == setting.removeprefix(service):
                return setting
        likeness = difflib.SequenceMatcher(None, letters, _letters(setting)).ratio()
        begins = letters[:3] == service[:3] or sorted(letters[:4]) == sorted(service[:4])
        if likeness >= _NEARLY_OF_SERVICE and begins:
            return setting
    return None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name))


def nearest(name: str, known: Collection[str]) -> str | None:
    """The one of the known names that is meant by a misspelled one, if any is near enough."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=_NEARLY)), None)
