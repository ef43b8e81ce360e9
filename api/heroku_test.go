package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	heroku5 "github.com/heroku/heroku-go/v5"
	heroku "github.com/heroku/heroku-go/v6"

	"renga/api/wire/wiretest"
)

// herokuClient is Heroku's Go client, pointed at an API of ours.
func herokuClient(t *testing.T) (*heroku.Service, *fixture) {
	t.Helper()
	fixture := newFixture(nil)
	return clientOf(t, fixture, "ada-token"), fixture
}

func clientOf(t *testing.T, fixture *fixture, token string) *heroku.Service {
	t.Helper()
	server := httptest.NewServer(fixture)
	t.Cleanup(server.Close)
	client := heroku.NewService(&http.Client{Transport: &heroku.Transport{BearerToken: token}})
	client.URL = server.URL
	return client
}

// olderClientOf is the client of the schema's version before.
func olderClientOf(t *testing.T, fixture *fixture, token string) *heroku5.Service {
	t.Helper()
	server := httptest.NewServer(fixture)
	t.Cleanup(server.Close)
	client := heroku5.NewService(&http.Client{Transport: &heroku5.Transport{BearerToken: token}})
	client.URL = server.URL
	return client
}

func good(t *testing.T, what string, err error, right bool) {
	t.Helper()
	if err != nil || !right {
		t.Errorf("%s: right is %v, err %v", what, right, err)
	}
}

func TestHerokusClientHandlesApps(t *testing.T) {
	client, _ := herokuClient(t)
	ctx := t.Context()
	me, err := client.AccountInfo(ctx)
	good(t, "account", err, me.Email == wiretest.Ada.Email)
	me, err = client.AccountInfoByUser(ctx, "~")
	good(t, "user", err, me.ID == string(wiretest.Ada.ID))
	made, err := client.AppCreate(
		ctx, heroku.AppCreateOpts{Name: heroku.String("fresh"), Stack: heroku.String("container")},
	)
	good(t, "create", err, made.Name == "fresh" && made.Stack.Name == "container")
	app, err := client.AppInfo(ctx, "fresh")
	good(t, "info", err, app.ID == made.ID && app.Owner.Email == wiretest.Ada.Email)
	app, err = client.AppUpdate(ctx, "fresh", heroku.AppUpdateOpts{Maintenance: heroku.Bool(true)})
	good(t, "update", err, app.Maintenance)
	apps, err := client.AppList(ctx, &heroku.ListRange{Field: "name", Max: 1, Descending: true})
	good(t, "list", err, len(apps) == 1 && apps[0].Name == "hello")
	own, err := client.AppListOwnedAndCollaborated(ctx, "~", nil)
	good(t, "own", err, len(own) == 2)
	app, err = client.AppDelete(ctx, "fresh")
	good(t, "delete", err, app.Name == "fresh")
	_, err = client.AppInfo(ctx, "fresh")
	wanted(t, err, 404, "not_found")
	_, err = client.AppInfo(ctx, "other")
	wanted(t, err, 403, "forbidden")
	_, err = client.AppCreate(ctx, heroku.AppCreateOpts{Name: heroku.String("other")})
	wanted(t, err, 422, "invalid_params")
}

// wanted checks that Heroku's client understood an error.
func wanted(t *testing.T, err error, status int, id string) {
	t.Helper()
	var got heroku.Error
	if !errors.As(err, &got) || got.StatusCode != status || got.ID != id || got.Error() == "" {
		t.Errorf("error is %v, want %d %s", err, status, id)
	}
}

func TestHerokusClientHandlesReleasesAndVars(t *testing.T) {
	client, _ := herokuClient(t)
	ctx := t.Context()
	releases, err := client.ReleaseList(ctx, "hello", &heroku.ListRange{Field: "version", Max: 2, Descending: true})
	good(t, "releases", err, len(releases) == 2 && releases[0].Version == 4)
	release, err := client.ReleaseInfo(ctx, "hello", releases[1].ID)
	good(t, "release", err, release.Version == 3 && release.User.Email == wiretest.Ada.Email && release.Current)
	rolled, err := client.ReleaseRollback(ctx, "hello", heroku.ReleaseRollbackOpts{Release: release.ID})
	good(t, "rollback", err, rolled.Version == 5)
	_, err = client.ReleaseRollback(ctx, "hello", heroku.ReleaseRollbackOpts{Release: "v1"})
	wanted(t, err, 422, "invalid_params")
	_, err = client.ReleaseCreate(ctx, "hello", heroku.ReleaseCreateOpts{Slug: release.ID})
	wanted(t, err, 422, "invalid_params")
	vars, err := client.ConfigVarUpdate(ctx, "hello", map[string]*string{"A": heroku.String("b"), "COLOR": nil})
	good(t, "set", err, *vars["A"] == "b" && vars["COLOR"] == nil)
	all, err := client.ConfigVarInfoForApp(ctx, "hello")
	good(t, "vars", err, len(all) == 2 && *all["SECRET"] == wiretest.Marker)
	old, err := client.ConfigVarInfoForAppRelease(ctx, "hello", "3")
	good(t, "old vars", err, *old["COLOR"] == "red")
}

