package catalogue_test

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"renga/addons/catalogue"
)

// document is the page for people.
func document(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../docs/addons.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestEveryServiceIsDocumented with a row of a table.
func TestEveryServiceIsDocumented(t *testing.T) {
	page := document(t)
	for _, s := range load(t, "").Services() {
		var vars, plans []string
		for _, suffix := range slices.Sorted(maps.Keys(s.Config)) {
			vars = append(vars, "`"+s.Attachment+"_"+suffix+"`")
		}
		for _, p := range s.Plans {
			plans = append(plans, "`"+p.Name+"`")
		}
		versions := "—"
		if len(s.Versions) > 0 {
			versions = strings.Join(slices.Sorted(maps.Keys(s.Versions)), ", ") + "; " + s.Version + " unless `--version` says another"
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", s.Name, strings.Join(vars, ", "), strings.Join(plans, ", "), versions)
		if !strings.Contains(page, row) {
			t.Errorf("docs/addons.md lacks the row\n%s", row)
		}
	}
}

// TestEveryFieldIsDocumented in the tables of fields.
func TestEveryFieldIsDocumented(t *testing.T) {
	page := document(t)
	for _, of := range []reflect.Type{
		reflect.TypeFor[catalogue.Service](), reflect.TypeFor[catalogue.Plan](), reflect.TypeFor[catalogue.File](),
		reflect.TypeFor[catalogue.Command](), reflect.TypeFor[catalogue.PartnerFacts](), reflect.TypeFor[catalogue.Upgrade](),
	} {
		for field := range of.Fields() {
			if name := field.Tag.Get("yaml"); !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/addons.md does not say what `%s` is, of %s", name, of.Name())
			}
		}
	}
	for field := range reflect.TypeFor[catalogue.Data]().Fields() {
		if !strings.Contains(page, "`{{."+field.Name+"}}`") {
			t.Errorf("docs/addons.md does not say what {{.%s}} is", field.Name)
		}
	}
}

// TestTheExampleOfTheDocumentIsGood: it is a file that people copy.
func TestTheExampleOfTheDocumentIsGood(t *testing.T) {
	_, after, _ := strings.Cut(document(t), "```yaml\n")
	example, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatal("there is no example in docs/addons.md")
	}
	dir := t.TempDir()
	put(t, dir, "example.yaml", example)
	s, p, err := load(t, dir).Plan("valkey")
	if err != nil || s.Image != "valkey/valkey:8" || p.Name != "small" {
		t.Errorf("the example is %s:%s of %s, %v", s.Name, p.Name, s.Image, err)
	}
}
