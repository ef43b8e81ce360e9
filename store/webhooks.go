package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"renga"
)

type webhookRecord struct {
	ID            string             `json:"id"`
	AddOn         renga.AddOnID      `json:"add_on,omitempty"`
	URL           string             `json:"url"`
	Level         renga.WebhookLevel `json:"level"`
	Include       []renga.EventKind  `json:"include"`
	Secret        string             `json:"secret"`                  // sealed
	Authorization string             `json:"authorization,omitempty"` // sealed
	CreatedAt     time.Time          `json:"created_at,omitzero"`
	UpdatedAt     time.Time          `json:"updated_at,omitzero"`
}

// Webhooks reads an app's webhooks, oldest first. Their secrets are left out.
func (s *Store) Webhooks(ctx context.Context, app renga.AppID) ([]renga.Webhook, error) {
	records, err := readCollection[webhookRecord](ctx, s, queueCollection(app, keyWebhooks(app)))
	if err != nil {
		return nil, err
	}
	hooks := make([]renga.Webhook, 0, len(records))
	for _, r := range records {
		hooks = append(hooks, r.hook())
	}
	slices.SortFunc(hooks, func(a, b renga.Webhook) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return hooks, nil
}

// EditWebhooks lets edit change an app's webhooks, by id and with their
// secrets, in place. edit may be called several times, and its error is the
// answer.
func (s *Store) EditWebhooks(ctx context.Context, app renga.AppID,
	edit func(hooks map[string]renga.Webhook) error) error {
	// The index first: it may name apps without webhooks, never miss one.
	if err := s.indexApp(ctx, keyHooked, app); err != nil {
		return err
	}
	return editCollection(ctx, s, queueCollection(app, keyWebhooks(app)), func(all map[string]webhookRecord) error {
		before := make(map[string]renga.Webhook, len(all))
		for id, r := range all {
			var err error
			if before[id], err = s.openHook(app, r); err != nil {
				return err
			}
		}
		after := maps.Clone(before)
		if err := edit(after); err != nil {
			return err
		}
		maps.DeleteFunc(all, func(id string, _ webhookRecord) bool { return after[id].ID == "" })
		for id, hook := range after {
			r, err := s.sealHook(app, hook, before[id], all[id])
			if err != nil {
				return err
			}
			all[id] = r
		}
		return nil
	})
}

// sealHook is what is stored of a webhook. Secrets that are as they were before
// stay as they are in the old record.
func (s *Store) sealHook(app renga.AppID, hook, before renga.Webhook, old webhookRecord) (webhookRecord, error) {
	r := webhookRecord{
		ID: hook.ID, AddOn: hook.AddOn, URL: hook.URL, Level: hook.Level, Include: hook.Include, Secret: old.Secret,
		Authorization: old.Authorization,
		CreatedAt:     hook.CreatedAt.UTC(), UpdatedAt: hook.UpdatedAt.UTC(),
	}
	var err error
	if hook.Secret != before.Secret {
		r.Secret, err = s.seal(hookPlace(app, hook.ID, "secret"), string(hook.Secret))
	}
	switch {
	case err != nil || hook.Authorization == before.Authorization:
	case hook.Authorization == "":
		r.Authorization = ""
	default:
		r.Authorization, err = s.seal(hookPlace(app, hook.ID, "authorization"), string(hook.Authorization))
	}
	return r, err
}

func hookPlace(app renga.AppID, id, what string) string {
	return "webhook " + string(app) + " " + id + " " + what
}

// hook is the webhook without its secrets.
func (r webhookRecord) hook() renga.Webhook {
	return renga.Webhook{
		ID: r.ID, AddOn: r.AddOn, URL: r.URL, Level: r.Level, Include: r.Include, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// openHook is the webhook with its secrets.
func (s *Store) openHook(app renga.AppID, r webhookRecord) (renga.Webhook, error) {
	hook := r.hook()
	secret, err := s.unseal(hookPlace(app, r.ID, "secret"), r.Secret)
	if err != nil {
		return hook, err
	}
	hook.Secret = renga.Secret(secret)
	if r.Authorization == "" {
		return hook, nil
	}
	authorization, err := s.unseal(hookPlace(app, r.ID, "authorization"), r.Authorization)
	hook.Authorization = renga.Secret(authorization)
	return hook, err
}
