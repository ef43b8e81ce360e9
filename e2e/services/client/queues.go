package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/couchbase/gomemcached"
	memcached "github.com/couchbase/gomemcached/client"
	amqp "github.com/rabbitmq/amqp091-go"
)

// writeAMQP puts a message into a queue that survives its server, and waits until the server has it.
func writeAMQP(ctx context.Context, where, key, value string) error {
	return withAMQP(where, func(c *amqp.Channel) error {
		if _, err := c.QueueDeclare(key, true, false, false, false, nil); err != nil {
			return err
		}
		if err := c.Confirm(false); err != nil {
			return err
		}
		message := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(value)}
		sent, err := c.PublishWithDeferredConfirmWithContext(ctx, "", key, true, false, message)
		if err != nil {
			return err
		}
		taken, err := sent.WaitContext(ctx)
		if err == nil && !taken {
			return errors.New("the server did not take the message")
		}
		return err
	})
}

func readAMQP(_ context.Context, where, key string) (string, error) {
	var value string
	err := withAMQP(where, func(c *amqp.Channel) error {
		message, found, err := c.Get(key, true)
		value = string(message.Body)
		var no *amqp.Error
		if errors.As(err, &no) && no.Code == amqp.NotFound || err == nil && !found {
			return errNone
		}
		return err
	})
	return value, err
}

func withAMQP(where string, do func(*amqp.Channel) error) error {
	connection, err := amqp.DialConfig(where, amqp.Config{Dial: amqp.DefaultDial(timeout)})
	if err != nil {
		return err
	}
	defer connection.Close() // what was sent has been confirmed
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	return do(channel)
}

func writeMemcached(ctx context.Context, prefix, key, value string) error {
	return withMemcached(ctx, prefix, func(c *memcached.Client) error {
		_, err := c.Set(0, key, 0, 0, []byte(value))
		return err
	})
}

func readMemcached(ctx context.Context, prefix, key string) (string, error) {
	var value string
	err := withMemcached(ctx, prefix, func(c *memcached.Client) error {
		answer, err := c.Get(0, key)
		if gomemcached.IsNotFound(err) {
			return errNone
		}
		if err == nil {
			value = string(answer.Body)
		}
		return err
	})
	return value, err
}

// withMemcached logs in by SASL PLAIN, as clients of hosted memcached do. Without a user it does not log in, and finds
// out whether it must.
func withMemcached(ctx context.Context, prefix string, do func(*memcached.Client) error) error {
	server, _, _ := strings.Cut(os.Getenv(prefix+"_SERVERS"), ",")
	if server == "" {
		return errors.New(prefix + "_SERVERS is not set")
	}
	dialer := net.Dialer{Timeout: timeout / 2}
	connection, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	if err := connection.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	c, err := memcached.Wrap(connection)
	if err != nil {
		return err
	}
	defer c.Close() // what was sent has been answered
	if user := os.Getenv(prefix + "_USERNAME"); user != "" {
		if _, err := c.Auth(user, os.Getenv(prefix+"_PASSWORD")); err != nil {
			return err
		}
	}
	return do(c)
}
