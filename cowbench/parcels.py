"""What is sent to a worker on another machine, and what it makes of it.

A parcel is one line of JSON: a batch, the plug-ins' files, and what must be the same there for the rows to be the same.
`work` is sent along, so nothing but the engine is taken from what is installed there, and that only if it is the same.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from cowbench import keys, plugins
from cowbench.errors import ClusterError, PluginError
from cowbench.execute import Batch, Outcome
from cowbench.spec import PluginSpec


def pack(batch: Batch) -> str:
    """Write a parcel. Raises PluginError if a plug-in's file is no longer what the batch was made from."""
    sources = dict(_source(PluginSpec.from_json(text)) for text in (batch.policy, batch.workload))
    same = {"engine of cowbench": keys.engine_digest()[:16], "numpy": np.__version__}
    return json.dumps({"batch": dataclasses.asdict(batch), "sources": sources, "same": same})


def _source(spec: PluginSpec) -> tuple[str, str]:
    contents = plugins.contents(spec.kind, Path(spec.file))
    if plugins.digest_of(contents) != spec.digest:
        raise PluginError(f"{spec.kind} {spec.file}: changed after the run had begun; run again")
    return spec.file, contents.decode()


def work(parcel: str) -> str:
    """Run a parcel's batch where it has arrived; return its outcomes, or why there are none, as JSON.

    It is sent by value to a Python that may have no cowbench, or another one, so it uses nothing of this module.
    """
    import dataclasses
    import json
    import platform
    from pathlib import Path

    def refuse(words: str) -> str:
        return json.dumps({"refused": f"a worker of the cluster, on {platform.node()}, {words}"})

    sent = json.loads(parcel)
    try:
        import numpy as np

        from cowbench import keys
    except ImportError as error:
        return refuse(f"cannot import {error.name}; install cowbench for the Python of the workers")
    here = {"engine of cowbench": keys.engine_digest()[:16], "numpy": np.__version__}
    for name, wanted in sent["same"].items():
        if here[name] != wanted:
            return refuse(f"has another {name}, {here[name]} in place of {wanted}; install the same there")

    from cowbench import costs, execute, plugins
    from cowbench.errors import CowbenchError
    from cowbench.spec import PluginSpec

    for file, source in sent["sources"].items():
        plugins.lend(Path(file), source.encode())
    told = sent["batch"]
    batch = execute.Batch(**told | {"seeds": tuple(told["seeds"]), "keys": tuple(told["keys"])})
    policy, workload = PluginSpec.from_json(batch.policy), PluginSpec.from_json(batch.workload)
    try:
        key = keys.cell_key(policy, workload, batch.seeds[0], costs.parse_profile(batch.profile))
        read = ", ".join(map(str, workload.build().files_read()))
    except CowbenchError as error:
        return refuse(f"cannot run what runs here: {error}")
    if key != batch.keys[0]:
        return refuse(f"would make other rows of {workload.text}; make sure that it has the same {read or 'files'}")
    return json.dumps({"outcomes": [dataclasses.asdict(outcome) for outcome in execute.run_batch(batch)]})


def unpack(answer: str) -> list[Outcome]:
    """Read what `work` returned. Raises ClusterError if the worker refused."""
    found = json.loads(answer)
    if "refused" in found:
        raise ClusterError(found["refused"])
    return [Outcome(**outcome) for outcome in found["outcomes"]]
