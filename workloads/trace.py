"""trace: replays a recorded program file.

Load: whatever was recorded. Without `file` it is cow.jsonl beside this file: the 14 anonymous cases of the kernel's
tools/testing/selftests/mm/cow.c in the words of a Machine, one after the other.
Source: program files are described in cowbench/program_file.py; the cases are those of v6.19.
Scale: none; a recorded row and its replay are identical.
Differ: on cow.jsonl mapcount leaks in cases 3 to 6 and loses pins in 8 to 10; page_count loses pins in 7 to 14 and
leaks in 3 and 4 swapped; has_pinned the same but for 8; anon_exclusive passes all; always_reuse leaks in most.
"""

from pathlib import Path

from cowbench.replay import Replay
from cowbench.workload import parameter


class Trace(Replay):
    differs = (("mapcount", "has_pinned"), ("page_count", "has_pinned"), ("always_reuse", "has_pinned"))

    file: str = parameter("", help="path of a program file; empty: the cases of cow.c")

    def program(self) -> Path:
        return Path(self.file) if self.file else Path(__file__).with_name("cow.jsonl")
