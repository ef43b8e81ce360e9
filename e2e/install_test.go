package e2e_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInstallMakesAServer installs below a folder, with the real binary, and
// tries what lies there afterwards.
func TestInstallMakesAServer(t *testing.T) {
	root := t.TempDir()
	out := install(t, root, "DOMAIN=apps.example.com", "EMAIL=ops@example.com")
	if !strings.Contains(out, "systemctl enable --now renga") {
		t.Errorf("install does not say how to go on:\n%s", out)
	}
	path := filepath.Join(root, "etc/renga/renga.env")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("settings: %v, %v; want mode 0600", info, err)
	}
	env := settingsIn(t, path)
	want := map[string]string{
		"RENGA_DATA": "/var/lib/renga", "RENGA_DOMAIN": "apps.example.com", "RENGA_OWNER_EMAIL": "ops@example.com",
		"RENGA_LISTEN": "127.0.0.1:5000,:80", "RENGA_LISTEN_TLS": ":443", "RENGA_LOG_FORMAT": "json",
		"RENGA_ACME_DIRECTORY": "letsencrypt", "RENGA_ACME_EMAIL": "ops@example.com",
	}
	if !maps.Equal(env, want) {
		t.Errorf("settings are %v, want %v", env, want)
	}
	takesSettings(t, root, env)

	install(t, root) // an upgrade needs no answers, and keeps the settings
	if again := settingsIn(t, path); !maps.Equal(again, want) {
		t.Errorf("after an upgrade the settings are %v, want %v", again, want)
	}
}

func TestInstallUnderLocalhostAsksNoACMEServer(t *testing.T) {
	root := t.TempDir()
	install(t, root, "DOMAIN=renga.localhost", "EMAIL=ops@example.com")
	env := settingsIn(t, filepath.Join(root, "etc/renga/renga.env"))
	if _, ok := env["RENGA_ACME_DIRECTORY"]; ok || env["RENGA_DOMAIN"] != "renga.localhost" {
		t.Errorf("settings are %v", env)
	}
	takesSettings(t, root, env)
}

func TestInstallRefusesWithWhatToDo(t *testing.T) {
	for _, c := range []struct {
		want string
		env  []string
	}{
		{"which domain?", nil},
		{"which email address", []string{"DOMAIN=apps.example.com"}},
		{"is no domain name", []string{"DOMAIN=a b|c", "EMAIL=ops@example.com"}},
		{"is no email address", []string{"DOMAIN=apps.example.com", "EMAIL=|"}},
		{"run make build first", []string{"BINARY=/nowhere", "DOMAIN=apps.example.com", "EMAIL=ops@example.com"}},
	} {
		root := t.TempDir()
		out, err := installing(root, c.env...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("install with %v: %v, %q; want %q", c.env, err, out, c.want)
		}
		if left, err := os.ReadDir(root); err != nil || len(left) != 0 {
			t.Errorf("install with %v left %v, %v", c.env, left, err)
		}
	}
}

// TestSystemdTakesTheUnit has systemd itself read it.
func TestSystemdTakesTheUnit(t *testing.T) {
	content, err := os.ReadFile("../script/systemd/renga.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.Replace(string(content), "/usr/local/bin/renga", kit.Renga, 1)
	if unit == string(content) {
		t.Fatal("the unit does not start /usr/local/bin/renga")
	}
	path := filepath.Join(t.TempDir(), "renga.service")
	if err := os.WriteFile(path, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func installing(root string, env ...string) *exec.Cmd {
	cmd := exec.Command("../script/install.sh")
	cmd.Env = append(os.Environ(), append([]string{"DESTDIR=" + root, "BINARY=" + kit.Renga, "DOMAIN=", "EMAIL="}, env...)...)
	return cmd
}

func install(t *testing.T, root string, env ...string) string {
	t.Helper()
	out, err := installing(root, env...).CombinedOutput()
	if err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	return string(out)
}

// settingsIn reads a file of NAME=value lines as systemd does.
func settingsIn(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			env[name] = value
		}
	}
	return env
}

// takesSettings has the installed binary read the settings: of a command that
// needs a platform it must miss nothing but that.
func takesSettings(t *testing.T, root string, env map[string]string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "usr/local/bin/renga"), "token")
	env = maps.Clone(env)
	env["RENGA_DATA"] = filepath.Join(root, "data")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "no platform has been started on "+env["RENGA_DATA"]) {
		t.Errorf("renga token with the settings: %v\n%s", err, out)
	}
}
