package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"renga/children"
	"renga/e2e"
)

// user is somebody with the official CLI and the environment of renga env.
type user struct {
	heroku, home, connects string
	env                    []string
}

func newUser(t *testing.T, w *e2e.Platform, flags ...string) *user {
	t.Helper()
	heroku, err := e2e.InstallCLI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env, err := w.ClientEnv(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	hook, err := filepath.Abs("testdata/node/connects.cjs")
	if err != nil {
		t.Fatal(err)
	}
	u := &user{heroku: heroku, home: t.TempDir()}
	u.connects = filepath.Join(u.home, "connects")
	u.env = append(env,
		"PATH="+filepath.Dir(heroku)+":"+os.Getenv("PATH"),
		"NODE_OPTIONS=--require="+hook,
		"CONNECTS="+u.connects,
		"CONNECTS_DOMAIN="+w.Domain)
	return u
}

// do runs a command and returns what it printed.
func (u *user) do(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir = u.env, u.home
	out, err := children.CombinedOutput(cmd, syscall.SIGKILL)
	return string(out), err
}

// hosts are those that the commands looked for, each once.
func (u *user) hosts(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(u.connects)
	if err != nil {
		t.Fatal(err)
	}
	hosts := strings.Fields(string(text))
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// TestWithRengaEnvNoRequestLeavesForAnotherHost runs the official CLI. What a
// command is answered does not matter here, but for the first ones.
func TestWithRengaEnvNoRequestLeavesForAnotherHost(t *testing.T) {
	t.Parallel()
	w := kit.Platform(t, e2e.WithHosts())
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, w)
	for _, c := range []struct{ command, want string }{
		{"auth:whoami", "operator@renga.localhost"},
		{"apps:create shop --stack container", "https://git." + w.Domain + "/shop.git"},
		{"container:login", "Login Succeeded"},
	} {
		if out, err := u.do(t.Context(), u.heroku, strings.Fields(c.command)...); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("heroku %s: %v\n%s", c.command, err, out)
		}
	}
	var all sync.WaitGroup
	turns := make(chan bool, 2)
	for _, command := range []string{
		"apps", "config:set A=1 -a shop", "ps -a shop", "run:detached -a shop true", "logs -a shop", "pg:info -a shop",
		"redis:info -a shop", "ps:exec --status -a shop", "buildpacks:search x", "status", "nothing:of:the:kind",
	} {
		all.Go(func() {
			turns <- true
			defer func() { <-turns }()
			_, _ = u.do(t.Context(), u.heroku, strings.Fields(command)...) // see above
		})
	}
	all.Wait()
	hosts := u.hosts(t)
	if want := []string{"api." + w.Domain}; !slices.Contains(hosts, want[0]) {
		t.Errorf("the hook saw %v, and not the API", hosts)
	}
	for _, host := range hosts {
		if host != w.Domain && !strings.HasSuffix(host, "."+w.Domain) && !strings.HasPrefix(host, "127.") && host != "localhost" {
			t.Errorf("a request left for %s", host)
		}
	}
	u.env = append(u.env, "HEROKU_PARTICLEBOARD_URL=https://particleboard.elsewhere.test")
	_, _ = u.do(t.Context(), u.heroku, "auth:whoami") // the hook stops a part of it
	if hosts := u.hosts(t); !slices.Contains(hosts, "particleboard.elsewhere.test") {
		t.Errorf("the hook would not see a request for another host; it saw %v", hosts)
	}
}

// TestTheCLIWorksWhereverThePlatformIs goes the other ways that renga env knows.
func TestTheCLIWorksWhereverThePlatformIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
	}{
		{"https on another port", nil},
		{"http", []string{"--listen-tls=off"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := kit.Platform(t)
			if err := w.Start(t.Context(), c.args...); err != nil {
				t.Fatal(err)
			}
			u := newUser(t, w)
			if out, err := u.do(t.Context(), u.heroku, "auth:whoami"); err != nil || !strings.Contains(out, "operator@renga.localhost") {
				t.Errorf("whoami: %v\n%s", err, out)
			}
		})
	}
	t.Run("a domain that the CLI refuses", func(t *testing.T) {
		w := kit.Platform(t, e2e.WithHosts())
		w.Domain = strings.Replace(w.Domain, ".localhost", "", 1)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, notes, err := w.Run(t.Context(), "env")
		if err != nil || !strings.Contains(notes, "takes no host below "+w.Domain) {
			t.Errorf("renga env notes %q, err %v", notes, err)
		}
		u := newUser(t, w)
		if out, err := u.do(t.Context(), u.heroku, "auth:whoami"); err != nil || !strings.Contains(out, "operator@renga.localhost") {
			t.Errorf("whoami: %v\n%s", err, out)
		}
		if hosts := u.hosts(t); len(hosts) == 0 || strings.Contains(strings.Join(hosts, " "), "heroku") {
			t.Errorf("the hosts are %v", hosts)
		}
	})
}

// TestCurlAndGitTrustThePlatformAndAllOthers checks the variables that replace
// a program's set of CAs, and the system's own set.
func TestCurlAndGitTrustThePlatformAndAllOthers(t *testing.T) {
	t.Parallel()
	w := kit.Platform(t, e2e.WithHosts())
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, w)
	url := "https://api." + w.Domain + "/healthz"
	if out, err := u.do(t.Context(), "curl", "-fsS", url); err != nil || !strings.Contains(out, "ok") {
		t.Errorf("curl: %v\n%s", err, out)
	}
	out, err := u.do(t.Context(), "git", "ls-remote", "https://git."+w.Domain+"/x.git")
	if strings.Contains(out, "certificate") || strings.Contains(out, "resolve") {
		t.Errorf("git: %v\n%s", err, out)
	}
	for _, entry := range u.env {
		if file, ok := strings.CutPrefix(entry, "CURL_CA_BUNDLE="); ok {
			bundle, err := os.ReadFile(file)
			if err != nil || strings.Count(string(bundle), "BEGIN CERTIFICATE") < 50 {
				t.Errorf("%s has lost the CAs of others: err %v", file, err)
			}
		}
	}
	bare := []string{"PATH=" + os.Getenv("PATH")}
	u.env = bare
	if out, err := u.do(t.Context(), "curl", "-fsS", url); err == nil {
		t.Fatalf("curl trusts the platform before it was told to:\n%s", out)
	}
	t.Cleanup(func() {
		if _, stderr, err := w.Run(context.Background(), "ca", "--uninstall"); err != nil {
			t.Errorf("renga ca --uninstall: %v\n%s", err, stderr)
		}
		if out, err := u.do(context.Background(), "curl", "-fsS", url); err == nil {
			t.Errorf("curl trusts the platform after it was told not to:\n%s", out)
		}
		if left, err := filepath.Glob("/etc/ssl/certs/*" + w.Domain + "*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, err %v", left, err)
		}
	})
	if err := w.Undo("renga", "ca", "--uninstall"); err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := w.Run(t.Context(), "ca", "--install"); err != nil {
		t.Fatalf("renga ca --install: %v\n%s", err, stderr)
	}
	if out, err := u.do(t.Context(), "curl", "-fsS", url); err != nil {
		t.Errorf("curl with the system's CAs: %v\n%s", err, out)
	}
}
