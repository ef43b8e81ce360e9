package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
)

func (s *Server) webhookDeliveryRoutes() []route {
	return []route{
		{"GET", "/apps/{app}/webhook-deliveries", s.listWebhookDeliveries},
		{"GET", "/apps/{app}/webhook-deliveries/{delivery}", s.webhookDeliveryInfo},
	}
}

// webhookDelivery is a delivery on the wire.
type webhookDelivery struct {
	CreatedAt     string           `json:"created_at"`
	Event         deliveredEvent   `json:"event"`
	ID            string           `json:"id"`
	LastAttempt   *deliveryAttempt `json:"last_attempt"`
	NextAttemptAt *string          `json:"next_attempt_at"`
	NumAttempts   int              `json:"num_attempts"`
	Status        string           `json:"status"`
	UpdatedAt     string           `json:"updated_at"`
	Webhook       deliveredWebhook `json:"webhook"`
}

type deliveredEvent struct {
	ID      string `json:"id"`
	Include string `json:"include"`
}

type deliveredWebhook struct {
	ID    string `json:"id"`
	Level string `json:"level"`
}

type deliveryAttempt struct {
	Code       *int    `json:"code"`
	CreatedAt  string  `json:"created_at"`
	ErrorClass *string `json:"error_class"`
	ID         string  `json:"id"`
	Status     string  `json:"status"`
	UpdatedAt  string  `json:"updated_at"`
}

func newWebhookDelivery(d renga.Delivery) webhookDelivery {
	wire := webhookDelivery{
		CreatedAt: stamp(d.CreatedAt), Event: deliveredEvent{ID: d.Event, Include: string(d.Kind)}, ID: d.ID,
		NumAttempts: d.Attempts, Status: string(d.Status), UpdatedAt: stamp(d.UpdatedAt),
		Webhook: deliveredWebhook{ID: d.Webhook, Level: string(d.Level)},
	}
	if !d.NextAttempt.IsZero() {
		next := stamp(d.NextAttempt)
		wire.NextAttemptAt = &next
	}
	if d.Last != nil {
		wire.LastAttempt = newDeliveryAttempt(*d.Last)
	}
	return wire
}

func newDeliveryAttempt(a renga.Attempt) *deliveryAttempt {
	wire := &deliveryAttempt{CreatedAt: stamp(a.Began), ID: a.ID, Status: string(renga.DeliveryFailed), UpdatedAt: stamp(a.Ended)}
	if a.Succeeded {
		wire.Status = string(renga.DeliverySucceeded)
	}
	if a.Code > 0 {
		wire.Code = &a.Code
	}
	if a.Error != "" {
		wire.ErrorClass = &a.Error
	}
	return wire
}

// deliveries reads the deliveries of the path's app that fit.
func (s *Server) deliveries(r *http.Request, fits func(renga.Delivery) bool) ([]webhookDelivery, error) {
	a, err := s.appOf(r)
	if err != nil {
		return nil, err
	}
	all, err := s.parts.Webhooks.Deliveries(r.Context(), a.ID)
	if err != nil {
		return nil, orNotFound(err, "app")
	}
	var wire []webhookDelivery
	for _, d := range all {
		if fits(d) {
			wire = append(wire, newWebhookDelivery(d))
		}
	}
	return wire, nil
}

// listWebhookDeliveries lists deliveries by time. The official CLI asks for some
// with the query eq[status].
func (s *Server) listWebhookDeliveries(w http.ResponseWriter, r *http.Request) error {
	status, some := r.URL.Query()["eq[status]"]
	wire, err := s.deliveries(r, func(d renga.Delivery) bool { return !some || slices.Contains(status, string(d.Status)) })
	if err != nil {
		return err
	}
	id := func(d webhookDelivery) string { return d.ID } // which sorts by time
	return list(w, r, wire, by("seq", id), by("id", id))
}

func (s *Server) webhookDeliveryInfo(w http.ResponseWriter, r *http.Request) error {
	id := mux.Vars(r)["delivery"]
	wire, err := s.deliveries(r, func(d renga.Delivery) bool { return strings.EqualFold(d.ID, id) })
	if err != nil {
		return err
	}
	if len(wire) == 0 {
		return notFound("webhook delivery")
	}
	return answer(w, http.StatusOK, wire[0])
}
