"""Logical clocks for producers in Python, as `ordered_events::logical` has them in Rust.

Copy what you need. `python3 clocks.py` tries the examples below.

A Lamport clock, for handlers with `order = "lamport"`. What is received moves it on, so that an effect has a later time
than its cause:

>>> shop, bank = LamportClock(), LamportClock()
>>> order = shop.send()
>>> bank.receive(order)
2
>>> payment = bank.send()
>>> order < payment
True

A vector clock, for handlers with `order = "causal"`. It counts for each producer of a key what it has sent, and so it also
says when two events know nothing of each other:

>>> ada, bob, eve = VectorClock("ada"), VectorClock("bob"), VectorClock("eve")
>>> comment = ada.send()
>>> bob.merge(comment)
>>> reply = bob.send()
>>> reply == {"ada": 1, "bob": 1}
True
>>> comes_before(comment, reply), comes_before(eve.send(), reply)
(True, False)

Both are kept for each key: a producer that is started again goes on with the clock that it had.
"""


class LamportClock:
    """L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System" (1978)."""

    def __init__(self, time=0):
        """`time` is the last one that it gave or saw, as it was kept over a restart."""
        self.time = time

    def send(self):
        """An event is sent: the time that goes with it."""
        self.time += 1
        return self.time

    def receive(self, time):
        """An event with this time is received: the time of its receipt."""
        self.time = max(self.time, time)
        return self.send()


class VectorClock:
    """C. Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering" (1988); F. Mattern (1989)."""

    def __init__(self, producer, counts=()):
        """The clock of one producer. `counts` is what it knew, as it was kept over a restart."""
        self.producer = producer
        self.counts = dict(counts)

    def send(self):
        """An event is sent: the clock that goes with it, its own event included."""
        self.counts[self.producer] = self.counts.get(self.producer, 0) + 1
        return dict(self.counts)

    def merge(self, counts):
        """An event with this clock was read: what is sent from now on depends on it."""
        for producer, count in counts.items():
            self.counts[producer] = max(self.counts.get(producer, 0), count)


def comes_before(one, other):
    """Whether the event with the clock `one` is a cause of the event with the clock `other`."""
    return one != other and all(count <= other.get(producer, 0) for producer, count in one.items())


if __name__ == "__main__":
    import doctest
    import sys

    sys.exit(doctest.testmod().failed > 0)
