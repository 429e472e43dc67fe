"""The recorded side of prefork_server: a WSGI application whose data are loaded before its workers are forked."""

import os
import random
from collections.abc import Callable, Iterable
from typing import Any

ITEMS = int(os.environ.get("COWBENCH_ITEMS", "100000"))
"""How many articles the server holds."""

articles: list[dict[str, Any]] = [{"number": n, "title": f"article {n}", "price": n / 3} for n in range(ITEMS)]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer /N with the sum of 50 articles drawn with seed N."""
    chosen = random.Random(environ["PATH_INFO"]).sample(range(ITEMS), 50)
    body = b"%.3f\n" % sum(articles[n]["price"] for n in chosen)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
