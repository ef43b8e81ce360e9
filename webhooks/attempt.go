package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"

	"renga"
)

const (
	// retryFor is how long a sync delivery is tried again.
	retryFor = 72 * time.Hour
	// firstPause is the pause after the first attempt, longestPause the longest.
	firstPause   = 2 * time.Second
	longestPause = time.Hour
	// maxAnswer is how much of a receiver's answer is read, of its headers and of
	// its body.
	maxAnswer = 64 << 10
)

// pause doubles with each attempt, give or take a fifth, so that receivers that
// come back are not overrun.
func pause(attempts int) time.Duration {
	d := longestPause
	if attempts < 12 {
		d = min(firstPause<<(attempts-1), longestPause)
	}
	return d - d/5 + rand.N(2*d/5)
}

// try makes one attempt at a delivery and records it. A failure before anything
// is sent is no attempt: the delivery is still due.
func (w *Webhooks) try(ctx context.Context, app renga.AppID, hook, id string) {
	attempt := renga.Attempt{ID: uuid.NewString(), Began: w.Now()}
	job, err := w.queue.DeliveryJob(ctx, app, hook, id)
	var body []byte
	if err == nil {
		body, err = w.body(ctx, job, attempt.ID)
	}
	if err != nil {
		if renga.KindOf(err) != renga.NotFound && ctx.Err() == nil {
			w.Log.Warn("webhook delivery waits", "delivery", id, "err", err)
		}
		return
	}
	attempt.Code, err = w.send(ctx, job, body)
	if err != nil && ctx.Err() != nil {
		return // Renga ends: it is still due
	}
	attempt.Ended, attempt.Error = w.Now(), class(err)
	attempt.Succeeded = err == nil && attempt.Code >= 200 && attempt.Code < 300
	d := w.after(job.Delivery, attempt)
	if !attempt.Succeeded {
		w.Log.Info("webhook delivery failed", "delivery", id, "webhook", hook, "attempts", d.Attempts, "code", attempt.Code,
			"error", attempt.Error)
	}
	if err := w.queue.SaveDelivery(context.WithoutCancel(ctx), app, d); err != nil {
		w.Log.Warn("webhook delivery is not recorded", "delivery", id, "err", err)
	}
}

// after is a delivery after one more attempt.
func (w *Webhooks) after(d renga.Delivery, a renga.Attempt) renga.Delivery {
	d.Attempts++
	d.Last, d.UpdatedAt, d.NextAttempt = &a, a.Ended, time.Time{}
	next := a.Ended.Add(w.Pause(d.Attempts))
	switch {
	case a.Succeeded:
		d.Status = renga.DeliverySucceeded
	case d.Level == renga.Sync && next.Before(d.CreatedAt.Add(retryFor)):
		d.Status, d.NextAttempt = renga.DeliveryRetrying, next
	default:
		d.Status = renga.DeliveryFailed
	}
	return d
}

// contentType is the media type of the envelope of distribution's notifications
// (github.com/distribution/distribution/v3/notifications, EventsMediaType).
const contentType = "application/vnd.docker.distribution.events.v2+json"

// send posts a body and gives the receiver's status.
func (w *Webhooks) send(ctx context.Context, p renga.DeliveryJob, body []byte) (int, error) {
	to := p.Webhook
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.Event.Subject.Content != nil {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "Renga-Webhooks")
	req.Header.Set("Heroku-Webhook-Hmac-SHA256", sign(body, to.Secret))
	if to.Authorization != "" {
		req.Header.Set("Authorization", string(to.Authorization))
	}
	res, err := w.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("post: %w", err)
	}
	defer func() { _ = res.Body.Close() }()                         // what it says is not needed
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // so that the connection can be used again
	return res.StatusCode, nil
}

// body is what is sent: the event, and which delivery this is. What happened to
// content is sent in the envelope that receivers of registries' webhooks know, which
// has no room for the latter.
func (w *Webhooks) body(ctx context.Context, p renga.DeliveryJob, attempt string) ([]byte, error) {
	payload, err := w.renderer.Payload(ctx, p.Event)
	if err != nil {
		return nil, fmt.Errorf("render event: %w", err)
	}
	if p.Event.Subject.Content != nil {
		return json.Marshal(map[string]any{"events": []any{payload}})
	}
	id := func(s string) map[string]any { return map[string]any{"id": s} }
	payload["webhook_metadata"] = map[string]any{
		"attempt": id(attempt), "delivery": id(p.Delivery.ID), "webhook": id(p.Webhook.ID),
		"event": map[string]any{"id": p.Event.ID, "include": p.Event.Kind},
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return body, nil
}

// sign is the signature of a body as its receiver computes it.
func sign(body []byte, secret renga.Secret) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// class says in a word why a receiver gave no status; empty when it did. It
// does not tell how an address could not be connected to: refusals and silences
// would give away a network.
func class(err error) string {
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var timeouts interface{ Timeout() bool }
	var network *net.OpError
	switch {
	case err == nil:
		return ""
	case renga.KindOf(err) == renga.Forbidden:
		return "forbidden_address"
	case errors.As(err, &dns):
		return "dns_error"
	case errors.As(err, &network) && network.Op == "dial":
		return "connection_error"
	case errors.As(err, &untrusted):
		return "tls_error"
	case errors.As(err, &timeouts) && timeouts.Timeout():
		return "timeout"
	}
	return "connection_error"
}
