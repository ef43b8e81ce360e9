package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"renga/e2e"
)

// TestSecretsAreNowhereInTheClear gives the platform secrets in every way there
// is, then looks for them everywhere they must not be.
func TestSecretsAreNowhereInTheClear(t *testing.T) {
	s := newStory(t)
	s.start("--log-level=debug")
	h := &hunt{story: s}
	vars := "/apps/hello/config-vars"
	first, second, third := h.secret("first"), h.secret("updated"), h.secret("failing")
	s.push("hello", "secret-1")
	s.set("hello", map[string]any{"KEY": first, "OTHER": "plain"})
	s.set("hello", map[string]any{"KEY": second})
	s.poll(func() error { return s.says("hello", "/env?name=KEY", second) })
	h.refused(vars, map[string]any{"1BAD": h.secret("bad-name"), "FINE": h.secret("beside-bad-name")})
	h.refused(vars, map[string]any{"PORT": h.secret("platform-name")})
	h.refused(vars, map[string]any{"BIG": strings.Repeat("x", 70<<10) + h.secret("too-big")})
	h.refused(vars, map[string]any{"ODD": h.secret("nul") + "\x00"})
	h.refused(vars, map[string]any{"DEEP": map[string]any{"A": h.secret("nested")}})
	h.refused(vars, `{"CUT":"`+h.secret("cut"))
	h.refused("/apps/hello/releases", map[string]any{"release": "v1", "why": h.secret("unknown-field")})
	var shown map[string]string
	if err := json.Unmarshal(s.api(http.StatusOK, http.MethodGet, vars, nil), &shown); err != nil || shown["KEY"] != second {
		t.Errorf("config vars are %q, want the secret; %v", shown, err)
	}
	s.push("hello", "secret-2", "exit", "3")
	s.settled("hello", 5, "failed")
	s.set("hello", map[string]any{"KEY": third})
	s.settled("hello", 6, "failed")
	s.set("hello", map[string]any{"KEY": nil})
	s.settled("hello", 7, "failed")
	h.search()
	s.must(s.w.Stop())
	h.directory()
	h.text("the log", s.w.Log())
}

// TestNumbersAsConfigVarsAreNotEchoed: whether they are taken or refused, they
// are in no log and no error.
func TestNumbersAsConfigVarsAreNotEchoed(t *testing.T) {
	s := newStory(t)
	s.start("--log-level=debug", "--log-format=json")
	s.push("hello", "number")
	s.up("hello", "number") // so that the engine has its image
	h := &hunt{story: s, secrets: []string{"86753098675309", "3141592653589.25"}}
	for _, number := range h.secrets {
		h.refused("/apps/hello/config-vars", `{"NUMBER":`+number+`}`)
	}
	h.search()
}

// hunt looks for secrets.
type hunt struct {
	*story
	secrets []string
}

// secret is a new one, with characters that JSON and HTML escape.
func (h *hunt) secret(name string) string {
	secret := fmt.Sprintf("m4rk3r-%s-<\"%d\">&é", name, len(h.secrets))
	h.secrets = append(h.secrets, secret)
	return secret
}

// refused sends what must be refused, and looks into the answer.
func (h *hunt) refused(path string, body any) {
	h.Helper()
	method := http.MethodPatch
	if strings.HasSuffix(path, "/releases") {
		method = http.MethodPost
	}
	status, answer := h.ask(method, path, body)
	if status < 400 || status >= 500 {
		h.Errorf("%s %s %.60v: %d %s, want a refusal", method, path, body, status, answer)
	}
	h.text("the refusal", string(answer))
}

// search looks everywhere while the platform runs.
func (h *hunt) search() {
	h.Helper()
	token, err := h.w.Token(h.Context())
	h.must(err)
	h.directory()
	h.answers()
	h.processes(token)
	h.engine()
	records := h.records()
	h.text("Redis", records)
	h.text("the log", h.w.Log())
	for where, text := range map[string]string{"the log": h.w.Log(), "Redis": records} {
		if strings.Contains(text, token) {
			h.Errorf("the API token is in %s", where)
		}
	}
}

// directory reads all files of the data directory.
func (h *hunt) directory() {
	h.Helper()
	files := 0
	err := filepath.WalkDir(h.w.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		h.text(path, string(content))
		return err
	})
	h.must(err)
	if files < 20 {
		h.Errorf("only %d files were looked into", files)
	}
}

