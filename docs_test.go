package renga_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents are all pages for people, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			pages[name] = string(content)
		}
	}
	return pages
}

var (
	linked  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	target  = regexp.MustCompile("(?m)(?:`|^)make ([a-z0-9]+)")
)

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	pages := documents(t)
	for page, content := range pages {
		for _, found := range linked.FindAllStringSubmatch(content, -1) {
			to, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			file := page
			if to != "" {
				file = filepath.Join(filepath.Dir(page), to)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s leads to %s, which is not there", page, found[1])
			} else if anchor != "" && !anchors(pages[file])[anchor] {
				t.Errorf("%s leads to %s, and there is no such heading", page, found[1])
			}
		}
	}
}

// anchors are how a page's headings are linked to.
func anchors(content string) map[string]bool {
	all := map[string]bool{}
	for _, found := range heading.FindAllStringSubmatch(content, -1) {
		kept := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z':
				return r
			}
			return -1
		}, strings.ToLower(found[1]))
		all[kept] = true
	}
	return all
}

// TestEveryPageIsFoundFromTheReadme keeps pages from being forgotten.
func TestEveryPageIsFoundFromTheReadme(t *testing.T) {
	pages := documents(t)
	for page := range pages {
		if page != "README.md" && !strings.Contains(pages["README.md"], "]("+page+")") {
			t.Errorf("README.md does not lead to %s", page)
		}
	}
	if lines := strings.Count(pages["README.md"], "\n"); lines > 150 {
		t.Errorf("README.md has %d lines, of at most 150: what is longer has a page in docs", lines)
	}
}

func TestTheMakeTargetsOfTheDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for page, content := range documents(t) {
		for _, found := range target.FindAllStringSubmatch(content, -1) {
			if !strings.Contains(string(makefile), "\n"+found[1]+":") {
				t.Errorf("%s says make %s, which there is not", page, found[1])
			}
		}
	}
}
