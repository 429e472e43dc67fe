"""Every error a user can cause, in one tree.

CowbenchError            one line for the terminal, exit code 2
├── PluginError          a policy, workload or report section that does not load or breaks its contract
├── ParameterError       unknown parameter, value of the wrong type or out of range
├── ProgramError         an impossible operation, or a program file that cannot be read
├── NotApplicable        the backend cannot stage what the program asks for
├── OutOfFrames          no frame, or no charge, for a page; earlier pages of the batch were applied
├── StoreError           a result store that is not one, is newer, locked or cannot be written
├── ProfileError         a cost profile that cannot be read
├── KernelError          a real kernel that cannot be had, booted or talked to
├── ClusterError         a cluster that cannot be reached, is lost, or whose workers would make other rows
├── StudyError           a study file that cannot be read, or an expression in it that fails
├── RecordError          a program that cannot be recorded here, or not at all
└── HistoryError         asv results that are missing, unreadable or cannot be written
"""


class CowbenchError(Exception):
    """Base of all errors that are the user's to mend; the message names the thing and the remedy."""


class PluginError(CowbenchError):
    """A plug-in file cannot be loaded, or broke its contract while it ran."""


class ParameterError(CowbenchError, ValueError):
    """A parameter is unknown, of the wrong type or out of its range."""


class ProgramError(CowbenchError, ValueError):
    """An operation that no machine could carry out, or an unreadable program file."""


class NotApplicable(CowbenchError):
    """The machine lacks a capability that the operation needs."""


class OutOfFrames(CowbenchError):
    """A fault found no free frame, or its memory cgroup was at its limit.

    `done` is the number of pages of the batch that were applied before it.
    """

    def __init__(self, message: str, done: int) -> None:
        super().__init__(message)
        self.done = done


class StoreError(CowbenchError):
    """A result store cannot be opened, read or written."""


class ProfileError(CowbenchError):
    """A cost profile is missing or malformed."""


class KernelError(CowbenchError):
    """A real kernel, or a tool needed to reach it, is missing, does not start, or does not answer."""


class ClusterError(CowbenchError):
    """A Dask cluster cannot be reached, has gone, or has workers that lack something or would make other rows."""


class StudyError(CowbenchError):
    """A study file is malformed, or an expression of its claims or answers fails."""


class HistoryError(CowbenchError):
    """Results of asv are missing, damaged or of another format, or cannot be written."""


class RecordError(CowbenchError):
    """A program cannot be started or followed, or this machine or user cannot record."""
