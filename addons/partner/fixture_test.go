package partner_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"renga"
	"renga/addons"
	"renga/addons/addonstest"
	"renga/addons/catalogue"
	"renga/addons/partner"
	"renga/addons/provider"
	"renga/egress"
	"renga/store"
	"renga/store/storetest"
)

// program is the provider of the tests, built.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "testpartner")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "testpartner")
	if out, err := exec.Command("go", "build", "-o", program, "./testpartner").CombinedOutput(); err != nil {
		panic(string(out))
	}
	return storetest.Main(m)
}

const (
	ada  = renga.AccountID("ada")
	blog = renga.AppID("10000000-0000-4000-8000-000000000001")
	wiki = renga.AppID("10000000-0000-4000-8000-000000000002")

	password     = "marker-password-1"
	salt         = "marker-sso-salt-1"
	clientSecret = "marker-client-secret-1"
)

// fixture is the room on a real store, with partners that run as programs of their
// own, and an API for them.
type fixture struct {
	*testing.T
	*addons.Service
	db       *store.Store
	provider *partner.Provider
	apps     *addonstest.Apps
	logs     *addonstest.Logs
	log      *storetest.LogBuffer
	api      *httptest.Server
	dir      string
	later    atomic.Int64 // how much later it is than really
	program  *exec.Cmd
	url      string // of the program
	allowed  []netip.Prefix
	timeout  time.Duration
	stop     func()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, err := storetest.New()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		T: t, db: db, logs: &addonstest.Logs{}, log: &storetest.LogBuffer{}, dir: t.TempDir(), timeout: 10 * time.Second,
		allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	f.apps = addonstest.NewApps(t, db, ada, map[renga.AppID]string{blog: "blog", wiki: "wiki"})
	f.api = httptest.NewServer(http.HandlerFunc(f.serveAPI))
	t.Cleanup(f.api.Close)
	f.startPartner()
	f.start()
	t.Cleanup(func() { f.stop() })
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) now() time.Time { return time.Now().Add(time.Duration(f.later.Load())) }

// startPartner starts the program, anew if it was killed: at the same address.
func (f *fixture) startPartner() {
	f.Helper()
	listen := "127.0.0.1:0"
	if f.url != "" {
		listen = strings.TrimPrefix(f.url, "http://")
	}
	cmd := exec.Command(program)
	cmd.Env = []string{
		"ADDON_SLUG=errorbucket", "ADDON_PASSWORD=" + password, "ADDON_SSO_SALT=" + salt,
		"ADDON_CLIENT_SECRET=" + clientSecret, "HEROKU_API_URL=" + f.api.URL,
		"ADDON_STATE=" + filepath.Join(f.dir, "partner.json"), "ADDON_LISTEN=" + listen,
	}
	cmd.Stderr = f.Output()
	out, err := cmd.StdoutPipe()
	f.must(err)
	f.must(cmd.Start())
	address, err := bufio.NewReader(out).ReadString('\n')
	f.must(err)
	f.program, f.url = cmd, "http://"+strings.TrimSpace(address)
	f.Cleanup(f.killPartner)
}

func (f *fixture) killPartner() {
	if f.program != nil {
		_ = f.program.Process.Kill() // it may be gone
		_ = f.program.Wait()         // killed is no success
		f.program = nil
	}
}

// catalogue writes the operator's files, and reads them as Renga does.
func (f *fixture) catalogue() *catalogue.Catalogue {
	f.Helper()
	keys := fmt.Sprintf(`{"password": %q, "sso_salt": %q, "client_secret": %q}`, password, salt, clientSecret)
	secrets := filepath.Join(f.dir, "errorbucket.json")
	f.replace(secrets, keys, 0o600)
	other := filepath.Join(f.dir, "other.json")
	f.replace(other, strings.ReplaceAll(keys, "-1", "-2"), 0o600)
	services := filepath.Join(f.dir, "services")
	f.must(os.MkdirAll(services, 0o700))
	for name, facts := range map[string]string{
		"errorbucket": "secrets: " + secrets + "\n  sso_url: " + f.url + "/sso/login",
		"other":       "secrets: " + other,
	} {
		text := "service: " + name + "\nname: Errorbucket\ndescription: Keeps errors.\nprovider: partner\n" +
			"attachment: " + strings.ToUpper(name) + "\nplans: [{name: test}, {name: large}, {name: none}]\n" +
			"partner:\n  base_url: " + f.url + "/heroku/resources\n  " + facts + "\n"
		f.replace(filepath.Join(services, name+".yaml"), text, 0o644)
	}
	c, err := catalogue.Load(services)
	f.must(err)
	return c
}

// replace writes a file as a whole: the partner may have it read at any moment.
func (f *fixture) replace(file, text string, mode os.FileMode) {
	f.Helper()
	f.must(os.WriteFile(file+".new", []byte(text), mode))
	f.must(os.Rename(file+".new", file))
}

