"""The kernel of this host: the agent as a child process."""

from __future__ import annotations

import subprocess

from cowbench.linux import build
from cowbench.linux.connection import Agent, AgentKernel, Line

_NO_SWAP = "the host's memory is never put out to swap; programs with page_out run in guests"


class Host(AgentKernel):
    """The running kernel, as the caller's user."""

    def __init__(self, timeout_s: float = 60.0) -> None:
        """Raises KernelError without a compiler, or if the agent does not answer."""
        self._process = subprocess.Popen([build.agent()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = Line(self._process.stdout.fileno(), self._process.stdin.fileno(), self._ended)
        agent = Agent(line, timeout_s)
        super().__init__("host", agent, swap=None, no_swap=_NO_SWAP, guard=agent.hello.guard)

    def close(self) -> None:
        """End the agent; its processes end with it."""
        super().close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self, noise: str) -> str:
        code = self._process.poll()
        self._process.kill()
        return "the agent hangs and was killed" if code is None else f"the agent ended by itself (exit code {code})"
