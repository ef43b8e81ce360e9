package wiretest

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"renga/store/storetest"
)

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// Facts are all that a request can change, but for what counts and remembers
// requests themselves.
func (r *Fixture) Facts(t *testing.T) map[string]string {
	t.Helper()
	facts, err := storetest.Contents(t.Context(), r.DB)
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(facts, func(key, _ string) bool {
		return strings.Contains(key, ":attempts:") || strings.Contains(key, ":answer:")
	})
	w := r.FakeRooms
	for name, fact := range map[string]any{
		"apps": w.Apps, "releases": w.History, "outcomes": w.Outcomes, "canaries": w.Canaries, "formation": w.Scaled,
		"dynos":    w.Running,
		"restarts": w.Restarts, "owners": w.Owners, "asleep": w.Asleep, "ordered": w.Ordered, "one-offs": w.Ran,
		"woken": w.Woken, "logs": w.Said,
	} {
		facts[name] = fmt.Sprintf("%+v", fact)
	}
	return facts
}
