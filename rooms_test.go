package renga_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms says for every package which others of ours it may import. A room
// imports the root, whose nouns are all that rooms have in common; only the
// program knows them all.
var rooms = map[string][]string{
	".":                          {},
	"accounts":                   {"."},
	"addons":                     {".", "addons/catalogue", "addons/provider", "locks"},
	"addons/addonstest":          {".", "store", "store/storetest"},
	"addons/backups":             {".", "durable"},
	"addons/backups/bucket":      {".", "addons/backups"},
	"addons/backups/placetest":   {".", "addons/backups"},
	"addons/catalogue":           {"."},
	"addons/container":           {".", "addons/catalogue", "addons/provider", "docker", "printed"},
	"addons/disk":                {".", "addons/catalogue", "addons/provider", "docker", "locks"},
	"addons/partner":             {".", "addons/catalogue", "addons/provider"},
	"addons/provider":            {".", "addons/catalogue"},
	"addons/providertest":        {".", "addons/catalogue", "addons/provider", "docker"},
	"addons/partner/testpartner": {},
	"addons/sharedpostgres":      {".", "addons/catalogue", "addons/provider", "locks"},
	"api": {
		".", "api/addons", "api/apps", "api/builds", "api/domains", "api/dynos", "api/events", "api/imports", "api/people",
		"api/pipelines", "api/platform", "api/releases", "api/wire",
	},
	"api/addons":            {".", "addons/catalogue", "api/wire"},
	"api/apps":              {".", "api/wire"},
	"api/builds":            {".", "api/wire"},
	"api/domains":           {".", "api/wire"},
	"api/dynos":             {".", "api/wire"},
	"api/events":            {".", "api/wire"},
	"api/imports":           {".", "api/wire"},
	"api/people":            {".", "api/wire"},
	"api/pipelines":         {".", "api/wire"},
	"api/platform":          {".", "api/wire"},
	"api/releases":          {".", "api/wire"},
	"api/wire":              {"."},
	"api/wire/wiretest":     {".", "accounts", "addons/catalogue", "api/wire", "releaser", "store", "store/storetest"},
	"attach":                {"."},
	"builds":                {"."},
	"builds/buildpacks":     {".", "builds", "docker"},
	"certs":                 {".", "durable"},
	"children":              {},
	"config":                {"."},
	"docker":                {".", "durable"},
	"docker/dockertest":     {},
	"durable":               {},
	"durable/durabletest":   {},
	"egress":                {"."},
	"firewall":              {"."},
	"front":                 {"."},
	"git":                   {"."},
	"imports":               {"."},
	"locks":                 {},
	"logs":                  {".", "durable"},
	"meter":                 {"."},
	"output":                {"."},
	"printed":               {"."},
	"registry":              {".", "durable", "locks"},
	"registry/cosigntest":   {},
	"releaser":              {".", "locks"},
	"router":                {"."},
	"runtime":               {".", "printed", "runtime/engine", "runtime/plan"},
	"runtime/docker":        {".", "docker", "runtime/engine"},
	"runtime/engine":        {"."},
	"runtime/enginetest":    {".", "runtime/engine"},
	"runtime/plan":          {".", "runtime/engine"},
	"runtime/plan/plantest": {"."},
	"scheduler":             {"."},
	"space":                 {".", "durable"},
	"seal":                  {".", "durable"},
	"store":                 {"."},
	"store/redisserver":     {".", "durable"},
	"store/storetest":       {"children", "store"},
	"webhooks":              {"."},
	"cmd/renga": {
		".", "accounts", "addons", "addons/backups", "addons/backups/bucket", "addons/catalogue", "addons/container",
		"addons/disk", "addons/partner", "addons/provider", "addons/sharedpostgres", "api", "api/addons", "api/apps",
		"api/builds", "api/domains", "api/dynos", "api/events", "api/imports", "api/people", "api/pipelines", "api/platform",
		"api/releases", "api/wire", "attach", "builds", "builds/buildpacks", "certs", "config", "docker", "durable",
		"egress", "firewall", "front", "git", "imports", "logs", "meter", "output", "registry", "releaser", "router", "runtime",
		"runtime/docker", "scheduler", "seal", "space", "store", "store/redisserver", "webhooks",
	},
	"e2e":               {".", "children"},
	"e2e/bench":         {".", "e2e", "e2e/services"},
	"e2e/builder":       {"e2e/services"},
	"e2e/heroku_cli":    {"children", "e2e"},
	"e2e/s3":            {"children"},
	"e2e/services":      {},
	"e2e/services/make": {"e2e/services"},
}

