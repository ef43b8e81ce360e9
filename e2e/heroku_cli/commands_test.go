package herokucli_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"renga/e2e"
	herokucli "renga/e2e/heroku_cli"
)

var rewrite = flag.Bool("update", false, "write docs/cli-coverage.md anew")

const (
	// commandLimit is how long a command may take that no story runs. The longest make
	// add-ons.
	commandLimit = 2 * time.Minute
	// typedLimit is how long is waited for one that needs somebody at a terminal.
	typedLimit = 15 * time.Second
)

// row is a line of testdata/commands.table, which says what the columns mean.
type row struct {
	kind, command, sentence, why string
	line                         int
}

// id is the command without its arguments.
func (r row) id() string { id, _, _ := strings.Cut(r.command, " "); return id }

// TestCommands runs each command of the official CLI that no story runs, and writes
// down what all of them do here. None may crash, hang, or ask another host than the
// table says.
func TestCommands(t *testing.T) {
	t.Parallel()
	all, table, stories := allCommands(t), readTable(t), readStories(t)
	buildServices(t)
	session := newSession(t)
	defer session.Close()
	for _, r := range table {
		if err := tryRow(t.Context(), session, r); err != nil {
			t.Errorf("commands.table:%d: heroku %s: %v", r.line, r.command, err)
		}
		if t.Failed() && r.kind == "set-up" {
			t.Fatal("what the others need is not there")
		}
	}
	doc := document(t, all, table, stories)
	const file = "../../docs/cli-coverage.md"
	if *rewrite && !t.Failed() {
		if err := os.WriteFile(file, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != doc {
		t.Errorf("%s is not what this test found: `go test ./e2e/heroku_cli -run TestCommands -update` writes it; %v", file, err)
	}
}

// newSession is a session with a platform whose add-ons are reached from outside.
func newSession(t *testing.T) *herokucli.Session {
	t.Helper()
	w := kit.Platform(t, e2e.WithHosts("hello"))
	bastion := e2e.OwnAddress(1)
	if err := w.Start(t.Context(), "--bastion="+bastion, "--bastion-listen="+bastion+":22"); err != nil {
		t.Fatal(err)
	}
	session, err := herokucli.NewSession(t.Context(), w, bin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

var (
	crash  = regexp.MustCompile(`(?m)\b(Type|Reference|Syntax|Range)Error\b|^\s+at .*:\d+:\d+\)?$`)
	escape = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")
	spaces = regexp.MustCompile(`[\s›]+`)
)

// plain is what was printed, on one line and without colours.
func plain(out string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(escape.ReplaceAllString(out, ""), " "))
}

// tryRow runs a command, and says in which way it does something else than its row
// says.
func tryRow(ctx context.Context, session *herokucli.Session, r row) error {
	limit := commandLimit
	if r.kind == "typed" {
		limit = typedLimit
	}
	ran, err := session.Run(ctx, limit, strings.Fields(r.command)...)
	out := plain(ran.Out)
	var asks []string
	if r.kind == "asks" {
		asks = []string{r.why}
	}
	fails := r.kind == "raced" || r.kind == "refused" || r.kind == "not here" || r.kind == "asks"
	switch {
	case err == nil && r.kind == "raced" && out == "" && ran.Status == 0:
		return nil
	case err != nil && r.kind != "typed":
		return fmt.Errorf("%w\n%s", err, out)
	case err == nil && r.kind == "typed":
		return fmt.Errorf("it waited for nobody, and ended with status %d: %s", ran.Status, out)
	case crash.MatchString(ran.Out) != (r.kind == "broken"):
		return fmt.Errorf("its row is %q, and it printed:\n%s", r.kind, ran.Out)
	case !slices.Equal(ran.Hosts, asks):
		return fmt.Errorf("it asked %q, want %q\n%s", ran.Hosts, asks, out)
	case r.sentence == "-" && out != "", r.sentence != "-" && !strings.Contains(out, r.sentence):
		return fmt.Errorf("it does not say %q:\n%s", r.sentence, out)
	case err == nil && r.kind != "own" && r.kind != "broken" && fails != (ran.Status != 0):
		return fmt.Errorf("its row is %q, and it ended with status %d:\n%s", r.kind, ran.Status, out)
	}
	return nil
}

// command is one of the CLI's, as it lists them.
type command struct {
	ID            string   `json:"id"`
	Aliases       []string `json:"aliases"`
	HiddenAliases []string `json:"hiddenAliases"`
	Plugin        string   `json:"pluginName"`
	Path          []string `json:"relativePath"`
}

// allCommands asks the CLI for its commands.
func allCommands(t *testing.T) []command {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "heroku"), "commands", "--json")
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "DISABLE_TELEMETRY=true", "PATH="+bin+":"+os.Getenv("PATH"),
		"HEROKU_SKIP_NEW_VERSION_CHECK=true", "HEROKU_DISABLE_AUTOUPDATE=1", "HEROKU_HOST=localhost",
		"GIT_CONFIG_GLOBAL="+filepath.Join(home, "gitconfig"))
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("heroku commands: %v\n%s", err, errOut.String())
	}
	var all []command
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b command) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// readTable reads testdata/commands.table.
func readTable(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("testdata/commands.table")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		kinds := []string{"set-up", "works", "refused", "not here", "asks", "own", "typed", "broken", "raced"}
		if len(parts) < 3 || len(parts) > 4 || !slices.Contains(kinds, parts[0]) || parts[2] == "" {
			t.Fatalf("commands.table:%d: %q is no row", n, line)
		}
		r := row{kind: parts[0], command: parts[1], sentence: parts[2], line: n}
		if len(parts) == 4 {
			r.why = parts[3]
		}
		if (r.why == "") == (r.kind == "asks" || r.kind == "not here") {
			t.Fatalf("commands.table:%d: a row has a fourth column just if it is of the kind asks or not here", n)
		}
		rows = append(rows, r)
	}
	return rows
}

