import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * The smallest correct producer in Java: events with key, seq and id go to a queue of RabbitMQ, and each is confirmed.
 *
 * <pre>
 * mvn -q dependency:copy-dependencies -DoutputDirectory=lib     # in examples/java
 * java -cp 'lib/*' Publish.java amqp://localhost order-events order-7 3
 * </pre>
 */
public class Publish {
    record Event(String orderId, long seq, String eventId, String text) {
        /** By hand, to need nothing else; the names and the id of this example need no escaping. */
        byte[] json() {
            String json = """
                    {"order_id": "%s", "seq": %d, "event_id": "%s", "payload": {"type": "NoteAdded", "text": "%s"}}"""
                    .formatted(orderId, seq, eventId, text);
            return json.getBytes(StandardCharsets.UTF_8);
        }
    }

    /**
     * Returns when the broker has confirmed every event. After an exception some may have been published: publish all of them
     * again, with the same ids.
     */
    static void publishAll(String url, String queue, List<Event> events) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(url);
        try (Connection connection = factory.newConnection(); Channel channel = connection.createChannel()) {
            channel.confirmSelect();
            // Mandatory: without a queue an event comes back, before it is confirmed.
            Queue<String> returned = new ConcurrentLinkedQueue<>();
            channel.addReturnListener(message -> returned.add(message.getProperties().getMessageId()));
            for (Event event : events) {
                AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                        .contentType("application/json")
                        .deliveryMode(2)
                        .messageId(event.eventId())
                        .build();
                channel.basicPublish("", queue, true, properties, event.json());
            }
            channel.waitForConfirmsOrDie(30_000);
            if (!returned.isEmpty()) {
                throw new IOException("no queue takes " + returned);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        String queue = arguments[1];
        String order = arguments[2];
        long count = Long.parseLong(arguments[3]);
        // Rows of a table of yours, which were written with the change that caused them: seq and id never change again.
        List<Event> events = new ArrayList<>();
        for (long seq = 1; seq <= count; seq++) {
            events.add(new Event(order, seq, order + "-" + seq, "note " + seq));
        }
        publishAll(url, queue, events);
        System.out.println("confirmed " + order + " 1.." + count); // now mark the rows as published
    }
}
