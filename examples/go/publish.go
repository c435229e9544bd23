// The smallest correct producer in Go: events with key, seq and id go to a queue of RabbitMQ, and each is confirmed.
//
//	go run . amqp://localhost order-events order-7 3     # in examples/go
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type Event struct {
	OrderID string            `json:"order_id"`
	Seq     uint64            `json:"seq"`
	EventID string            `json:"event_id"`
	Payload map[string]string `json:"payload"`
}

// publishAll returns nil when the broker has confirmed every event. After an error some may have been published: publish
// all of them again, with the same ids.
func publishAll(ctx context.Context, url, queue string, events []Event) error {
	connection, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	if err := channel.Confirm(false); err != nil {
		return err
	}
	// Mandatory: without a queue an event comes back, before it is confirmed. There is room for all of them.
	returned := channel.NotifyReturn(make(chan amqp.Return, len(events)))
	confirmations := make([]*amqp.DeferredConfirmation, 0, len(events))
	for _, event := range events {
		body, err := json.Marshal(event)
		if err != nil {
			return err
		}
		message := amqp.Publishing{
			ContentType:  "application/json",
			DeliveryMode: amqp.Persistent,
			MessageId:    event.EventID,
			Body:         body,
		}
		confirmation, err := channel.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, message)
		if err != nil {
			return err
		}
		confirmations = append(confirmations, confirmation)
	}
	for place, confirmation := range confirmations {
		confirmed, err := confirmation.WaitContext(ctx)
		if err != nil {
			return err
		}
		if !confirmed {
			return fmt.Errorf("the broker refused %s", events[place].EventID)
		}
	}
	select {
	case message := <-returned:
		return fmt.Errorf("no queue takes %s: %s", message.MessageId, message.ReplyText)
	default:
		return nil
	}
}

func main() {
	url, queue, order := os.Args[1], os.Args[2], os.Args[3]
	count, err := strconv.ParseUint(os.Args[4], 10, 53)
	if err != nil {
		log.Fatal(err)
	}
	// Rows of a table of yours, which were written with the change that caused them: seq and id never change again.
	events := make([]Event, 0, count)
	for seq := uint64(1); seq <= count; seq++ {
		events = append(events, Event{
			OrderID: order,
			Seq:     seq,
			EventID: fmt.Sprintf("%s-%d", order, seq),
			Payload: map[string]string{"type": "NoteAdded", "text": fmt.Sprintf("note %d", seq)},
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := publishAll(ctx, url, queue, events); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("confirmed %s 1..%d\n", order, count) // now mark the rows as published
}