// testRooms says which further packages of ours the tests of a package may
// import.
var testRooms = map[string][]string{
	"accounts":              {"store", "store/storetest"},
	"addons/sharedpostgres": {"addons/container", "addons/providertest", "docker", "e2e/services"},
	"addons":                {"addons/addonstest", "store", "store/storetest"},
	"addons/backups":        {"addons/addonstest", "addons/backups/placetest", "seal", "store", "store/storetest"},
	"addons/backups/bucket": {"addons/backups/placetest", "e2e/s3"},
	"addons/container":      {"addons/providertest", "docker/dockertest", "e2e/services"},
	"addons/disk":           {"addons/providertest"},
	"addons/partner":        {"addons", "addons/addonstest", "egress", "store", "store/storetest"},
	"api": {
		"accounts", "api/wire/wiretest", "config", "imports", "registry", "releaser", "scheduler",
		"store", "store/redisserver", "store/storetest",
	},
	"api/addons":        {"api/wire/wiretest", "store/storetest"},
	"api/apps":          {"api/wire/wiretest", "config", "store/storetest"},
	"api/builds":        {"api/wire/wiretest", "builds", "output", "store/storetest"},
	"api/domains":       {"api/wire/wiretest", "store/storetest"},
	"api/dynos":         {"api/wire/wiretest", "scheduler", "store/storetest"},
	"api/events":        {"api/wire/wiretest", "store/storetest"},
	"api/imports":       {"api/wire/wiretest", "imports", "store/storetest"},
	"api/people":        {"api/wire/wiretest", "store/storetest"},
	"api/pipelines":     {"api/wire/wiretest", "store/storetest"},
	"api/releases":      {"api/wire/wiretest", "store/storetest"},
	"api/wire":          {"api/wire/wiretest", "store/storetest"},
	"builds":            {"output", "store", "store/storetest"},
	"builds/buildpacks": {"docker/dockertest", "e2e/builder", "registry"},
	"certs":             {"children"},
	"docker":            {"docker/dockertest"},
	"git":               {"children"},
	"durable":           {"durable/durabletest"},
	"imports":           {"store", "store/storetest"},
	"logs":              {"children", "durable/durabletest"},
	"e2e":               {"e2e/builder", "e2e/s3", "e2e/services", "registry/cosigntest"},
	"e2e/heroku_cli":    {"e2e/services"},
	"e2e/services":      {".", "addons/catalogue"},
	"registry":          {"children", "durable/durabletest", "egress", "registry/cosigntest"},
	"runtime":           {"runtime/enginetest", "runtime/plan/plantest"},
	"runtime/docker":    {"runtime/enginetest"},
	"runtime/plan":      {"runtime/enginetest", "runtime/plan/plantest"},
	"scheduler":         {"store", "store/storetest"},
	"space":             {"durable/durabletest"},
	"store":             {"children", "store/storetest"},
	"store/redisserver": {"durable/durabletest", "store", "store/storetest"},
	"webhooks":          {"egress", "store", "store/storetest"},
}

// anyRoom is the owner of a library that every room but the root may import.
const anyRoom = "*"

// libraries says which rooms own a library, by the beginning of its import
// path. Tests may import any library.
var libraries = map[string][]string{
	"github.com/caddyserver/certmagic":         {"certs"},
	"github.com/coder/websocket":               {"attach", "e2e"},
	"github.com/containerd/errdefs":            {"docker"},
	"github.com/containerd/platforms":          {"registry"},
	"github.com/coreos/go-oidc/v3":             {"imports"},
	"github.com/distribution/distribution/v3":  {"registry"},
	"github.com/distribution/reference":        {"addons/catalogue", "registry"},
	"github.com/docker/docker":                 {"docker"},
	"github.com/google/go-containerregistry":   {"registry", "e2e"},
	"github.com/google/uuid":                   {anyRoom},
	"github.com/gorilla/mux":                   {"api"},
	"github.com/sabhiram/go-gitignore":         {"builds"},
	"github.com/hashicorp/golang-lru/v2":       {"accounts"},
	"github.com/heroku/heroku-go/v5":           {"e2e"},
	"github.com/heroku/heroku-go/v6":           {"e2e"},
	"github.com/klauspost/compress":            {"registry", "e2e"},
	"github.com/mholt/acmez/v3":                {"certs"},
	"github.com/minio/minio-go/v7":             {"addons/backups/bucket"},
	"github.com/opencontainers/go-digest":      {"registry"},
	"github.com/opencontainers/image-spec":     {"registry"},
	"github.com/pires/go-proxyproto":           {"front"},
	"github.com/pkg/sftp":                      {"attach"},
	"github.com/prometheus/client_golang":      {anyRoom},
	"github.com/redis/go-redis/v9":             {"store", "store/storetest"},
	"github.com/rogpeppe/go-internal":          {"e2e"},
	"github.com/robfig/cron/v3":                {"scheduler"},
	"github.com/santhosh-tekuri/jsonschema/v6": {"api", "e2e"},
	"github.com/sirupsen/logrus":               {"registry"},
	"github.com/tink-crypto/tink-go/v2":        {"seal"},
	"go.uber.org/zap":                          {"certs"},
	"go.yaml.in/yaml/v3":                       {"addons/catalogue"},
	"golang.org/x/crypto":                      {"accounts", "api/people", "attach"},
	"golang.org/x/net":                         {"api/domains"},
	"golang.org/x/sync":                        {anyRoom},
	"golang.org/x/sys":                         {anyRoom},
	"golang.org/x/time":                        {"api", "imports"},
	"pgregory.net/rapid":                       {"runtime/enginetest", "e2e"},
}

