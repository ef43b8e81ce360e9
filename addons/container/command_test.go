package container_test

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"renga"
)

func TestDataAreCopiedOutAndIn(t *testing.T) {
	f := newFixture(t)
	app := f.client.NewApp(t)
	i := f.made(f.service(), app.App())
	if err := app.Set(t.Context(), f.vars(i), "key", "value"); err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if err := f.Dump(t.Context(), i, &dump); err != nil || dump.String() != "SET key value\n" {
		t.Fatalf("the dump is %q, %v", dump.String(), err)
	}
	second := f.made(f.service(), app.App())
	if err := f.Restore(t.Context(), second, &dump); err != nil {
		t.Fatal(err)
	}
	if got, err := app.Get(t.Context(), f.vars(second), "key"); err != nil || got != "value" {
		t.Errorf("the other has %q, %v", got, err)
	}
	err := f.Restore(t.Context(), second, strings.NewReader("nonsense\n"))
	if renga.KindOf(err) != renga.Unavailable || !strings.Contains(err.Error(), "refused: nonsense") {
		t.Errorf("a broken dump: %v", err)
	}
	without := f.service()
	without.Dump = without.Usage["none"]
	i.Service = without
	if err := f.Dump(t.Context(), i, &dump); renga.KindOf(err) != renga.Invalid {
		t.Errorf("a service without backups: %v", err)
	}
}

func TestAServiceIsMeasuredAndReached(t *testing.T) {
	f := newFixture(t)
	app := f.client.NewApp(t)
	i := f.made(f.service(), app.App())
	if _, err := app.Hold(t.Context(), f.vars(i)); err != nil {
		t.Fatal(err)
	}
	used, err := f.Measure(t.Context(), i)
	if err != nil || used.Connections != 1 || used.MemoryBytes <= 0 || used.At.IsZero() {
		t.Errorf("it uses %+v, %v; want one connection and some memory", used, err)
	}
	conn, err := f.Connect(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	c := i.AddOn.Credentials[0]
	_, _ = fmt.Fprintf(conn, "AUTH %s %s\n", c.User, string(c.Password))
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "OK\n" {
		t.Errorf("through the tunnel it says %q, %v", line, err)
	}
	_ = conn.Close() // only a test's

	var out bytes.Buffer
	err = f.Provider.Run(t.Context(), i, []string{"/service", "admin"}, strings.NewReader("PING\n"), &out)
	if err != nil || out.String() != "OK\n" {
		t.Errorf("a command prints %q, %v", out.String(), err)
	}
	err = f.Provider.Run(t.Context(), i, []string{"/service", "print", "/" + string(i.AddOn.Admin)}, nil, &out)
	if renga.KindOf(err) != renga.Unavailable || strings.Contains(err.Error(), string(i.AddOn.Admin)) {
		t.Errorf("a command that fails: %v", err)
	}

	i.Apps = nil
	if err := f.ensure(i); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Connect(t.Context(), i); renga.KindOf(err) != renga.Unavailable {
		t.Errorf("attached to nothing: %v", err)
	}
	f.kill(t, i)
	if _, err := f.Measure(t.Context(), i); renga.KindOf(err) != renga.Unavailable || !strings.Contains(err.Error(), "does not run now") {
		t.Errorf("one that has ended: %v", err)
	}
}
