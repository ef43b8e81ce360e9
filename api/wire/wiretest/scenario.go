package wiretest

import (
	"cmp"
	"net/http"
	"strings"
	"testing"
)

// Scenario is one request to a fresh world and what must come of it.
type Scenario struct {
	Name    string
	Prepare func(*World)
	Method  string // GET when empty
	URL     string
	Headers map[string]string
	Body    string
	Status  int // 200 when 0
	Has     []string
	HasNot  []string
	After   func(*testing.T, *Rig, *http.Response)
}

// Run runs scenarios, each on a rig of its own.
func Run(t *testing.T, newRig func() *Rig, scenarios []Scenario) {
	for _, sc := range scenarios {
		t.Run(sc.Name, func(t *testing.T) {
			rig := newRig()
			if sc.Prepare != nil {
				sc.Prepare(rig.World)
			}
			sc.Play(t, rig)
		})
	}
}

func (sc Scenario) Play(t *testing.T, rig *Rig) {
	t.Helper()
	before := rig.Facts(t)
	res, body := rig.Ask(sc.Method, sc.URL, sc.Body, sc.Headers)
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
		sc.changedNothing(t, before, rig.Facts(t))
	case sc.Has == nil && sc.HasNot == nil && sc.After == nil:
		t.Error("nothing looks at what this changed")
	}
	if sc.After != nil {
		sc.After(t, rig, res)
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
