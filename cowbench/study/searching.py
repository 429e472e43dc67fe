"""The search of the rules as a part of a study: what a store lacks of it is searched, and kept piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cowbench.errors import StudyError
from cowbench.store import Store
from cowbench.study.definition import Study

if TYPE_CHECKING:
    from cowbench.search.outcome import Proposal


def complete(study: Study, store: Store, say: Callable[[str], None]) -> None:
    """Search what the store lacks for a study; stopped or killed, it goes on with the piece that it was at."""
    deep = programs(study)
    if not deep:
        return
    from cowbench.search import proposal
    from cowbench.search.outcome import Found, found_from, to_json

    before: list[Found] = []
    for name in proposal.PIECES:
        key = proposal.key(name, deep)
        known, text = store.searches().get(name, ("", ""))
        if known != key:
            text = to_json(proposal.piece(name, before, deep, say))
            store.add_search(key, name, text)
        if name != proposal.BUILT_IN:
            before.append(found_from(text))


def kept(store: Store) -> Proposal | None:
    """Return what a store holds of a search: all of it, or None if a piece is missing or of another form."""
    texts = {name: text for name, (_, text) in store.searches().items()}
    if not texts:
        return None
    from cowbench.search import proposal

    try:
        return proposal.proposal(texts)
    except (KeyError, TypeError, ValueError):
        return None


def save(searched: Proposal | None, folder: Path) -> None:
    """Write the rules that were found as policy files into a folder. Raises StudyError if there are none."""
    if searched is None:
        raise StudyError("--save-rules: this study searches no rules; give one with 'search', such as seed-thread")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in searched.sources().items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{folder}: cannot be written ({error.strerror}); give another folder") from None


def programs(study: Study) -> int:
    """Return how many random programs the study holds what is found against; 0: it searches nothing."""
    return max(question.search for question in study.questions)