// answers asks for what is shown to people who did not ask for config vars.
func (h *hunt) answers() {
	h.Helper()
	for _, path := range []string{"", "/releases", "/releases/3", "/releases/3/diff", "/formation", "/dynos"} {
		_, body := h.ask(http.MethodGet, "/apps/hello"+path, nil)
		h.text("GET /apps/hello"+path, string(body))
	}
	answer, err := h.w.Do(h.Context(), e2e.Request{Path: "/healthz"})
	h.must(err)
	h.text("/healthz", string(answer.Body))
	response, err := http.Get("http://" + h.w.Metrics + "/metrics")
	h.must(err)
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(response.Body)
	h.must(err)
	if !bytes.Contains(body, []byte("renga_dynos")) {
		h.Errorf("/metrics: %.200s", body)
	}
	h.text("/metrics", string(body))
}

// processes looks at all command lines of the machine, and at the platform's
// environment.
func (h *hunt) processes(token string) {
	h.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	h.must(err)
	for _, path := range append(paths, fmt.Sprintf("/proc/%d/environ", h.w.Pid())) {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // gone meanwhile
		}
		h.text(path, string(content))
		if bytes.Contains(content, []byte(token)) {
			h.Errorf("the API token is in %s", path)
		}
	}
}

// engine looks at images, and at what listings and events show of containers
// and networks. A container's environment alone holds config vars.
func (h *hunt) engine() {
	h.Helper()
	images := h.docker("images", "--quiet", "--filter", "reference="+h.w.Addr+"/*/*", "--filter", "reference="+h.w.Registry()+"/*/*")
	if len(images) == 0 {
		h.Error("the engine has no image of the app")
	}
	for _, image := range images {
		h.text("image", strings.Join(h.docker("image", "inspect", image), " "))
		h.text("image", strings.Join(h.docker("history", "--no-trunc", image), " "))
	}
	const format = "{{.Name}} {{.Path}} {{json .Args}} {{json .Config.Labels}} {{json .Config.Cmd}} " +
		"{{json .Config.Entrypoint}} {{json .HostConfig}}"
	for _, container := range h.ownedAll("ps", "--all") {
		h.text("container", strings.Join(h.docker("inspect", "--format", format, container), " "))
	}
	for _, network := range h.ownedAll("network", "ls") {
		h.text("network", strings.Join(h.docker("network", "inspect", network), " "))
	}
}

// docker runs a docker command and splits what it prints into words.
func (h *hunt) docker(args ...string) []string {
	h.Helper()
	out, err := h.w.Docker(h.Context(), args...)
	h.must(err)
	return strings.Fields(out)
}

// records is everything in Redis.
func (h *hunt) records() string {
	h.Helper()
	const dump = `local out = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
	local read = {
		string={'GET'}, hash={'HGETALL'}, list={'LRANGE', 0, -1},
		set={'SMEMBERS'}, zset={'ZRANGE', 0, -1}, stream={'XRANGE', '-', '+'},
	}
	local how = read[redis.call('TYPE', key).ok]
	out[#out+1] = key
	out[#out+1] = redis.call(how[1], key, unpack(how, 2))
end
return out`
	sockets, err := filepath.Glob(filepath.Join(h.w.Dir, "redis", "*.sock"))
	h.must(err)
	if len(sockets) != 1 {
		h.Fatalf("Redis sockets are %q", sockets)
	}
	out, err := exec.CommandContext(h.Context(), "redis-cli", "-s", sockets[0], "EVAL", dump, "0").CombinedOutput()
	h.must(err)
	if !bytes.Contains(out, []byte("hello")) {
		h.Errorf("this is no dump of Redis: %.300s", out)
	}
	return string(out)
}

// text fails when a secret is in a text, in the clear or thinly wrapped.
func (h *hunt) text(where, text string) {
	h.Helper()
	for _, secret := range h.secrets {
		for how, form := range disguises(secret) {
			if strings.Contains(text, form) {
				at := strings.Index(text, form)
				h.Errorf("%s holds %q (%s): …%q…", where, secret, how, text[max(0, at-80):at])
			}
		}
	}
}

// disguises are the forms in which a text could lie about by mistake. Base64
// looks different at each of three offsets; its rim depends on what is beside.
func disguises(secret string) map[string]string {
	quoted, _ := json.Marshal(secret) // a string always works
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	_ = e.Encode(secret) // as above
	forms := map[string]string{
		"clear": secret, "hex": hex.EncodeToString([]byte(secret)), "url": url.QueryEscape(secret),
		"json": strings.Trim(string(quoted), `"`), "json without html": strings.Trim(plain.String(), "\"\n"),
		"go": strings.Trim(fmt.Sprintf("%q", secret), `"`),
	}
	for offset := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
		core := whole[(offset*8+5)/6 : (offset+len(secret))*8/6]
		forms[fmt.Sprintf("base64 at %d", offset)] = core
		forms[fmt.Sprintf("base64url at %d", offset)] = strings.NewReplacer("+", "-", "/", "_").Replace(core)
	}
	return forms
}
