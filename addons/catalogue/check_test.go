package catalogue_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renga/addons/catalogue"
)

var update = flag.Bool("update", false, "write testdata/mistakes.txt anew")

// queue is a service that nobody ships.
func queue(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("testdata/queue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestMistakesAreToldWithTheirLines: each is one change of a good file. What is told
// is in a file, which -update writes anew.
func TestMistakesAreToldWithTheirLines(t *testing.T) {
	var told strings.Builder
	for _, c := range []struct{ old, new string }{
		{"service: queue", "service: Queue_1"},
		{"service: queue\n", ""},
		{"name: Queue\n", ""},
		{"[jobs]", "[jobs, queue]"},
		{"[jobs]", "[Jobs]"},
		{"A queue of jobs.", `"two\nlines"`},
		{"provider: container", "provider: docker"},
		{"attachment: QUEUE", "attachment: queue"},
		{"prefix: queue", "prefix: q_"},
		{`version: "2"`, `version: "3"`},
		{`"1": example.com/queue:1`, `"1": example.com/queue`},
		{`"1": example.com/queue:1`, `"1": Queue:1`},
		{`"1": example`, `"a b": example`},
		{"port: 4000", "port: 70000"},
		{"port: 4000", "port: high"},
		{"port: 4000", "ports: 4000"},
		{"volume: /var/lib/queue", "volume: data"},
		{"volume: /var/lib/queue", "volume: /proc"},
		{"QUEUE_LIMIT:", "QUEUE LIMIT:"},
		{`"{{.Connections}}"`, `"{{.Password}}"`},
		{`"{{.Connections}}"`, "[a]"},
		{`"{{.Connections}}"`, "{{.Connections}}"},
		{`"{{.Connections}}"`, ""},
		{"{{div .MemoryMB 2}}", "{{div .MemoryMB .Connections}}"},
		{"{{div .MemoryMB 2}}", "{{.Admin}}"},
		{"{{div .MemoryMB 2}}", "{{.MemoryGB}}"},
		{"/etc/queue.conf:", "etc/queue.conf:"},
		{"owner: 999", "owner: -1"},
		{"owner: 999", "mode: 0600"},
		{"admin = {{.Admin}}", "admin = {{.Admin}"},
		{"admin = {{.Admin}}", "admin = {{.Admn}}"},
		{"admin = {{.Admin}}", "admin = {{.User}}"},
		{"[queue, ping]", `[""]`},
		{"[queue, ping]", "queue ping"},
		{"  URL: ", "  url: "},
		{"{{.User}}:{{.Password}}@", "admin:{{.Admin}}@"},
		{`[queue, add, "{{.User}}"]`, `[queue, add, "{{.User}}", "{{.Password}}"]`},
		{`  run: [queue, add, "{{.User}}"]` + "\n", ""},
		{"dump:\n  run: [queue, dump]\n", ""},
		{"[queue, restore]", "[queue, restore]\n  input: x"},
		{"  sums: {run: [queue, sums]}\n", ""},
		{"  finish: {run: [queue, finish]}\n", ""},
		{"[queue, finish]", "[queue, finish], input: x"},
		{"[queue, freeze]", `[queue, freeze, "{{.User}}"]`},
		{"[queue, carry]", `[queue, carry, "{{.Admin}}"]`},
		{"  freeze:", "  stop:"},
		{`  "1": example.com/queue:1` + "\n", ""},
		{"  connections:\n", "  Connections:\n"},
		{"name: small", "name: Small"},
		{"[tiny]", "[large]"},
		{"memory: 64M", "memory: 64"},
		{"memory: 64M", "memory: 1M"},
		{"memory: 64M, ", ""},
		{"cpu: 0.5", "cpu: half"},
		{"cpu: 0.5", "cpu: .nan"},
		{"disk: 1G, ", ""},
		{"connections: 10}", "connections: -1}"},
		{"    cpu: 2", "    cpu: 2\n    price: 5"},
		{"    cpu: 2", "    cpu: 2\n    cpu: 3"},
		{"aliases: [jobs]", "aliases: &a [jobs]"},
		{"    disk: 10G\n", "    disk: 10G\n---\nservice: other\n"},
		{"port: 4000", "port: ["},
	} {
		content := queue(t)
		if strings.Count(content, c.old) != 1 {
			t.Fatalf("%q is %d times in the file", c.old, strings.Count(content, c.old))
		}
		file := put(t, t.TempDir(), "queue.yaml", strings.Replace(content, c.old, c.new, 1))
		_, err := catalogue.Check(file)
		if err == nil {
			t.Errorf("%q instead of %q is good", c.new, c.old)
			continue
		}
		said := strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "")
		fmt.Fprintf(&told, "%q instead of %q\n%s\n\n", c.new, c.old, said)
	}
	const golden = "testdata/mistakes.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(told.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || told.String() != string(want) {
		t.Errorf("%s is not what is told (%v), which is\n%s", golden, err, told.String())
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	wrong := strings.NewReplacer("port: 4000", "port: 0", "cpu: 0.5", "cpu: 0", "name: large", "name: LARGE")
	file := put(t, t.TempDir(), "queue.yaml", wrong.Replace(queue(t)))
	_, err := catalogue.Check(file)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three mistakes are told as: %v", err)
	}
	many := put(t, t.TempDir(), "many.yaml", queue(t)+strings.Repeat("  - {name: X}\n", 40))
	if _, err = catalogue.Check(many); err == nil || strings.Count(err.Error(), "\n") != 20 ||
		!strings.HasSuffix(err.Error(), " more") {
		t.Errorf("very many mistakes are told as: %v", err)
	}
}

func TestFilesThatAreNoServices(t *testing.T) {
	for content, want := range map[string]string{
		"":                              "1: the file is empty: it must say what the service is, beginning with",
		"# nothing\n":                   "1: the file is empty: it must say what the service is, beginning with",
		"\n- a\n":                       "2: a mapping is wanted, beginning with `service: NAME`",
		"just text":                     "1: a mapping is wanted, beginning with `service: NAME`",
		strings.Repeat("#", 70000):      "1: the file has more than 65536 bytes: it is no service",
		"a: &a [x]\nb: [*a, *a, *a]\n":  "1: anchors (&) and aliases (*) are not read: write it out",
		strings.Repeat("[", 60000):      "exceeded",
		"service: a\x00b":               "control characters are not allowed",
		"service: !!binary aGVsbG8=":    "name: say how people",
		"\xff\xfe":                      "",
		"plans: [{name: a}, {name: b}]": `1: service: "" is no name`,
	} {
		file := put(t, t.TempDir(), "bad.yaml", content)
		_, err := catalogue.Check(file)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), file+":") {
			t.Errorf("%.40q: %v; want %s", content, err, want)
		}
	}
}

func put(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
