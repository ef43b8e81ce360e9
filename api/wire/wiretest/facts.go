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
	facts["reconciled"], facts["noted"] = fmt.Sprint(r.Reconciled), fmt.Sprint(r.Noted)
	for i, fake := range r.Fakes {
		facts[fmt.Sprint("fake ", i)] = fmt.Sprintf("%+v", fake)
	}
	return facts
}
