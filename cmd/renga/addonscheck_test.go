package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const queueService = `service: queue
name: Queue
description: A queue.
provider: container
attachment: QUEUE
image: queue:1.2
port: 4000
ready: {run: [queue, ping]}
config: {URL: "queue://{{.User}}:{{.Password}}@{{.Host}}:{{.Port}}"}
grant: {run: [queue, add, "{{.User}}"], input: "{{.Password}}"}
revoke: {run: [queue, remove, "{{.User}}"]}
plans:
  - {name: small, memory: 64M, cpu: 0.5, connections: 10}
  - {name: large, memory: 1G, cpu: 2, disk: 10G}
`

func TestFilesOfServicesAreTried(t *testing.T) {
	good := filepath.Join(t.TempDir(), "queue.yaml")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	writeFile(t, good, queueService)
	writeFile(t, bad, queueService+"  - {name: tiny, memory: 1M, cpu: 0.5}\n")

	out, err := addOnsCheck(t, good)
	want := "queue:small: container, queue:1.2, 64M of memory, 0.5 CPU, 10 connections\n" +
		"queue:large: container, queue:1.2, 1G of memory, 2 CPU, 10G of disk\n"
	if err != nil || out != want {
		t.Errorf("a good file: %v, printed\n%swant\n%s", err, out, want)
	}
	out, err = addOnsCheck(t, bad, good)
	wrong := bad + `:15: memory: plan "tiny" must have between 16M and 4T`
	if err == nil || err.Error() != wrong || out != want {
		t.Errorf("a bad file beside a good one: %v, printed\n%s; want %s, and what the good one has", err, out, wrong)
	}
	if _, err := addOnsCheck(t); err == nil || err.Error() != "usage: renga addons:check FILE…" {
		t.Errorf("no file: %v", err)
	}
}

// A start with a bad file opens nothing: the error says which line is wrong.
func TestABadFileOfAServiceEndsTheStart(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "queue.yaml"), strings.Replace(queueService, "port: 4000", "port: far", 1))
	_, err := openBase(Settings{AddOns: dir}, nil, nil, nil, nil, slog.New(slog.DiscardHandler))
	want := filepath.Join(dir, "queue.yaml") + ":7: a whole number is wanted here, not the text far"
	if err == nil || err.Error() != want {
		t.Errorf("the start ends with %v, not %s", err, want)
	}
}

func addOnsCheck(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	p := &program{getenv: func(string) string { return "" }, out: &out, err: &out}
	err := checkAddOns(t.Context(), p, args)
	return out.String(), err
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
