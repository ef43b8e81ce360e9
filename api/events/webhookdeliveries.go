package events

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

func (s *Server) webhookDeliveryRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/webhook-deliveries", wire.Looking, s.listWebhookDeliveries),
		wire.Get("/apps/{app}/webhook-deliveries/{delivery}", wire.Looking, s.webhookDeliveryInfo),
		wire.Get("/platform/webhook-deliveries", wire.WholeToken, s.listWebhookDeliveries),
		wire.Get("/platform/webhook-deliveries/{delivery}", wire.WholeToken, s.webhookDeliveryInfo),
		wire.Get("/addons/{addon}/webhook-deliveries", partners, s.listWebhookDeliveries),
		wire.Get("/addons/{addon}/webhook-deliveries/{delivery}", partners, s.webhookDeliveryInfo),
	}
}

// webhookDelivery is a delivery as JSON.
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
	shown := webhookDelivery{
		CreatedAt: wire.Stamp(d.CreatedAt), Event: deliveredEvent{ID: d.Event, Include: string(d.Kind)}, ID: d.ID,
		NumAttempts: d.Attempts, Status: string(d.Status), UpdatedAt: wire.Stamp(d.UpdatedAt),
		Webhook: deliveredWebhook{ID: d.Webhook, Level: string(d.Level)},
	}
	shown.NextAttemptAt = wire.StampOrNull(d.NextAttempt)
	if d.Last != nil {
		shown.LastAttempt = newDeliveryAttempt(*d.Last)
	}
	return shown
}

func newDeliveryAttempt(a renga.Attempt) *deliveryAttempt {
	shown := &deliveryAttempt{
		CreatedAt: wire.Stamp(a.Began), ID: a.ID, Status: string(renga.DeliveryFailed),
		UpdatedAt: wire.Stamp(a.Ended),
	}
	if a.Succeeded {
		shown.Status = string(renga.DeliverySucceeded)
	}
	if a.Code > 0 {
		shown.Code = &a.Code
	}
	if a.Error != "" {
		shown.ErrorClass = &a.Error
	}
	return shown
}

// deliveries reads those deliveries of the path's app for which fits is true.
func (s *Server) deliveries(r *http.Request, fits func(renga.Delivery) bool) ([]webhookDelivery, error) {
	_, all, err := s.deliveriesOf(r)
	if err != nil {
		return nil, err
	}
	var shown []webhookDelivery
	for _, d := range all {
		if fits(d) {
			shown = append(shown, newWebhookDelivery(d))
		}
	}
	return shown, nil
}

// listWebhookDeliveries lists deliveries by time. The official CLI selects by
// status with the query eq[status].
func (s *Server) listWebhookDeliveries(w http.ResponseWriter, r *http.Request) error {
	status, some := r.URL.Query()["eq[status]"]
	shown, err := s.deliveries(
		r, func(d renga.Delivery) bool { return !some || slices.Contains(status, string(d.Status)) },
	)
	if err != nil {
		return err
	}
	id := func(d webhookDelivery) string { return d.ID } // ids are in the order of time
	return wire.List(w, r, shown, wire.By("seq", id), wire.By("id", id))
}

func (s *Server) webhookDeliveryInfo(w http.ResponseWriter, r *http.Request) error {
	id := mux.Vars(r)["delivery"]
	shown, err := s.deliveries(r, func(d renga.Delivery) bool { return strings.EqualFold(d.ID, id) })
	if err != nil {
		return err
	}
	if len(shown) == 0 {
		return wire.NotFound("webhook delivery")
	}
	return wire.Answer(w, http.StatusOK, shown[0])
}
