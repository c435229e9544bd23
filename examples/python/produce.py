#!/usr/bin/env python3
"""Publishes the events of orders to RabbitMQ, SQS or Kafka, as a producer in another language: the same events, options and
output as `cargo run --example orders -- produce`. Needs pika for amqp://, boto3 for sqs:// and kafka-python for kafka://
(`pip install pika boto3 kafka-python`)."""

import argparse
import functools
import json
import random
import sys
import time
import urllib.parse
import uuid

# How many events are published, and confirmed, at a time.
BATCH = 1_000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transport", required=True, help="where the events go: amqp://…, sqs://… or kafka://…")
    parser.add_argument("--queue", required=True, help="the queue, of Kafka the topic; it must exist: a worker declares a queue of RabbitMQ")
    parser.add_argument("--keys", type=int, default=100, help="how many orders")
    parser.add_argument("--events", type=int, default=10, help="how many events for each")
    parser.add_argument("--shuffle", type=int, default=0, help="each event is moved by up to this many places")
    parser.add_argument("--duplicates", type=int, default=0, help="this many percent of the events are published twice")
    parser.add_argument("--types-only", action="store_true", help="payloads have their type and nothing else")
    parser.add_argument("--unkeyed", action="store_true", help="to Kafka: events of an order go to any partition")
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


def to_rabbitmq(url, queue, bodies):
    """In transactions of `BATCH`: a confirmation for each event would take a round trip for each."""
    import pika

    try:
        connection = pika.BlockingConnection(pika.URLParameters(url))
    except pika.exceptions.AMQPConnectionError as error:
        sys.exit(f"error: RabbitMQ does not answer there: {error!r}")
    channel = connection.channel()
    try:
        channel.queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        sys.exit(f"error: there is no queue {queue}: start a worker on it first")
    channel.tx_select()
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=pika.DeliveryMode.Persistent)
    for start in range(0, len(bodies), BATCH):
        for body in bodies[start : start + BATCH]:
            channel.basic_publish("", queue, body.encode(), properties)
        channel.tx_commit()
    connection.close()


def to_sqs(url, queue, bodies):
    """In batches of ten, the most that SQS takes. On a FIFO queue an order is a message group."""
    import boto3

    address = urllib.parse.urlsplit(url)
    said = dict(urllib.parse.parse_qsl(address.query))
    keys = {}
    if address.username:
        keys = {
            "aws_access_key_id": urllib.parse.unquote(address.username),
            "aws_secret_access_key": urllib.parse.unquote(address.password),
        }
    client = boto3.client("sqs", region_name=said.get("region"), endpoint_url=said.get("endpoint"), **keys)
    queue_url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    for start in range(0, len(bodies), 10):
        entries = []
        for place, body in enumerate(bodies[start : start + 10]):
            entry = {"Id": str(place), "MessageBody": body}
            if queue.endswith(".fifo"):
                entry["MessageGroupId"] = json.loads(body)["order_id"]
                entry["MessageDeduplicationId"] = str(uuid.uuid4())
            entries.append(entry)
        failed = client.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed")
        if failed:
            sys.exit(f"error: SQS refused events: {failed}")


def to_kafka(url, topic, bodies, keyed):
    """With the order as the record's key, so that the events of an order are in one partition. The client waits for all replicas
    in sync, and is idempotent."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    servers = urllib.parse.urlsplit(url).netloc.split(",")
    failed = []
    try:
        producer = KafkaProducer(bootstrap_servers=servers)
        for body in bodies:
            key = json.loads(body)["order_id"].encode() if keyed else None
            producer.send(topic, key=key, value=body.encode()).add_errback(failed.append)
        producer.flush()
        producer.close()
    except KafkaError as error:
        sys.exit(f"error: Kafka did not take the events: {error!r}")
    if failed:
        sys.exit(f"error: Kafka refused {len(failed)} events: {failed[0]!r}")


def main():
    options = arguments()
    seed = options.seed if options.seed is not None else random.getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bodies = []
    for event in events(options.keys, options.events, chance):
        if options.types_only:
            event["payload"] = {"type": event["payload"]["type"]}
        twice = chance.randrange(100) < options.duplicates
        bodies.extend([json.dumps(event)] * (2 if twice else 1))
    bodies = moved(bodies, options.shuffle, chance)

    begun = time.monotonic()
    brokers = {
        "amqp": to_rabbitmq,
        "amqps": to_rabbitmq,
        "sqs": to_sqs,
        "kafka": functools.partial(to_kafka, keyed=not options.unkeyed),
    }
    publish = brokers.get(options.transport.split("://")[0])
    if not publish:
        sys.exit("error: --transport begins with amqp://, amqps://, sqs:// or kafka://")
    publish(options.transport, options.queue, bodies)
    print(
        f"published and confirmed {len(bodies)} events for {options.keys} orders, "
        f"{len(bodies) - options.keys * options.events} of them duplicates, in {time.monotonic() - begun:.1f} s"
    )


if __name__ == "__main__":
    main()
