package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	heroku "github.com/heroku/heroku-go/v5"
)

// herokuStory is a story told by Heroku's own Go client.
type herokuStory struct {
	*story
	client *heroku.Service
}

func newHerokuStory(t *testing.T) *herokuStory {
	t.Helper()
	s := newStory(t)
	s.start()
	client := heroku.NewService(&http.Client{Transport: &heroku.Transport{BearerToken: s.token()}})
	client.URL = s.w.URL("")
	return &herokuStory{s, client}
}

// right fails when an answer is not as told.
func (h *herokuStory) right(what string, err error, right bool, got any) {
	h.Helper()
	if err != nil || !right {
		h.Fatalf("%s: %+v, %v", what, got, err)
	}
}

// refused fails unless the client understood a refusal.
func (h *herokuStory) refused(err error, status int, id string) {
	h.Helper()
	var got heroku.Error
	if !errors.As(err, &got) || got.StatusCode != status || got.ID != id || got.Error() == "" {
		h.Errorf("error is %v, want %d %s", err, status, id)
	}
}

// scaleTo is one entry of a batch update.
func scaleTo(process string, quantity int, size string) heroku.FormationBatchUpdateOpts {
	var batch heroku.FormationBatchUpdateOpts
	batch.Updates = append(batch.Updates, struct {
		Quantity *int    `json:"quantity,omitempty" url:"quantity,omitempty,key"`
		Size     *string `json:"size,omitempty" url:"size,omitempty,key"`
		Type     string  `json:"type" url:"type,key"`
	}{Quantity: &quantity, Size: &size, Type: process})
	return batch
}

func TestHerokusClientMakesRunsAndRemovesAnApp(t *testing.T) {
	h := newHerokuStory(t)
	ctx, c := t.Context(), h.client
	me, err := c.AccountInfo(ctx)
	h.right("account", err, me.Email == "operator@renga.localhost", me)
	made, err := c.AppCreate(ctx, heroku.AppCreateOpts{Name: heroku.String("hello")})
	h.right("create", err, made.Name == "hello" && strings.Contains(made.WebURL, h.w.Host("hello")), made)
	_, err = c.AppCreate(ctx, heroku.AppCreateOpts{Name: heroku.String("hello")})
	h.refused(err, 422, "invalid_params")
	h.push("hello", "client-1")
	h.up("hello", "client-1")
	app, err := c.AppInfo(ctx, made.ID)
	h.right("info", err, app.Name == "hello" && app.Owner.ID == me.ID && app.ReleasedAt != nil, app)
	apps, err := c.AppList(ctx, &heroku.ListRange{Field: "name", Max: 10})
	h.right("list", err, len(apps) == 1 && apps[0].ID == made.ID, apps)
	h.maintain(true, http.StatusServiceUnavailable)
	h.maintain(false, http.StatusOK)
	gone, err := c.AppDelete(ctx, "hello")
	h.right("delete", err, gone.ID == made.ID, gone)
	h.runs("hello")
	_, err = c.AppInfo(ctx, "hello")
	h.refused(err, 404, "not_found")
	if answer, err := h.w.Get(ctx, "hello", "/"); err != nil || answer.Status != http.StatusNotFound {
		t.Errorf("the URL of a deleted app: %d, %v", answer.Status, err)
	}
}

// maintain switches maintenance and waits until the URL shows it; the dynos run
// on.
func (h *herokuStory) maintain(on bool, status int) {
	h.Helper()
	app, err := h.client.AppUpdate(h.Context(), "hello", heroku.AppUpdateOpts{Maintenance: heroku.Bool(on)})
	h.right("update", err, app.Maintenance == on, app)
	h.poll(func() error {
		answer, err := h.w.Get(h.Context(), "hello", "/")
		if err == nil && answer.Status != status {
			err = fmt.Errorf("maintenance %v: the URL answers %d, want %d", on, answer.Status, status)
		}
		return err
	})
	h.runs("hello", "web.1 v2")
}

