package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renga/certs"
)

func TestClientsAreLedWhereTheCLIGoes(t *testing.T) {
	for _, c := range []struct {
		domain, listen, tls         string
		heroku, api, registry, note string
	}{
		{
			"renga.localhost", "127.0.0.1:5000", "127.0.0.1:443",
			"renga.localhost", "https://api.renga.localhost", "registry.renga.localhost", "",
		},
		{
			"localhost.paas.example", "127.0.0.1:5000", "0.0.0.0:443",
			"localhost.paas.example", "https://api.localhost.paas.example", "registry.localhost.paas.example", "",
		},
		{
			"renga.herokudev.com", ":80", ":443",
			"renga.herokudev.com", "https://api.renga.herokudev.com", "registry.renga.herokudev.com", "",
		},
		{
			"paas.example", "127.0.0.1:5000", "0.0.0.0:443",
			"https://api.paas.example/localhost", "https://api.paas.example", "registry.paas.example", "localhost.paas.example",
		},
		{
			"renga.localhost", "127.0.0.1:5000", "127.0.0.1:5443",
			"https://localhost:5443", "https://localhost:5443", "localhost:5000", "port 443",
		},
		{
			"renga.localhost", "127.0.0.1:5000", "127.1.2.3:5443",
			"https://127.1.2.3:5443/localhost", "https://127.1.2.3:5443", "localhost:5000", "port 443",
		},
		{
			"paas.example", ":5000", "192.0.2.1:5443",
			"https://api.paas.example:5443/localhost", "https://api.paas.example:5443", "localhost:5000", "port 443",
		},
		{"paas.example", "0.0.0.0:5000", "off", "http://localhost:5000", "http://localhost:5000", "localhost:5000", "port 443"},
		{"renga.localhost", "127.0.0.1:80", "off", "http://localhost", "http://localhost", "localhost:80", "port 443"},
	} {
		s, err := parse(t, nil, "--domain", c.domain, "--listen", c.listen, "--listen-tls", c.tls)
		if err != nil {
			t.Fatal(err)
		}
		got := clientsOf(s)
		if got.heroku != c.heroku || got.api != c.api || got.registry != c.registry {
			t.Errorf("%s at %s, %s: %+v", c.domain, c.listen, c.tls, got)
		}
		if !cliTakes(got.heroku) {
			t.Errorf("the CLI would refuse %s and talk to Heroku", got.heroku)
		}
		if notes := strings.Join(got.notes, "\n"); !strings.Contains(notes, c.note) || (c.note == "") != (notes == "") {
			t.Errorf("%s at %s, %s: notes %q, want %q", c.domain, c.listen, c.tls, notes, c.note)
		}
	}
}

// TestTheEnvironmentIsForAnyShell evaluates it with the system's.
func TestTheEnvironmentIsForAnyShell(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a $(directory)")
	s, err := parse(t, nil, "--data", dir, "--domain", "shop.localhost", "--listen-tls", "127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	script := filepath.Join(t.TempDir(), "env.sh")
	const token = `a'b"c$d\e`
	var out, errOut bytes.Buffer
	p := &program{getenv: func(string) string { return "" }, out: &out, err: &errOut}
	// The domain is the one of the last start, whatever the settings say.
	if err := printEnv(t.Context(), p, []string{"--data", dir, "--token", token}); err != nil {
		t.Fatal(err)
	}
	out.WriteString(`printf '%s\n' "$HEROKU_HOST" "$HEROKU_API_KEY" "$HEROKU_HEADERS" "$NODE_EXTRA_CA_CERTS" "$DISABLE_TELEMETRY"`)
	if err := os.WriteFile(script, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, err := exec.CommandContext(t.Context(), "sh", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	want := strings.Join([]string{
		"shop.localhost", token, `{"authorization":"Bearer a'b\"c$d\\e","x-renga-token":"a'b\"c$d\\e"}`,
		filepath.Join(dir, "ca-bundle.crt"), "true", "",
	}, "\n")
	if string(printed) != want {
		t.Errorf("the shell has\n%swant\n%s", printed, want)
	}
}

// start makes what the first start of a platform makes.
func start(t *testing.T, s Settings) {
	t.Helper()
	d, err := openData(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openCerts(s, nil, nil, newLogger(s)); err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(s.path("serving.json"), servingOf(s)); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheBundleKeepsWhatIsTrustedAlready(t *testing.T) {
	dir := t.TempDir()
	company, bundle, own := filepath.Join(dir, "company.crt"), filepath.Join(dir, "bundle.crt"), []byte("OWN\n")
	if err := os.WriteFile(company, []byte("COMPANY\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, trusted := range []string{company, bundle} { // the second time it is in use
		if err := certs.WriteBundle(bundle, trusted, own); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(bundle)
		if err != nil || string(text) != "COMPANY\n\nOWN\n" {
			t.Errorf("%s: the bundle is %q, err %v", trusted, text, err)
		}
	}
}

func TestNoVariableIsNamedTwice(t *testing.T) {
	var names []string
	for _, v := range (clients{bundle: "x"}).variables(testSettings(t), "t") {
		names = append(names, v.name)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("the names are %v", names)
	}
}
