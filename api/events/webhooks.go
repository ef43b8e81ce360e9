package events

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"renga"
	"renga/api/wire"
)

// Webhooks keeps webhooks with their events and deliveries.
type Webhooks interface {
	// Webhooks leaves out their secrets.
	Webhooks(ctx context.Context, app renga.AppID) ([]renga.Webhook, error)
	// EditWebhooks lets edit change all webhooks of an app, by id, with their
	// secrets.
	EditWebhooks(ctx context.Context, app renga.AppID, edit func(hooks map[string]renga.Webhook) error) error
	// Events and Deliveries list them by time, oldest first.
	Events(ctx context.Context, app renga.AppID) ([]renga.Event, error)
	Deliveries(ctx context.Context, app renga.AppID) ([]renga.Delivery, error)
}

const (
	// maxWebhooks is how many webhooks an app may have.
	maxWebhooks = 10
	// secretHeader has a webhook's secret, in the answer that makes it only.
	secretHeader = "Heroku-Webhook-Secret"
)

func (s *Server) webhookRoutes() []wire.Route {
	return []wire.Route{
		wire.Get("/apps/{app}/webhooks", wire.ReadingSecrets, s.listWebhooks),
		wire.Post("/apps/{app}/webhooks", wire.SettingSecrets, s.createWebhook),
		wire.Get("/apps/{app}/webhooks/{webhook}", wire.ReadingSecrets, s.webhookInfo),
		wire.Patch("/apps/{app}/webhooks/{webhook}", wire.SettingSecrets, s.updateWebhook),
		wire.Delete("/apps/{app}/webhooks/{webhook}", wire.SettingSecrets, s.deleteWebhook),
		// What happens to the content of all apps; the operator's, and not Heroku's.
		wire.Get("/platform/webhooks", wire.WholeToken, s.listWebhooks),
		wire.Post("/platform/webhooks", wire.WholeToken, s.createWebhook),
		wire.Get("/platform/webhooks/{webhook}", wire.WholeToken, s.webhookInfo),
		wire.Patch("/platform/webhooks/{webhook}", wire.WholeToken, s.updateWebhook),
		wire.Delete("/platform/webhooks/{webhook}", wire.WholeToken, s.deleteWebhook),
		wire.Get("/addons/{addon}/webhooks", partners, s.listWebhooks),
		wire.Post("/addons/{addon}/webhooks", partners, s.createWebhook),
		wire.Get("/addons/{addon}/webhooks/{webhook}", partners, s.webhookInfo),
		wire.Patch("/addons/{addon}/webhooks/{webhook}", partners, s.updateWebhook),
		wire.Delete("/addons/{addon}/webhooks/{webhook}", partners, s.deleteWebhook),
	}
}

// webhook is a webhook as JSON, without its secrets.
type webhook struct {
	AddOn     *wire.Ref `json:"addon,omitempty"`
	App       *wire.Ref `json:"app,omitempty"`
	CreatedAt string    `json:"created_at"`
	ID        string    `json:"id"`
	Include   []string  `json:"include"`
	Level     string    `json:"level"`
	UpdatedAt string    `json:"updated_at"`
	URL       string    `json:"url"`
}

func newWebhook(o owner, hook renga.Webhook) webhook {
	shown := webhook{
		CreatedAt: wire.Stamp(hook.CreatedAt), ID: hook.ID, Include: []string{},
		Level:     string(hook.Level),
		UpdatedAt: wire.Stamp(hook.UpdatedAt), URL: hook.URL,
	}
	shown.App, shown.AddOn = o.refs()
	for _, kind := range hook.Include {
		shown.Include = append(shown.Include, string(kind))
	}
	return shown
}

func (s *Server) listWebhooks(w http.ResponseWriter, r *http.Request) error {
	o, hooks, err := s.webhooksOf(r)
	if err != nil {
		return err
	}
	var shown []webhook
	for _, hook := range hooks {
		shown = append(shown, newWebhook(o, hook))
	}
	return wire.List(w, r, shown, wire.By("id", func(w webhook) string { return w.ID }))
}

// webhookOf finds the webhook of the path.
func (s *Server) webhookOf(r *http.Request) (owner, renga.Webhook, error) {
	a, hooks, err := s.webhooksOf(r)
	if err != nil {
		return a, renga.Webhook{}, err
	}
	id := mux.Vars(r)["webhook"]
	i := slices.IndexFunc(hooks, func(h renga.Webhook) bool { return strings.EqualFold(h.ID, id) })
	if i < 0 {
		return a, renga.Webhook{}, wire.NotFound("webhook")
	}
	return a, hooks[i], nil
}

func (s *Server) webhookInfo(w http.ResponseWriter, r *http.Request) error {
	a, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	return wire.Answer(w, http.StatusOK, newWebhook(a, hook))
}

// webhookBody is a webhook as clients send it. A field that is left out is nil.
type webhookBody struct {
	Include       *[]renga.EventKind  `json:"include"`
	Level         *renga.WebhookLevel `json:"level"`
	URL           *string             `json:"url"`
	Secret        *string             `json:"secret"`
	Authorization json.RawMessage     `json:"authorization"` // null removes it
}