// start starts the room, anew if it was stopped.
func (f *fixture) start() {
	f.Helper()
	log := slog.New(slog.NewTextHandler(io.MultiWriter(f.Output(), f.log), nil))
	services := f.catalogue()
	f.provider = partner.New(partner.Parts{
		Store: f.db, Catalogue: services, Dial: egress.New(f.allowed).Dial, API: f.api.URL, Domain: "renga.localhost",
		Log: log, Now: f.now, Timeout: f.timeout,
	})
	f.Service = addons.New(addons.Parts{
		Notes: &addonstest.Notes{},
		Store: f.db, Writer: f.db, Apps: f.apps, Releaser: f.apps, Catalogue: services,
		Providers: map[string]provider.Provider{catalogue.Partner: f.provider}, Logs: f.logs, Log: log,
		Now: f.now, NewID: uuid.NewString,
	})
	f.stop = addonstest.Run(f.Service)
}

// serveAPI is as much of the API as partners call.
func (f *fixture) serveAPI(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/oauth/token" {
		f.serveTokens(w, r)
		return
	}
	by, err := f.provider.Bearer(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/addons/"), "/")
	if err != nil || string(by.Authorization.AddOn) != path[0] {
		http.Error(w, fmt.Sprint(err), http.StatusUnauthorized)
		return
	}
	switch id := by.Authorization.AddOn; r.Method + " " + strings.Join(path[1:], "/") {
	case "PATCH config":
		var body struct {
			Config []struct {
				Name  string
				Value *string
			}
		}
		err = json.NewDecoder(r.Body).Decode(&body)
		set := map[string]*string{}
		for _, one := range body.Config {
			set[one.Name] = one.Value
		}
		if err == nil {
			err = f.SetConfig(r.Context(), id, set)
		}
	case "POST actions/provision":
		err = f.Provisioned(r.Context(), id)
	case "POST actions/deprovision":
		err = f.Deprovisioned(r.Context(), id)
	default:
		err = renga.Errorf(renga.NotFound, "There is no %s.", r.URL.Path)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
	}
}

func (f *fixture) serveTokens(w http.ResponseWriter, r *http.Request) {
	tokens, err := f.provider.Exchange(r.Context(), r.FormValue("code"), r.FormValue("client_secret"))
	if r.FormValue("grant_type") == "refresh_token" {
		tokens, err = f.provider.Renew(r.Context(), r.FormValue("refresh_token"), r.FormValue("client_secret"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{ // who has gone needs no answer
		"access_token": string(tokens.Access), "refresh_token": string(tokens.Refresh), "token_type": "Bearer",
	})
}

// resource is what the program keeps of an add-on.
type resource struct {
	UUID, Name, Plan, Callback, Password, Access, Refresh string
	Options                                               map[string]string
	Codes, Faults                                         []string
	Gone                                                  bool
	Made                                                  int
}

// control tells the program something, and gives what it keeps.
func (f *fixture) control(path string, body any) {
	f.Helper()
	text, err := json.Marshal(body)
	f.must(err)
	res, err := http.Post(f.url+"/control/"+path, "application/json", bytes.NewReader(text))
	f.must(err)
	defer res.Body.Close()
	if said, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		f.Fatalf("%s: %d %s", path, res.StatusCode, said)
	}
}

// behave has the program's next answers be those.
func (f *fixture) behave(async, manual bool, next ...map[string]any) {
	f.Helper()
	f.control("behave", map[string]any{"async": async, "manual": manual, "behave": next})
}

// at is what the program keeps of an add-on.
func (f *fixture) at(id renga.AddOnID) resource {
	f.Helper()
	r, _ := f.kept(id)
	return r
}

func (f *fixture) kept(id renga.AddOnID) (r resource, asked int) {
	f.Helper()
	res, err := http.Get(f.url + "/control/state")
	f.must(err)
	defer res.Body.Close()
	var state struct {
		Resources map[renga.AddOnID]resource
		Asked     int
	}
	f.must(json.NewDecoder(res.Body).Decode(&state))
	return state.Resources[id], state.Asked
}

func (f *fixture) create(plan string) renga.AddOn {
	f.Helper()
	app, err := f.db.App(f.Context(), blog)
	f.must(err)
	a, err := f.Create(f.Context(), app, renga.AddOnRequest{Plan: plan, Options: map[string]string{"foo": "bar"}}, ada)
	f.must(err)
	return a
}

// reaches waits until an add-on is in a state.
func (f *fixture) reaches(id renga.AddOnID, state renga.AddOnState) renga.AddOn {
	f.Helper()
	return addonstest.Reaches(f.T, f.db, id, state)
}

func (f *fixture) until(id renga.AddOnID, what string, ok func(renga.AddOn) bool) renga.AddOn {
	f.Helper()
	return addonstest.Until(f.T, f.db, id, what, ok)
}

// gone waits until nothing of an add-on is left.
func (f *fixture) gone(id renga.AddOnID) {
	f.Helper()
	addonstest.Gone(f.T, f.db, id)
}
