package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"renga/e2e"
)

// page is a document for people.
func page(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// console gives the commands of a page's first console block, and what each is
// said to print.
func console(t *testing.T, content string) (commands, answers []string) {
	t.Helper()
	_, rest, ok := strings.Cut(content, "```console\n")
	block, _, whole := strings.Cut(rest, "```")
	if !ok || !whole {
		t.Fatal("there is no console block")
	}
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		if command, is := strings.CutPrefix(line, "$ "); is {
			commands, answers = append(commands, command), append(answers, "")
		} else {
			answers[len(answers)-1] += line
		}
	}
	return commands, answers
}

// TestTheFirstPushOfTheReadme types what README.md says.
func TestTheFirstPushOfTheReadme(t *testing.T) {
	s := newStory(t)
	s.start()
	img, err := s.w.Image(e2e.Image{Version: "your first push"})
	s.must(err)
	here := strings.NewReplacer(
		"bin/renga", kit.Renga, ".renga/data", s.w.Dir, "localhost:5000", s.w.Registry(),
		"http://hello.renga.localhost:5000/", "-sS --retry 20 --retry-all-errors --fail -H 'Host: "+s.w.Host("hello")+"' http://"+s.w.Addr+"/",
	)
	s.must(s.w.DockerLoad(t.Context(), s.w.Registry()+"/hello", img))
	commands, answers := console(t, page(t, "README.md"))
	if len(commands) != 3 {
		t.Fatalf("the first push are %d commands: %q", len(commands), commands)
	}
	for n, command := range commands {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", here.Replace(command))
		cmd.Env = s.w.Env()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		want := strings.Fields(answers[n])[0] // digests differ
		if n == 2 {
			want = answers[n]
		}
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: printed %q, want %q", command, out, want)
		}
	}
}

// saidOfRenga finds commands of ours in a document.
var saidOfRenga = regexp.MustCompile("(?m)(?:`|^|\\()(?:bin/)?renga ([a-z]+(?::[a-z]+)?)")

// TestTheCommandsOfTheDocumentsExist asks the binary for each that they name.
func TestTheCommandsOfTheDocumentsExist(t *testing.T) {
	help, err := exec.Command(kit.Renga, "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range append(pages, "../README.md") {
		for _, said := range saidOfRenga.FindAllStringSubmatch(page(t, strings.TrimPrefix(name, "../")), -1) {
			if found++; !strings.Contains(string(help), "\n  renga "+said[1]+" ") {
				t.Errorf("%s says renga %s, which there is not", name, said[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("%d commands found in the documents", found)
	}
}

// TestTheCallsOfTheDocumentsWork makes the calls of the table in docs/api.md, in
// its order.
func TestTheCallsOfTheDocumentsWork(t *testing.T) {
	s := newStory(t)
	s.start(quickly()...)
	for _, version := range []string{"v1", "v2", "v3"} { // releases v2 to v4
		s.push("hello", version)
	}
	token, err := s.w.Token(t.Context())
	s.must(err)
	content := page(t, "docs/api.md")
	_, function, _ := strings.Cut(content, ". .renga/env\n")
	function, _, _ = strings.Cut(function, "```")
	_, table, _ := strings.Cut(content, "| To | Do |")
	table, _, _ = strings.Cut(table, "\n\n")
	calls := regexp.MustCompile("`api ([A-Z]+) '?([^ '`]+)'?(?: '([^']+)')?`").FindAllStringSubmatch(table, -1)
	if len(calls) < 13 {
		t.Fatalf("%d calls in the table", len(calls))
	}
	for _, call := range calls {
		if strings.HasSuffix(call[2], "/cancel") {
			continue // nothing is under way; cancel.txtar has it
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", function+`api "$@"`, "sh", call[1], call[2], call[3])
		if call[3] == "" {
			cmd.Args = cmd.Args[:len(cmd.Args)-1]
		}
		cmd.Env = append(s.w.Env(), "RENGA_TOKEN="+token, "RENGA_URL=http://"+s.w.Addr)
		out, err := cmd.CombinedOutput()
		refused := bytes.Contains(out, []byte(`"id":"invalid_params"`)) || bytes.Contains(out, []byte(`"id":"not_found"`))
		if err != nil || refused || len(out) == 0 {
			t.Errorf("%s: %v\n%s", call[0], err, out)
		}
	}
}
