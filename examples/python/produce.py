#!/usr/bin/env python3
"""Publishes the events of orders to RabbitMQ, as a producer in another language: the same events, options and output as
`cargo run --example orders -- produce`. Needs pika (`pip install pika`)."""

import argparse
import json
import random
import sys
import time
import uuid

import pika


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", required=True, help="where the events go: amqp://…")
    parser.add_argument("--queue", required=True, help="the queue; it must exist, or is declared as the worker does")
    parser.add_argument("--keys", type=int, default=100, help="how many orders")
    parser.add_argument("--events", type=int, default=10, help="how many events for each")
    parser.add_argument("--shuffle", type=int, default=0, help="each event is moved by up to this many places")
    parser.add_argument("--duplicates", type=int, default=0, help="this many percent of the events are published twice")
    parser.add_argument("--seed", type=int, help="what decides ids, places and duplicates")
    return parser.parse_args()


def payload(seq):
    typical = {
        1: {"type": "OrderCreated", "customer": "Ada", "amount_cents": 4200},
        2: {"type": "PaymentCaptured", "amount_cents": 4200},
        3: {"type": "OrderPacked", "parcel": "P-1"},
        4: {"type": "OrderShipped", "carrier": "Hermes"},
        5: {"type": "OrderDelivered"},
    }
    return typical.get(seq, {"type": "NoteAdded", "text": f"note {seq - 5}"})


def events(keys, count, chance):
    for seq in range(1, count + 1):
        for key in range(1, keys + 1):
            event_id = uuid.UUID(int=chance.getrandbits(128), version=4)
            yield {"order_id": f"order-{key}", "seq": seq, "payload": payload(seq), "event_id": str(event_id)}


def moved(items, window, chance):
    """Each item moved by at most `window` places."""
    keyed = [(place + chance.randint(0, window), item) for place, item in enumerate(items)]
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]


def main():
    options = arguments()
    seed = options.seed if options.seed is not None else random.getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bodies = []
    for event in events(options.keys, options.events, chance):
        twice = chance.randrange(100) < options.duplicates
        bodies.extend([json.dumps(event)] * (2 if twice else 1))
    bodies = moved(bodies, options.shuffle, chance)

    begun = time.monotonic()
    connection = pika.BlockingConnection(pika.URLParameters(options.transport))
    channel = connection.channel()
    channel.confirm_delivery()
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=pika.DeliveryMode.Persistent)
    try:
        for body in bodies:
            channel.basic_publish("", options.queue, body.encode(), properties, mandatory=True)
    except pika.exceptions.UnroutableError:
        sys.exit(f"error: there is no queue {options.queue}: start a worker on it first, or declare it")
    finally:
        connection.close()
    print(
        f"published and confirmed {len(bodies)} events for {options.keys} orders, "
        f"{len(bodies) - options.keys * options.events} of them duplicates, in {time.monotonic() - begun:.1f} s"
    )


if __name__ == "__main__":
    main()