// told is how stories run a command.
type told struct {
	does    []string // the stories in which it goes well
	refused string   // what it says where it does not, as the story looks for it
	in      string   // that story
}

var storyCall = regexp.MustCompile(`^(! )?(?:waitfor )?(?:heroku (?:< \S+ )?|tunnel .* -- )([a-z][a-z:0-9-]*)`)

// readStories finds the commands that stories run.
func readStories(t *testing.T) map[string]told {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]told{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		script, _, _ := strings.Cut(string(text), "\n-- ")
		lines := strings.Split(script, "\n")
		for i, line := range lines {
			call := storyCall.FindStringSubmatch(line)
			if call == nil {
				continue
			}
			one := all[call[2]]
			if call[1] == "" && !slices.Contains(one.does, name) {
				one.does = append(one.does, name)
			}
			if said, ok := strings.CutPrefix(slices.Concat(lines, []string{""})[i+1], "stdout "); ok && call[1] != "" && one.refused == "" {
				one.refused, one.in = strings.Trim(said, "'"), name
			}
			all[call[2]] = one
		}
	}
	return all
}

// document is docs/cli-coverage.md.
func document(t *testing.T, all []command, table []row, stories map[string]told) string {
	t.Helper()
	ran := map[string]row{}
	for _, r := range slices.Backward(table) { // the first of a command counts
		if r.kind != "set-up" {
			ran[r.id()] = r
		}
	}
	names := map[string][]string{} // of each command, by where its code is
	where := func(c command) string { return c.Plugin + " " + strings.Join(c.Path, "/") }
	for _, c := range all {
		names[where(c)] = append(names[where(c)], c.ID)
	}
	for _, c := range all { // behind all ids
		names[where(c)] = append(append(names[where(c)], c.Aliases...), c.HiddenAliases...)
	}
	counts, rows := map[string]int{}, new(strings.Builder)
	for _, c := range all {
		kind, text := state(append([]string{c.ID}, names[where(c)]...), ran, stories)
		if kind == "" {
			t.Errorf("no story runs heroku %s, and it has no row in commands.table", c.ID)
		}
		if strings.HasPrefix(kind, "asks ") {
			counts["asks other hosts"]++
		} else {
			counts[kind]++
		}
		fmt.Fprintf(rows, "| `%s` | %s | %s |\n", c.ID, kind, text)
	}
	for id := range ran {
		if !slices.ContainsFunc(all, func(c command) bool { return c.ID == id }) {
			t.Errorf("commands.table has a row of %s, which is no command", id)
		}
	}
	var sum []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		sum = append(sum, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return fmt.Sprintf(heading, len(all), strings.Join(sum, ", ")) + rows.String()
}

const heading = `# What of Heroku's CLI works

Written by a test that runs the official CLI, version 11.10.0, unmodified: each of its %d commands, in a story or with the
arguments of ` + "`e2e/heroku_cli/testdata/commands.table`" + `. ` + "`go test ./e2e/heroku_cli -run TestCommands -update`" + ` writes it.
No answer makes one crash or hang, and none asks another host than it says here. %s.

- **works**: a story looks at what it does, or it was run so and printed that.
- **refused**: it says that; ` + "`…`" + ` stands for what the story does not look at.
- **not here**: it has no meaning on a platform of one's own, and says that.
- **asks HOST**: the CLI asks that host of Heroku's or npm's, whatever it is set to, and shows Heroku's your token: leave it alone.
- **the CLI's own**: it asks no platform.
- **needs a terminal**: it waits for a key.
- **breaks in the CLI**: without a terminal, or without a part that npm does not install; no platform is asked.

| Command | Here | Seen |
|---|---|---|
`

// state is what a command does here, under the first of its names of which that is
// known, and where that was seen.
func state(names []string, ran map[string]row, stories map[string]told) (kind, text string) {
	for _, name := range names {
		if one := stories[name]; len(one.does) > 0 {
			var links []string
			for _, story := range one.does[:min(3, len(one.does))] {
				links = append(links, link(story))
			}
			return "works", strings.Join(links, ", ")
		}
	}
	for _, name := range names {
		r, ok := ran[name]
		if !ok {
			continue
		}
		seen := fmt.Sprintf("`heroku %s`: %s", r.command, cell(r.sentence))
		if r.sentence == "-" || r.kind == "asks" {
			seen = fmt.Sprintf("`heroku %s`", r.command)
		}
		switch r.kind {
		case "asks":
			return "asks " + r.why, seen
		case "not here":
			return r.kind, cell(r.why) + ". " + seen
		case "own":
			return "the CLI's own", seen
		case "typed":
			return "needs a terminal", seen
		case "broken":
			return "breaks in the CLI", seen
		case "raced":
			return "refused", seen
		}
		return r.kind, seen
	}
	for _, name := range names {
		if one := stories[name]; one.refused != "" {
			return "refused", link(one.in) + ": " + cell(strings.ReplaceAll(one.refused, ".*", "…"))
		}
	}
	return "", ""
}

func link(story string) string {
	return fmt.Sprintf("[%s](../e2e/heroku_cli/testdata/%[1]s.txtar)", story)
}

// cell is text for a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
