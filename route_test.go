package renga_test

import (
	"testing"

	"renga"
)

func TestPagesAreURLsWithoutPasswords(t *testing.T) {
	for text, want := range map[string]string{
		"https://example.com/sorry.html":  "https://example.com/sorry.html",
		"http://example.com":              "http://example.com",
		"":                                "",
		"javascript:alert(1)":             "",
		"//example.com/sorry.html":        "",
		"https://me:secret@example.com/":  "",
		"https://exa mple.com/":           "",
		"https://example.com/\"><script>": "https://example.com/%22%3E%3Cscript%3E",
	} {
		p := renga.Vars{"ERROR_PAGE_URL": text, "MAINTENANCE_PAGE_URL": text}.Pages()
		if p.Error != want || p.Maintenance != want {
			t.Errorf("%q gives %+v, want %q", text, p, want)
		}
	}
}