// decodeWebhook reads a body and applies it to a webhook.
func (s *Server) decodeWebhook(r *http.Request, o owner, hook *renga.Webhook) (change func(*renga.Webhook), err error) {
	var body webhookBody
	if err := wire.Decode(r, &body); err != nil {
		return nil, err
	}
	var authorization *string
	if len(body.Authorization) > 0 && json.Unmarshal(body.Authorization, &authorization) != nil {
		return nil, wire.Invalid("Field %q must be %s.", "authorization", "a string, or null")
	}
	change = func(hook *renga.Webhook) {
		wire.Set(&hook.Include, body.Include)
		wire.Set(&hook.Level, body.Level)
		wire.Set(&hook.URL, body.URL)
		if body.Secret != nil && *body.Secret != "" {
			hook.Secret = renga.Secret(*body.Secret)
		}
		if len(body.Authorization) > 0 {
			hook.Authorization = ""
			wire.Set(&hook.Authorization, (*renga.Secret)(authorization))
		}
	}
	change(hook)
	return change, s.checkWebhook(o, *hook)
}

func (s *Server) checkWebhook(o owner, hook renga.Webhook) error {
	if hook.Level != renga.Notify && hook.Level != renga.Sync {
		return wire.Invalid(
			"Level must be %q, to be told once, or %q, to be told until it is taken.", renga.Notify, renga.Sync,
		)
	}
	if len(hook.Include) == 0 && o.platform {
		return wire.Invalid("Name what to include, such as %q.", renga.PushEvent)
	}
	if len(hook.Include) == 0 {
		return wire.Invalid("Name what to include, such as %q.", renga.ReleaseEvent)
	}
	for _, kind := range hook.Include {
		if !slices.Contains(o.kinds(), kind) {
			return wire.Invalid("There are no events of %q.", wire.Clip(string(kind)))
		}
	}
	for _, secret := range []renga.Secret{hook.Secret, hook.Authorization} {
		if len(secret) > 1024 || strings.ContainsFunc(string(secret), func(c rune) bool { return c < ' ' || c > '~' }) {
			return wire.Invalid("Secret and authorization may have up to 1024 printable ASCII characters.")
		}
	}
	return s.checkReceiver(hook.URL)
}

// checkReceiver refuses URLs to which nothing can ever be delivered. The address of
// a host name is checked with each delivery.
func (s *Server) checkReceiver(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > 2048 || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return wire.Invalid("The url must be one that begins with https:// or http://.")
	case u.User != nil:
		return wire.Invalid("The url must hold no user name or password; give them as authorization.")
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		ip, err = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	if err != nil || s.parts.Reachable == nil {
		return nil
	}
	if err := s.parts.Reachable(ip); err != nil {
		return wire.Invalid("%s", renga.MessageOf(err, "The url leads where no webhook may be delivered."))
	}
	return nil
}

func (s *Server) createWebhook(w http.ResponseWriter, r *http.Request) error {
	a, err := s.ownerOf(r)
	if err != nil {
		return err
	}
	if a.addOn.ID != "" && !partnerOf(r, a) {
		return renga.Errorf(renga.Forbidden, "Webhooks of the add-on %s are its partner's to add; add yours to the app %s.",
			a.addOn.Name, a.Name)
	}
	hook := renga.Webhook{ID: uuid.NewString(), AddOn: a.addOn.ID, Secret: wire.NewSecret(), CreatedAt: s.Now(), UpdatedAt: s.Now()}
	if _, err := s.decodeWebhook(r, a, &hook); err != nil {
		return err
	}
	err = s.parts.Webhooks.EditWebhooks(r.Context(), a.ID, func(hooks map[string]renga.Webhook) error {
		if a.count(hooks) >= maxWebhooks {
			return wire.Invalid("An app may have %d webhooks, and an add-on or the platform too; remove one first.", maxWebhooks)
		}
		hooks[hook.ID] = hook
		return nil
	})
	if err != nil {
		return wire.OrNotFound(err, "app")
	}
	s.Audit(r, "webhook added", a.Name, "webhook", hook.ID)
	w.Header().Set(secretHeader, string(hook.Secret))
	return wire.Answer(w, http.StatusCreated, newWebhook(a, hook))
}

func (s *Server) updateWebhook(w http.ResponseWriter, r *http.Request) error {
	a, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	change, err := s.decodeWebhook(r, a, &hook)
	if err != nil {
		return err
	}
	err = s.editWebhook(r, a, hook.ID, func(hooks map[string]renga.Webhook, now renga.Webhook) {
		change(&now)
		now.UpdatedAt = s.Now()
		hooks[now.ID], hook = now, now
	})
	if err != nil {
		return err
	}
	s.Audit(r, "webhook changed", a.Name, "webhook", hook.ID)
	return wire.Answer(w, http.StatusOK, newWebhook(a, hook))
}

// editWebhook changes one webhook; NotFound if it was removed meanwhile.
func (s *Server) editWebhook(
	r *http.Request, a owner, id string, edit func(hooks map[string]renga.Webhook, now renga.Webhook),
) error {
	err := s.parts.Webhooks.EditWebhooks(r.Context(), a.ID, func(hooks map[string]renga.Webhook) error {
		now, ok := hooks[id]
		if !ok {
			return wire.NotFound("webhook")
		}
		edit(hooks, now)
		return nil
	})
	return wire.OrNotFound(err, "app")
}

func (s *Server) deleteWebhook(w http.ResponseWriter, r *http.Request) error {
	a, hook, err := s.webhookOf(r)
	if err != nil {
		return err
	}
	err = s.editWebhook(r, a, hook.ID, func(hooks map[string]renga.Webhook, _ renga.Webhook) { delete(hooks, hook.ID) })
	if err != nil {
		return err
	}
	s.Audit(r, "webhook removed", a.Name, "webhook", hook.ID)
	return wire.Answer(w, http.StatusOK, newWebhook(a, hook))
}
