package router_test

import (
	"os"
	"strings"
	"testing"

	"renga/router"
)

// TestTheDocumentNamesEveryCodeWithATestThatExists keeps docs/router.md true.
func TestTheDocumentNamesEveryCodeWithATestThatExists(t *testing.T) {
	text := string(read(t, "../docs/router.md"))
	for code := range router.New(router.Options{}).Stats().ByFailure {
		if !strings.Contains(text, "\n| "+string(code)+" | ") {
			t.Errorf("docs/router.md has no line for %s", code)
		}
	}
	var tests strings.Builder
	for _, file := range []string{"bounds_test.go", "hosts_test.go", "proxy_test.go", "router_test.go", "sleep_test.go"} {
		tests.Write(read(t, file))
	}
	for _, word := range strings.Split(text, "`") {
		if strings.HasPrefix(word, "Test") && !strings.Contains(tests.String(), "func "+word+"(") {
			t.Errorf("docs/router.md names %s, which there is not", word)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
