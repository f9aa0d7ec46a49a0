"""Whose turn it is among the listeners."""

import asyncio
from collections import deque

from sdrest.web.listeners import Listener, Topic

_SLICE = 0.001
"""Seconds of a round after which other work of the server has its turn."""

_REST = 0.5
"""How long nobody has a turn after a round, as a part of the round's time."""

_LOOK_SECONDS = 0.1
"""How often it is looked whether a client that was slow takes bytes again."""


class Rounds:
    """Gives listeners their turns, so that neither many of them nor slow ones hold up the server.

    In a round each of those for whom there is something new has one turn. A round goes on in
    slices, between which the server does other work; after it there is a rest, half as long as
    the round. What happens meanwhile waits for the next round, where steps of a job are one:
    thousands of listeners get fewer steps, and never take more than two thirds of the processor.
    """

    def __init__(self) -> None:
        self._topics: set[Topic] = set()
        self._single: set[Listener] = set()
        self._round: deque[Listener] = deque()
        self._behind: set[Listener] = set()
        self._spent = 0.0
        self._rests_until = 0.0
        self._handle: asyncio.Handle | None = None
        self._look: asyncio.TimerHandle | None = None

    def add(self, *listeners: Listener) -> None:
        """Let some have a turn soon."""
        self._single.update(listeners)
        self._begin_soon()

    def add_all(self, topic: Topic) -> None:
        """Let all who listen to a topic have a turn soon."""
        self._topics.add(topic)
        self._begin_soon()

    def close(self) -> None:
        """Give no more turns."""
        for handle in (self._handle, self._look):
            if handle is not None:
                handle.cancel()
        self._round.clear()

    def _begin_soon(self) -> None:
        if self._handle is None:
            loop = asyncio.get_running_loop()
            if self._rests_until > loop.time():
                self._handle = loop.call_at(self._rests_until, self._begin)
            else:
                self._handle = loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._round.extend(self._single)
        for topic in self._topics:
            self._round.extend(topic.listeners)
        self._single.clear()
        self._topics.clear()
        self._spent = 0.0
        self._slice()

    def _slice(self) -> None:
        loop = asyncio.get_running_loop()
        start = now = loop.time()
        try:
            while self._round and now - start < _SLICE:
                listener = self._round.popleft()
                if not listener.flush():
                    self._wait_for(listener)
                now = loop.time()
        finally:  # a turn that failed, which the loop logs, is no reason for having no more of them
            self._handle = None
        self._spent += now - start
        if self._round:
            self._handle = loop.call_soon(self._slice)
            return
        self._rests_until = now + _REST * self._spent
        if self._single or self._topics:
            self._begin_soon()

    def _wait_for(self, listener: Listener) -> None:
        self._behind.add(listener)
        if self._look is None:
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(_LOOK_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._look = None
        behind, self._behind = self._behind, set()
        self.add(*behind)
