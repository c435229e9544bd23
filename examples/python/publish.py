"""The smallest correct producer in Python: events with key, seq and id go to a queue of RabbitMQ, and each is confirmed.

    pip install pika
    python3 examples/python/publish.py amqp://localhost order-events order-7 3
"""

import json
import sys

import pika


def publish_all(url, queue, events):
    """Returns when the broker has confirmed every event. After an exception some may have been published: publish all of them again, with
    the same ids."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()  # each `basic_publish` waits for the broker, and raises where it does not take the event
        for event in events:
            properties = pika.BasicProperties(
                content_type="application/json",
                delivery_mode=pika.DeliveryMode.Persistent,
                message_id=event["event_id"],
            )
            # Mandatory: without a queue the event comes back, and is not confirmed and forgotten.
            channel.basic_publish("", queue, json.dumps(event).encode(), properties, mandatory=True)
    finally:
        connection.close()


def main():
    url, queue, order, count = sys.argv[1:]
    # Rows of a table of yours, which were written with the change that caused them: seq and id never change again.
    events = [
        {"order_id": order, "seq": seq, "event_id": f"{order}-{seq}", "payload": {"type": "NoteAdded", "text": f"note {seq}"}}
        for seq in range(1, int(count) + 1)
    ]
    publish_all(url, queue, events)
    print(f"confirmed {order} 1..{count}")  # now mark the rows as published


if __name__ == "__main__":
    main()
