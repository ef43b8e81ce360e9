package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/settings.md anew")

// TestEverySettingIsDocumented compares docs/settings.md with the settings that
// there are; run it with -update after a change.
func TestEverySettingIsDocumented(t *testing.T) {
	const file = "../../docs/settings.md"
	want := settingsDocument()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("docs/settings.md is not what the settings are (%v); run: go test ./cmd/renga -run Documented -update", err)
	}
}

func settingsDocument() string {
	var b strings.Builder
	b.WriteString(`# Settings

Each is a flag of ` + "`renga serve`" + ` or an environment variable; the flag wins. All mistakes are told at once. A test
writes this page; ` + "`renga serve --help`" + ` says the same.

| Flag | Environment | Default | What |
|---|---|---|---|
`)
	for _, row := range table(&Settings{}) {
		value := "none"
		switch {
		case row.flag == "platform":
			value = "this machine's"
		case row.value != "":
			value = "`" + row.value + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s |\n", row.flag, row.env, value, strings.ReplaceAll(row.usage, "|", `\|`))
	}
	b.WriteString(`
` + "`make up`" + ` keeps its data in ` + "`.renga/data`" + ` and takes ports 80 and 443 where it may. What is bounded, and how much:
[security.md](security.md). In front of Renga, and what it believes of a balancer: [router.md](router.md).

## Sizes of dynos

` + "`eco`, `basic`, `standard-1x` (512 MB), `standard-2x` (1 GB), `performance-m` (2.5 GB) and `performance-l`" + ` (14 GB), with
limits on CPU, memory and processes that the kernel enforces; ` + "`--sizes`" + ` adds and changes some. As on Heroku a dyno may
use twice its memory: over once the log tells so (R14), at twice it is killed (R15). So is one that writes too much to
its disk (R20, [dynos.md](dynos.md#the-disk)). What dynos use is in the log, at Prometheus and in the API:
[beyond-heroku.md](beyond-heroku.md).
`)
	return b.String()
}
