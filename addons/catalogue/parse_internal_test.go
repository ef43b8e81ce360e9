package catalogue

import (
	"os"
	"strings"
	"testing"
)

// FuzzParseFile: whatever is in a file, it is read or told what is wrong with it.
func FuzzParseFile(f *testing.F) {
	content, err := os.ReadFile("testdata/queue.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := parseFile("fuzz.yaml", content)
		if err == nil && (len(s.Plans) == 0 || s.Name == "") {
			t.Error("a service without a name or a plan is good")
		}
		if err != nil && !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
			t.Errorf("the error does not say where: %v", err)
		}
	})
}
