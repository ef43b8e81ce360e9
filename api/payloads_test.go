package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"renga"
	"renga/api/wire/wiretest"
)

func TestPayloadsAreWhatTheAPIShows(t *testing.T) {
	fixture := newFull()
	app, starting := fixture.App(t, wiretest.Hello), wiretest.NewSeed().Dynos[0]
	up := starting
	up.State, up.Since = renga.Up, wiretest.Born.AddDate(0, 0, 1)
	rec := fixture.Record(t, wiretest.Hello, 3)
	scale := func(n int) renga.Subject {
		return renga.Subject{
			Process: &renga.Process{
				Type:  "web",
				Scale: renga.Scale{Quantity: n, Size: "eco", CreatedAt: wiretest.Born, UpdatedAt: wiretest.Born},
			},
		}
	}
	addOn, err := fixture.DB.AddOn(t.Context(), wiretest.Database)
	if err != nil {
		t.Fatal(err)
	}
	before := addOn
	before.State = renga.Provisioning
	for _, c := range []struct {
		kind        renga.EventKind
		now, before renga.Subject
		has         []string
	}{
		{
			renga.AppEvent, renga.Subject{App: &app}, renga.Subject{},
			[]string{`"resource":"app"`, `"previous_data":{}`, `"web_url":"http://hello.renga.localhost:5000/"`},
		},
		{
			renga.ReleaseEvent, renga.Subject{Release: &rec}, renga.Subject{},
			[]string{
				`"resource":"release"`, `"version":3`, `"current":true`,
				`"description":"Set COLOR, SECRET config vars"`,
			},
		},
		{
			renga.BuildEvent, renga.Subject{Release: &rec}, renga.Subject{},
			[]string{`"resource":"build"`, `"status":"succeeded"`, `"source_blob":{`},
		},
		{
			renga.DynoEvent, renga.Subject{Dyno: &up}, renga.Subject{Dyno: &starting},
			[]string{
				`"resource":"dyno"`, `"state":"up"`,
				`"previous_data":{"state":"starting","updated_at":"2026-01-02T03:04:05Z"}`,
			},
		},
		{
			renga.FormationEvent, scale(2), scale(1),
			[]string{`"resource":"formation"`, `"quantity":2`, `"previous_data":{"quantity":1}`},
		},
		{
			renga.CollaboratorEvent,
			renga.Subject{Collaborator: &renga.Collaborator{ID: wiretest.HookID, Account: wiretest.Bob.ID}},
			renga.Subject{}, []string{`"resource":"collaborator"`, `"email":"bob@example.com"`},
		},
		{
			renga.DomainEvent,
			renga.Subject{Domain: &renga.Domain{ID: wiretest.HookID, App: wiretest.Hello, Hostname: "www.example.com"}},
			renga.Subject{},
			[]string{`"resource":"domain"`, `"hostname":"www.example.com"`, `"cname":"hello.renga.localhost"`},
		},
		{
			renga.EndpointEvent,
			renga.Subject{Endpoint: &renga.Endpoint{ID: wiretest.HookID, App: wiretest.Hello, Name: "tokyo-1"}},
			renga.Subject{}, []string{`"resource":"sni-endpoint"`, `"name":"tokyo-1"`, `"domains":[]`},
		},
		{
			renga.AddOnEvent, renga.Subject{AddOn: &addOn}, renga.Subject{AddOn: &before},
			[]string{
				`"resource":"addon"`, `"name":"postgresql-curved-12345"`, `"state":"provisioned"`, `"config_vars":["DATABASE_URL"]`,
				`"previous_data":{"state":"provisioning"}`, `"app":{"id":"` + string(wiretest.Hello) + `","name":"hello"}`,
			},
		},
		{
			renga.AttachmentEvent, renga.Subject{AddOn: &addOn, Attachment: &addOn.Attachments[1]}, renga.Subject{},
			[]string{
				`"resource":"addon-attachment"`, `"name":"LEDGER"`, `"name":"postgresql-curved-12345"`, `"name":"shop"`,
			},
		},
	} {
		payload, err := payloads(fixture).Payload(
			t.Context(),
			renga.Event{
				ID: wiretest.EventID, Kind: c.kind, Action: renga.Update, At: wiretest.Born, App: app,
				Subject: c.now, Before: c.before,
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(
			c.has, `"action":"update"`, `"sequence":null`, `"actor":{"email":"platform@renga.localhost"`,
			`"version":"application/vnd.heroku+json; version=3"`,
		) {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %s: %s", c.kind, want, text)
			}
		}
		if strings.Contains(string(text), wiretest.Marker) {
			t.Errorf("%s tells a secret: %s", c.kind, text)
		}
	}
}
