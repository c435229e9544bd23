// The smallest correct producer in JavaScript: events with key, seq and id go to a queue of RabbitMQ, and each is confirmed.
//
//     npm install        # in examples/node
//     node publish.mjs amqp://localhost order-events order-7 3
import amqp from "amqplib";

/**
 * Is done when the broker has confirmed every event. After an error some may have been published: publish all of them again, with the same
 * ids.
 */
async function publishAll(url, queue, events) {
  const connection = await amqp.connect(url);
  try {
    const channel = await connection.createConfirmChannel();
    const failed = new Promise((_, reject) => {
      connection.on("error", reject);
      channel.on("error", reject);
      // Mandatory: without a queue the event comes back, before it is confirmed.
      channel.on("return", (message) => reject(new Error(`no queue takes ${message.properties.messageId}`)));
    });
    for (const event of events) {
      channel.publish("", queue, Buffer.from(JSON.stringify(event)), {
        contentType: "application/json",
        persistent: true,
        mandatory: true,
        messageId: event.event_id,
      });
    }
    await Promise.race([channel.waitForConfirms(), failed]);
  } finally {
    await connection.close().catch(() => {});
  }
}

const [url, queue, order, count] = process.argv.slice(2);
// Rows of a table of yours, which were written with the change that caused them: seq and id never change again. A seq above 2^53 - 1 would
// not fit into a number; `ordered` allows none.
const events = Array.from({ length: Number(count) }, (_, index) => index + 1).map((seq) => ({
  order_id: order,
  seq,
  event_id: `${order}-${seq}`,
  payload: { type: "NoteAdded", text: `note ${seq}` },
}));
await publishAll(url, queue, events);
console.log(`confirmed ${order} 1..${count}`); // now mark the rows as published
