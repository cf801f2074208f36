"""Faults on the way to AWS: a call that is never made, and an answer that is lost, for good or once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ConnectionClosedError


@dataclass(frozen=True)
class Call:
    """One call of AWS's API."""

    service: str
    operation: str
    params: dict[str, Any]


@dataclass
class Faults:
    """The calls of AWS so far, and what goes wrong at one of them.

    Attributes:
        calls: All calls since `watch`.
    """

    calls: list[Call] = field(default_factory=list)
    _number: int = 0
    _before: BaseException | None = None
    _after: BaseException | None = None
    _is_repeated: bool = False

    def clear(self) -> None:
        """Forget all calls; nothing goes wrong any more."""
        self.calls, self._number, self._before, self._after, self._is_repeated = [], 0, None, None, False

    def interrupt_before(self, number: int) -> None:
        """Raise KeyboardInterrupt in place of the call with this number, counted from 1."""
        self.clear()
        self._number, self._before = number, KeyboardInterrupt()

    def lose_answer(self, number: int) -> None:
        """Carry out the call with this number and break the connection, as botocore sees it in the end."""
        self.clear()
        self._number, self._after = number, ConnectionClosedError(endpoint_url="https://amazonaws.com")

    def repeat(self, number: int) -> None:
        """Carry out the call with this number twice, as botocore does when the first answer is lost."""
        self.clear()
        self._number, self._is_repeated = number, True

    def count(self, action: Callable[[], object]) -> int:
        """Return the number of calls that an action makes."""
        self.clear()
        action()
        return len(self.calls)

    def begin(self, call: Call) -> None:
        """Note that a call is about to be made."""
        self.calls.append(call)
        if self._before and len(self.calls) == self._number:
            raise self._before

    @property
    def is_repeated(self) -> bool:
        """Whether the latest call is to be carried out twice."""
        return self._is_repeated and len(self.calls) == self._number

    @property
    def is_lost(self) -> bool:
        """Whether the answer of the latest call gets lost."""
        return self._after is not None and len(self.calls) == self._number

    def end(self) -> None:
        """Note that the latest call has been carried out."""
        if self._after and self.is_lost:
            raise self._after
