// Confluent's Parallel Consumer in the order of keys, as a subject of the bench: it tells the runner, in the same lines of
// JSON as the others, how far it is. Its handler reads the event and does nothing, as theirs do.

import static java.util.Map.entry;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.KafkaConsumer;

public class Subject {
    private static final AtomicLong received = new AtomicLong();
    private static final AtomicLong done = new AtomicLong();
    private static volatile long first, last, processorAtFirst;

    /** The processor time of this process so far, in nanoseconds. */
    private static long processor() {
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime();
    }

    public static void main(String[] arguments) throws Exception {
        String servers = arguments[0], group = arguments[1], topic = arguments[2];
        Map<String, Object> settings = Map.ofEntries(
                entry("bootstrap.servers", servers),
                entry("group.id", group),
                entry("enable.auto.commit", "false"),
                entry("auto.offset.reset", "earliest"),
                entry("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer"),
                entry("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer"));
        var json = new ObjectMapper();
        var options = ParallelConsumerOptions.<String, byte[]>builder()
                .consumer(new KafkaConsumer<>(settings))
                .ordering(ProcessingOrder.KEY)
                .commitInterval(Duration.ofMillis(200))
                .build();
        var consumer = ParallelStreamProcessor.createEosStreamProcessor(options);
        consumer.subscribe(List.of(topic));
        consumer.poll(context -> {
            if (received.getAndIncrement() == 0) {
                processorAtFirst = processor();
                first = System.nanoTime();
            }
            try {
                json.readTree(context.getSingleRecord().value());
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
            done.incrementAndGet();
            last = System.nanoTime();
        });
        var reporting = new Thread(Subject::reportProgress);
        reporting.setDaemon(true);
        reporting.start();
        System.in.transferTo(OUT_OF_THE_WAY);
        System.out.printf(
                "{\"Finished\":{\"received\":%d,\"done\":%d,\"first\":%d,\"last\":%d,\"processor\":%d,\"round_trips\":0,"
                        + "\"handler\":0,\"allocations\":null,\"resident_bytes\":[0,0,0,0],\"latency\":null}}%n",
                received.get(), done.get(), first, last, processor() - processorAtFirst);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static final java.io.OutputStream OUT_OF_THE_WAY = java.io.OutputStream.nullOutputStream();

    private static void reportProgress() {
        long reported = -1;
        while (true) {
            long now = done.get();
            if (now != reported) {
                System.out.printf("{\"Sofar\":{\"received\":%d,\"done\":%d}}%n", received.get(), now);
                System.out.flush();
                reported = now;
            }
            try {
                Thread.sleep(10);
            } catch (InterruptedException error) {
                return;
            }
        }
    }
}
