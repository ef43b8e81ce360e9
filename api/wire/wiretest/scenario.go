package wiretest

import (
	"cmp"
	"net/http"
	"strings"
	"testing"
)

// Scenario is one request to a fresh fixture and what must come of it.
type Scenario struct {
	Name    string
	Prepare func(*Seed) // changes what is there at first
	Method  string      // GET when empty
	URL     string
	Headers map[string]string
	Body    string
	Status  int // 200 when 0
	Has     []string
	HasNot  []string
	After   func(*testing.T, *Fixture, *http.Response)
}

// Run runs scenarios, each on a fixture of its own.
func Run(t *testing.T, newFixture func(changes ...func(*Seed)) *Fixture, scenarios []Scenario) {
	for _, sc := range scenarios {
		t.Run(sc.Name, func(t *testing.T) {
			sc.Play(t, newFixture(sc.Prepare))
		})
	}
}

func (sc Scenario) Play(t *testing.T, fixture *Fixture) {
	t.Helper()
	before := fixture.Facts(t)
	res, body := fixture.Ask(sc.Method, sc.URL, sc.Body, sc.Headers)
	if want := cmp.Or(sc.Status, 200); res.StatusCode != want {
		t.Errorf("status is %d, want %d: %s", res.StatusCode, want, body)
	}
	for _, s := range sc.Has {
		if !strings.Contains(body, s) {
			t.Errorf("answer lacks %s: %s", s, body)
		}
	}
	for _, s := range sc.HasNot {
		if strings.Contains(body, s) {
			t.Errorf("answer holds %s: %s", s, body)
		}
	}
	switch reads := sc.Method == "" || sc.Method == "GET" || sc.Method == "HEAD"; {
	case reads || res.StatusCode >= 400:
		sc.changedNothing(t, before, fixture.Facts(t))
	case sc.Has == nil && sc.HasNot == nil && sc.After == nil:
		t.Error("nothing looks at what this changed")
	}
	if sc.After != nil {
		sc.After(t, fixture, res)
	}
}

// changedNothing holds for every request that reads or was refused.
func (sc Scenario) changedNothing(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name := range merged(before, after) {
		if before[name] != after[name] {
			t.Errorf(
				"%s reads or was refused, and changed %s from %.300q to %.300q", sc.URL, name, before[name],
				after[name],
			)
		}
	}
}