func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	for _, f := range sources(t) {
		if _, ok := rooms[f.room]; !ok {
			t.Errorf("%s: package %s is in no table: give it a line in rooms", f.name, f.room)
			continue
		}
		for _, imp := range f.imports() {
			if why := f.mayNot(imp); why != "" {
				t.Errorf("%s imports %s: %s", f.name, imp, why)
			}
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	comments := map[string]int{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		comments[f.room] += 0
		if f.syntax.Doc == nil {
			continue
		}
		comments[f.room]++
		start := "Package " + f.syntax.Name.Name + " "
		if f.syntax.Name.Name != "main" && !strings.HasPrefix(f.syntax.Doc.Text(), start) {
			t.Errorf("%s: the package comment must start with %q", f.name, start)
		}
	}
	for room, n := range comments {
		if n != 1 {
			t.Errorf("package %s has %d package comments, want one", room, n)
		}
	}
}

func TestTablesNameOnlyRooms(t *testing.T) {
	known := func(where string, names []string) {
		for _, name := range names {
			if _, ok := rooms[name]; !ok && name != anyRoom {
				t.Errorf("%s names %q, which is no room", where, name)
			}
		}
	}
	for room, names := range rooms {
		known("rooms["+room+"]", names)
	}
	for room, names := range testRooms {
		known("testRooms", []string{room})
		known("testRooms["+room+"]", names)
	}
	for library, names := range libraries {
		known("libraries["+library+"]", names)
	}
}

// source is one Go file of the module.
type source struct {
	name   string // slash-separated, from the root
	room   string
	test   bool
	syntax *ast.File
}

// sources parses all Go files as far as their imports, those below testdata,
// of other modules and in hidden folders excepted.
func sources(t *testing.T) []source {
	t.Helper()
	var files []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() && name != "." && exists(filepath.Join(name, "go.mod")):
			return fs.SkipDir // a program that tests build, with libraries of its own
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		syntax, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly|parser.ParseComments)
		name = filepath.ToSlash(name)
		files = append(files, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), syntax})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (f source) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// mayNot says why the file may not import that path; nothing when it may.
func (f source) mayNot(imp string) string {
	if imp == "renga" || strings.HasPrefix(imp, "renga/") {
		return f.mayNotEnter(path.Join(".", strings.TrimPrefix(strings.TrimPrefix(imp, "renga"), "/")))
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") || f.test {
		return "" // the standard library, or a test
	}
	for library, owners := range libraries {
		if imp != library && !strings.HasPrefix(imp, library+"/") {
			continue
		}
		shared := slices.Contains(owners, anyRoom) && f.room != "."
		if shared || slices.Contains(owners, f.room) || slices.Contains(owners, path.Dir(f.room)) {
			return ""
		}
		return "it belongs to " + strings.Join(owners, ", ")
	}
	return "it is in no table: say in libraries whose it is"
}

// mayNotEnter is mayNot for a package of ours.
func (f source) mayNotEnter(room string) string {
	allowed := rooms[f.room]
	if f.test {
		allowed = slices.Concat(allowed, testRooms[f.room], []string{f.room})
	}
	if slices.Contains(allowed, room) {
		return ""
	}
	return "rooms do not know each other; it may import " + strings.Join(allowed, ", ")
}
