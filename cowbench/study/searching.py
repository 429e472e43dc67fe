"""The search of the rules as a part of a study: what a store lacks of it is searched, and kept piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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


def kept(study: Study, store: Store) -> Proposal | None:
    """Return what a store holds of the search of a study: all of it, or None."""
    deep = programs(study)
    if not deep:
        return None
    from cowbench.search import proposal

    texts = {name: text for name, (_, text) in store.searches().items()}
    return proposal.proposal(texts, deep) if set(proposal.PIECES) <= set(texts) else None


def programs(study: Study) -> int:
    """Return how many random programs the study holds what is found against; 0: it searches nothing."""
    return max(question.search for question in study.questions)
