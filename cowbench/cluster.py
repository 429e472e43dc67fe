"""Batches on a Dask cluster, of this machine or of many, as a concurrent.futures executor.

Dask itself gives a dead worker's batches to the others; what killed several workers comes back as KilledWorker, and is
then run cell by cell as everywhere. A scheduler that goes takes all its futures along: the run ends in one line.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FunctionType
from typing import TYPE_CHECKING, Any

from cowbench import parcels
from cowbench.errors import ClusterError, CowbenchError, ParameterError
from cowbench.plugins import words_of

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as DaskFuture

_CONNECT_S = 10.0
_PATIENCE_S = 60.0
"""How long a cluster may be without any worker: they come and go, and take their time to start."""
_LOCAL = {
    "distributed.scheduler.allowed-failures": 0,  # what kills a worker once is run cell by cell, as with processes
    "distributed.deploy.lost-worker-timeout": "1 day",  # a worker that is being started again is not to be let go
}
_WORK = FunctionType(parcels.work.__code__, {"__name__": "__main__"})
"""`parcels.work` as if typed at a prompt: so Dask sends the function itself, not the name of a module to import there.

A worker that cannot import what it was sent closes without a word.
"""
_KEPT = "finished cells are kept, run again to go on"


@contextmanager
def opened(executor: str, jobs: int) -> Iterator[Cluster]:
    """Connect to a cluster, `dask://HOST:PORT`, or start one of `jobs` processes here, `dask:local`.

    Raises ParameterError for another name, ClusterError if the package is missing or nobody answers.
    """
    address = _address(executor)
    try:
        import distributed
    except ImportError as error:
        words = f"--executor {executor} needs the Python package {error.name}, which is not installed"
        raise ClusterError(f"{words}; pip install 'cowbench[dask]'") from None
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL)  # what goes wrong is said here, in one line
    with _scheduler(address, jobs) as at:
        try:
            client = distributed.Client(at, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            words = f"{executor}: no scheduler of Dask answers there ({' '.join(str(error).split())})"
            raise ClusterError(f"{words}; start one with 'dask scheduler', workers with 'dask worker'") from None
        try:
            yield Cluster(executor, client)
        finally:
            client.close(timeout=2)


def _address(executor: str) -> str | None:
    """Return where a scheduler is, as Dask writes it; None for one that is to be started here."""
    if executor == "dask:local":
        return None
    scheme, _, place = executor.partition("://")
    if scheme != "dask" or not place.rpartition(":")[2].isdecimal() or not place.rpartition(":")[0]:
        raise ParameterError(f"--executor '{executor}' is not known; give dask:local or dask://HOST:PORT")
    return place if "://" in place else f"tcp://{place}"


@contextmanager
def _scheduler(address: str | None, jobs: int) -> Iterator[Any]:
    import dask
    from distributed import LocalCluster

    if address is not None:
        yield address
        return
    # One thread a worker: trials are CPU-bound. No limit of memory, as with processes: a trial needs what it needs.
    options = {"n_workers": jobs, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
    with dask.config.set(_LOCAL), LocalCluster(silence_logs=logging.CRITICAL, **options) as started:
        yield started


class Cluster:
    """Workers of a Dask cluster, as cowbench.execute wants them."""

    def __init__(self, name: str, client: Client) -> None:
        self._name, self._client = name, client
        self._seen = time.monotonic()

    def executor(self) -> AbstractContextManager[Executor]:
        """Give an executor; it sends parcels."""
        return nullcontext(_Parcels(self._client, self._lost))

    def window(self) -> int:
        """Return two batches a thread. Raises ClusterError if there has been no worker for long, or no scheduler."""
        if self._client.status != "running":
            raise self._lost()
        try:
            threads = sum(self._client.nthreads().values())
        except OSError:
            raise self._lost() from None
        now = time.monotonic()
        if threads:
            self._seen = now
        elif now - self._seen > _PATIENCE_S:
            words = f"{self._name}: the cluster has had no worker for {_PATIENCE_S:.0f} s"
            raise ClusterError(f"{words}; start some with 'dask worker'; {_KEPT}")
        return max(2, 2 * threads)

    def _lost(self) -> ClusterError:
        return ClusterError(f"{self._name}: the scheduler of the cluster has gone; {_KEPT}")


class _Parcels(Executor):
    """Sends batches as parcels, whatever it is asked to run them by: that goes along in the parcel.

    distributed's own Client.get_executor() never answers for a task whose worker dies while its result is awaited.
    """

    def __init__(self, client: Client, lost: Callable[[], ClusterError]) -> None:
        self._client, self._lost = client, lost

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        (batch,) = args
        parcel = parcels.pack(batch)
        answer: Future[Any] = Future()
        try:
            sent = self._client.submit(_WORK, parcel, pure=False)
        except Exception:  # Dask has errors of several kinds for a client whose scheduler went this very moment
            raise self._lost() from None
        sent.add_done_callback(lambda done: self._answer(done, answer))
        return answer

    def _answer(self, done: DaskFuture[str], answer: Future[Any]) -> None:
        from distributed import KilledWorker

        try:
            answer.set_result(parcels.unpack(done.result()))
        except CancelledError:
            answer.set_exception(self._lost())
        except KilledWorker as error:
            answer.set_exception(BrokenExecutor(words_of(error)))
        except CowbenchError as error:
            answer.set_exception(error)
        except Exception as error:
            answer.set_exception(ClusterError(f"a worker of the cluster failed: {words_of(error)}; {_KEPT}"))