func TestHerokusClientHandlesFormationAndDynos(t *testing.T) {
	client, fixture := herokuClient(t)
	ctx := t.Context()
	formation, err := client.FormationList(ctx, "hello", nil)
	good(t, "formation", err, len(formation) == 2 && formation[0].Type == "web")
	var update heroku.FormationUpdateOpts
	options(t, &update, `{"quantity":3,"dyno_size":{"name":"standard-2x"}}`)
	web, err := client.FormationUpdate(ctx, "hello", "web", update)
	good(t, "update", err, web.Quantity == 3 && web.DynoSize.Name == "Standard-2X" && web.Size == "Standard-2X")
	scale, _ := fixture.Scale(t, "web")
	good(t, "stored", nil, scale.Size == "standard-2x")
	var batch heroku.FormationBatchUpdateOpts
	options(t, &batch, `{"updates":[{"type":"worker","quantity":2,"dyno_size":{"id":"`+web.DynoSize.ID+`"}}]}`)
	both, err := client.FormationBatchUpdate(ctx, "hello", batch)
	good(
		t, "batch", err,
		len(both) == 2 && both[0].Quantity == 3 && both[1].Quantity == 2 && both[1].DynoSize.Name == "Standard-2X",
	)
	web, err = client.FormationInfo(ctx, "hello", web.ID)
	good(t, "info", err, web.Quantity == 3)
	dynos, err := client.DynoList(ctx, "hello", &heroku.ListRange{Field: "name"})
	good(t, "dynos", err, len(dynos) == 2 && dynos[0].State == "up")
	dyno, err := client.DynoInfo(ctx, "hello", dynos[0].ID)
	good(t, "dyno", err, dyno.Name == "web.1" && dyno.Release.Version == 3)
	_, err = client.DynoRestart(ctx, "hello", "web.1")
	good(t, "restart", err, true)
	_, err = client.DynoRestartAll(ctx, "hello")
	good(t, "restart all", err, len(fixture.Restarts(t)) == 2)
}

func TestHerokusClientReadsPlaces(t *testing.T) {
	client, _ := herokuClient(t)
	ctx := t.Context()
	sizes, err := client.DynoSizeList(ctx, nil)
	good(t, "sizes", err, len(sizes) == 4 && sizes[0].Name == "Eco")
	size, err := client.DynoSizeInfo(ctx, sizes[2].ID)
	good(t, "size", err, size.Name == "Standard-1X" && size.Memory == 0.5)
	regions, err := client.RegionList(ctx, nil)
	good(t, "regions", err, len(regions) == 1)
	region, err := client.RegionInfo(ctx, "us")
	good(t, "region", err, region.ID == regions[0].ID)
	stacks, err := client.StackList(ctx, nil)
	good(t, "stacks", err, len(stacks) == 1)
	stack, err := client.StackInfo(ctx, "container")
	good(t, "stack", err, stack.ID == stacks[0].ID && stack.Default)
}

// options fills the options of a call, whose parts have no names in Go.
func options(t *testing.T, into any, text string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// TestHerokusOlderClientIsUnderstood sends fields whose names have changed since.
func TestHerokusOlderClientIsUnderstood(t *testing.T) {
	fixture := newFixture(nil)
	client, ctx := olderClientOf(t, fixture, "ada-token"), t.Context()
	web, err := client.FormationUpdate(
		ctx, "hello", "web",
		heroku5.FormationUpdateOpts{Quantity: heroku5.Int(3), Size: heroku5.String("standard-2x")},
	)
	scale, _ := fixture.Scale(t, "web")
	good(t, "update", err, web.Quantity == 3 && web.Size == "Standard-2X" && scale.Size == "standard-2x")
	var batch heroku5.FormationBatchUpdateOpts
	options(t, &batch, `{"updates":[{"type":"worker","quantity":2,"size":"performance-m"}]}`)
	both, err := client.FormationBatchUpdate(ctx, "hello", batch)
	good(t, "batch", err, len(both) == 2 && both[1].Quantity == 2 && both[1].Size == "Performance-M")
	session, err := client.LogSessionCreate(ctx, "hello", heroku5.LogSessionCreateOpts{Dyno: heroku5.String("web.1")})
	good(t, "log session", err, session.LogplexURL != "")
	size, err := client.DynoSizeInfo(ctx, "eco")
	good(t, "size", err, size.Name == "Eco" && size.DynoUnits == 0)
	release, err := client.ReleaseInfo(ctx, "hello", "3")
	good(t, "release", err, release.Version == 3)
}