func TestHerokusClientChangesAndRollsBack(t *testing.T) {
	h := newHerokuStory(t)
	ctx, c := t.Context(), h.client
	h.push("hello", "roll-1")
	h.up("hello", "roll-1")
	vars, err := c.ConfigVarUpdate(ctx, "hello", map[string]*string{"COLOUR": heroku.String("red"), "SIZE": heroku.String("xl")})
	h.right("set", err, *vars["COLOUR"] == "red", vars)
	h.poll(func() error { return h.says("hello", "/env?name=COLOUR", "red") })
	vars, err = c.ConfigVarUpdate(ctx, "hello", map[string]*string{"COLOUR": heroku.String("blue"), "SIZE": nil})
	h.right("change", err, len(vars) == 1 && *vars["COLOUR"] == "blue", vars)
	h.poll(func() error { return h.says("hello", "/env?name=COLOUR", "blue") })
	now, err := c.ConfigVarInfoForApp(ctx, "hello")
	h.right("get", err, len(now) == 1 && *now["COLOUR"] == "blue", now)
	_, err = c.ConfigVarUpdate(ctx, "hello", map[string]*string{"HEROKU_X": heroku.String("y")})
	h.refused(err, 422, "invalid_params")
	h.settled("hello", 4, "succeeded")
	releases, err := c.ReleaseList(ctx, "hello", &heroku.ListRange{Field: "version", Max: 10, Descending: true})
	h.right("releases", err, len(releases) == 4 && releases[0].Version == 4 && releases[0].Current, releases)
	third, err := c.ReleaseInfo(ctx, "hello", releases[1].ID)
	h.right("release", err, third.Version == 3 && third.Description == "Set COLOUR, SIZE config vars", third)
	rolled, err := c.ReleaseRollback(ctx, "hello", heroku.ReleaseRollbackOpts{Release: third.ID})
	isRollback := rolled.Version == 5 && rolled.Description == "Rollback to v3"
	h.right("rollback", err, isRollback && rolled.User.Email == "operator@renga.localhost", rolled)
	h.poll(func() error { return h.says("hello", "/env?name=COLOUR", "red") })
	h.poll(func() error { return h.says("hello", "/env?name=SIZE", "xl") })
	h.settled("hello", 5, "succeeded")
	h.runs("hello", "web.1 v5")
	_, err = c.ReleaseRollback(ctx, "hello", heroku.ReleaseRollbackOpts{Release: "v1"})
	h.refused(err, 422, "invalid_params")
	fifth, err := c.ReleaseInfo(ctx, "hello", "5")
	h.right("the release after", err, fifth.Current && fifth.Status == "succeeded", fifth)
	_, err = c.ReleaseInfo(ctx, "hello", "6")
	h.refused(err, 404, "not_found")
}

func TestHerokusClientScalesAndRestarts(t *testing.T) {
	h := newHerokuStory(t)
	ctx, c := t.Context(), h.client
	h.push("hello", "scale-1")
	h.up("hello", "scale-1")
	formation, err := c.FormationList(ctx, "hello", nil)
	h.right("formation", err, len(formation) == 1 && formation[0].Type == "web" && formation[0].Quantity == 1, formation)
	updated, err := c.FormationBatchUpdate(ctx, "hello", scaleTo("web", 2, "standard-2x"))
	h.right("batch", err, len(updated) == 1 && updated[0].Quantity == 2 && updated[0].Size == "Standard-2X", updated)
	info, err := c.FormationInfo(ctx, "hello", "web")
	h.right("info", err, info.Quantity == 2 && info.Size == "Standard-2X", info)
	h.runs("hello", "web.1 v2", "web.2 v2")
	h.poll(func() error { return h.allUp(2, "Standard-2X") })
	before := h.runs("hello", "web.1 v2", "web.2 v2")
	_, err = c.DynoRestart(ctx, "hello", "web.2")
	h.right("restart", err, true, nil)
	h.poll(func() error { return h.replaced(before[1]) })
	if !slices.Contains(h.runs("hello", "web.1 v2", "web.2 v2"), before[0]) {
		t.Error("restarting web.2 took web.1 along")
	}
	_, err = c.DynoRestartAll(ctx, "hello")
	h.right("restart all", err, true, nil)
	h.poll(func() error { return h.replaced(before...) })
	h.poll(func() error { return h.allUp(2, "Standard-2X") })
	h.serves("hello", "scale-1")
	_, err = c.FormationBatchUpdate(ctx, "hello", scaleTo("web", 1, "gigantic"))
	h.refused(err, 422, "invalid_params")
	info, err = c.FormationInfo(ctx, "hello", "web")
	h.right("the formation after", err, info.Quantity == 2 && info.Size == "Standard-2X", info)
	_, err = c.DynoInfo(ctx, "hello", "web.9")
	h.refused(err, 404, "not_found")
}

// allUp is nil when the API lists that many dynos, all up and of that size.
func (h *herokuStory) allUp(n int, size string) error {
	dynos, err := h.client.DynoList(h.Context(), "hello", nil)
	if err != nil {
		return err
	}
	for _, d := range dynos {
		one, err := h.client.DynoInfo(h.Context(), "hello", d.ID)
		if err != nil || one.Name != d.Name || d.State != "up" || d.Size != size || d.Release.Version != 2 {
			return fmt.Errorf("dyno %+v, %w", d, err)
		}
	}
	if len(dynos) != n {
		return fmt.Errorf("%d dynos, want %d", len(dynos), n)
	}
	return nil
}

// replaced is nil when none of the containers is among the app's two any more.
func (h *herokuStory) replaced(old ...string) error {
	containers, err := h.w.Containers(h.Context(), "hello")
	if err != nil {
		return err
	}
	for _, c := range containers {
		if slices.Contains(old, c.ID) {
			return fmt.Errorf("%s runs on in %s", c.Dyno, c.ID)
		}
	}
	if len(containers) != 2 {
		return fmt.Errorf("%d containers, want 2", len(containers))
	}
	return nil
}
