// Package registry is the platform's image registry: it takes pushes with
// docker, crane, skopeo and the like, and turns each pushed release tag into a
// renga.Push that is never lost.
//
// Storage and protocol are distribution's
// (github.com/distribution/distribution, v3). Every request first passes our
// own code: it finds out who makes it and for which repository ([call],
// auth.go), refuses what is not allowed, keeps the disk from filling, serves
// blobs itself, and takes over the one request that matters: the manifest that
// moves a tag (push.go).
//
// Distribution's own notifications are not used: they fire before the tag is
// written and live in memory only, so a killed process loses acknowledged
// pushes. Here a push is acknowledged only when its release exists; an intent
// on disk (intent.go) outlives a crash in between.
//
// Releases themselves are kept in the same storage, by the [Ledger].
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage"

	"renga"
	"renga/durable"
	"renga/locks"
)

// Directory knows accounts, apps and their releases.
type Directory interface {
	// Holder is the account of an API token, and how far the token goes;
	// renga.Unauthorized if there is no such token, renga.TooMany while whoever
	// shows it has to wait because of others that did not exist.
	Holder(ctx context.Context, shown renga.ShownToken) (renga.Bearer, error)
	// Apps are all apps.
	Apps(ctx context.Context) ([]renga.App, error)
	// AppByRepository is the app of that name, or else the one that had it last;
	// an error of kind NotFound when there is none.
	AppByRepository(ctx context.Context, name string) (renga.App, error)
	// Head is an app's newest release; an error of kind NotFound when the app is
	// gone.
	Head(ctx context.Context, app renga.AppID) (renga.ReleaseRecord, error)
}

// Releaser makes releases. Push may be called again with the same push id and
// must then do nothing and return nil. Errors of kind Unavailable, Internal and
// NoSpace are tried again later; all others are final, and their sentence is
// shown to whoever pushed.
type Releaser interface {
	Push(ctx context.Context, p renga.Push) error
}

// Options are what New needs.
type Options struct {
	Dir           string         // distribution's root
	IntentDir     string         // where promised releases are written down
	Secret        []byte         // signs the state of uploads; keep it over restarts
	Platform      string         // of the dynos: "linux/amd64", "linux/arm64/v8"; the default is linux/amd64
	MaxImageBytes int64          // sum of an image's compressed layers; 0 means no limit
	MaxUnpacked   int64          // what an image may take when its layers are unpacked; 0 means no limit
	MinFreeBytes  int64          // pushes are refused below this much free disk of the engine and, unless Disk is set, of Dir
	Disk          *durable.Marks // of Dir: nothing is pushed while it is full
	AppQuota      int64          // what an app may have that has no quota of its own; 0 for no limit
	// EngineFree is how much disk is free where the engine unpacks images, or an
	// error if that cannot be found out; nil if it never can.
	EngineFree   func(ctx context.Context) (int64, error)
	CreateOnPush bool   // a push to a name that no app has makes the app
	PullToken    string // may pull everything and do nothing else; none when empty
	ReleaseTag   string // the tag that releases; "latest" by default
	// UnpacksZstd is an error that says why the engine cannot unpack zstd layers,
	// and what to do; nil if it always can.
	UnpacksZstd func(ctx context.Context) error
	// Gate is that of the ledger in the same directory; nil if nothing is ever
	// collected.
	Gate *Gate
	// Tell writes down what happened to content, for webhooks; nil for nobody. It may
	// be told of an event twice.
	Tell func(ctx context.Context, e renga.ContentEvent) error
	Log  *slog.Logger
}

// Registry is the HTTP handler of everything below /v2/.
type Registry struct {
	o        Options
	platform platform
	dir      Directory
	rel      Releaser
	log      *slog.Logger
	inner    http.Handler           // distribution
	storage  distribution.Namespace // the same storage, without HTTP
	driver   *uploadDriver
	measurer *measurer
	intents  intentDir
	apps     locks.Named // shared: something goes to the app's repositories; exclusive: they are removed or renamed
	tags     locks.Named // exclusive: a tag is being moved
	gate     *Gate
	pulls    recently
	renames  renameCount
	counts   counters
}

// Stats are the registry's counters since it was started.
type Stats struct {
	Acknowledged int64 // pushes that made a release and were answered 201
	Refused      int64 // pushes answered with a reason why they cannot be a release
	Recovered    int64 // releases made from an intent that a crash or an outage left
	Waiting      int   // intents not yet settled
	FreeBytes    int64 // free disk below Options.Dir; -1 when unknown
}

type counters struct{ acknowledged, refused, recovered atomic.Int64 }

// New opens the registry and makes its directories. It starts nothing; call
// Recover, then serve, then Run.
//
// New takes over logrus' standard logger, the only one distribution writes to:
// in a process with two registries the last one made gets the log lines.
func New(o Options, dir Directory, rel Releaser) (*Registry, error) {
	o, p, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	for _, d := range []string{o.Dir, o.IntentDir} {
		if err := probeWritable(d); err != nil {
			return nil, fmt.Errorf("open registry: %w", err)
		}
	}
	adaptDistributionLog(o.Log)
	driver := newUploadDriver(o.Dir, o.Gate.use)
	inner, err := newDistribution(driver, o.Secret)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	ns, err := storage.NewRegistry(context.Background(), driver, storage.EnableDelete)
	if err != nil {
		return nil, fmt.Errorf("open registry storage: %w", err)
	}
	return &Registry{
		o: o, platform: p, dir: dir, rel: rel, log: o.Log,
		inner: inner, storage: ns, driver: driver, measurer: newMeasurer(driver, o.MaxUnpacked),
		intents: intentDir(o.IntentDir), gate: o.Gate,
	}, nil
}

// ServeHTTP answers everything below /v2/.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := r.serve(w, req); err != nil {
		r.answerError(w, req, err)
	}
}

// Stats tells what happened so far.
func (r *Registry) Stats() Stats {
	s := Stats{
		Acknowledged: r.counts.acknowledged.Load(),
		Refused:      r.counts.refused.Load(),
		Recovered:    r.counts.recovered.Load(),
		FreeBytes:    -1,
	}
	if left, err := r.intents.list(); err == nil {
		s.Waiting = len(left)
	}
	if free, err := durable.FreeBytes(r.o.Dir); err == nil {
		s.FreeBytes = free
	}
	return s
}

// serve answers a request. As everywhere below, an error means that nothing has
// been answered yet.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request) error {
	c, badCall := parseCall(req.URL.Path)
	who, err := r.authenticate(req)
	switch {
	case err != nil:
		return err
	case c.kind == callToken:
		return giveToken(w, req)
	case who.anonymous && (badCall != nil || !c.pulls(req.Method)):
		return errLogin
	case badCall != nil:
		return badCall
	case c.kind == callBase:
		return r.passThrough(w, req)
	case !c.allows(req.Method):
		return errUnsupported
	case c.kind == callCatalog:
		return r.listRepositories(w, req, who)
	}
	if err := c.checkParameters(req); err != nil {
		return err
	}
	rq, leave, err := r.enter(req, who, c)
	defer leave()
	if renga.KindOf(err) == renga.NotFound && r.isFirstPushCheck(c, req.Method) {
		err = nil
	}
	if err != nil {
		return err
	}
	return r.dispatch(w, rq.canonical(req), rq)
}

// enter checks whether a call is allowed, and on which app; a former name of an
// app stands for the app. Until leave is called, the app is neither removed nor
// renamed. That does not hold for a PATCH, which may take hours and commits
// nothing, and for reads, which use locate.
func (r *Registry) enter(req *http.Request, who caller, c call) (rq request, leave func(), err error) {
	writes := c.writes(req.Method)
	for {
		leave = func() {}
		if writes && req.Method != http.MethodPatch {
			leave = r.apps.RLock(c.app)
		}
		app, err := r.authorize(req.Context(), who, c, writes)
		if err != nil || app.Name == "" || app.Name == c.app {
			return request{call: c, who: who, app: app}, leave, err
		}
		leave()
		c.app = app.Name
	}
}

// isFirstPushCheck tells whether the call is one of a client's HEAD requests in
// a push that is to make its app: docker asks for every blob again after its
// upload.
func (r *Registry) isFirstPushCheck(c call, method string) bool {
	return r.o.CreateOnPush && method == http.MethodHead && c.kind == callBlob && c.process != releasesPart
}

// request is a call that is allowed.
type request struct {
	call
	who caller
	app renga.App // the zero App when this push is to make it
}

func (r *Registry) dispatch(w http.ResponseWriter, req *http.Request, rq request) error {
	reads := req.Method == http.MethodGet || req.Method == http.MethodHead
	switch {
	case rq.kind == callManifest && req.Method == http.MethodPut:
		return r.audited("manifest pushed", w, req, rq, r.putManifest)
	case rq.kind == callManifest && req.Method == http.MethodDelete && rq.byDigest():
		return r.audited("manifest deleted", w, req, rq, r.deleteManifest)
	case rq.kind == callManifest && req.Method == http.MethodDelete:
		return r.audited("tag deleted", w, req, rq, r.deleteTag)
	case rq.kind == callBlob && req.Method == http.MethodDelete:
		return r.audited("blob deleted", w, req, rq, r.deleteBlob)
	case rq.kind == callReferrers:
		return r.listReferrers(w, req, rq)
	case rq.kind == callManifest && req.Method == http.MethodHead:
		return r.headManifest(w, req, rq)
	case rq.kind == callManifest && reads:
		return r.getManifest(w, req, rq)
	case rq.kind == callBlob && reads:
		return r.getBlob(w, req, rq)
	case rq.kind == callUpload && req.Method == http.MethodPost:
		return r.startUpload(w, req, rq)
	case rq.kind == callUpload && (req.Method == http.MethodPatch || req.Method == http.MethodPut):
		return r.receiveUpload(w, req, rq)
	}
	return r.passThrough(w, req)
}

// passThrough lets distribution answer, except for its internal errors, whose texts
// hold paths of the host.
func (r *Registry) passThrough(w http.ResponseWriter, req *http.Request) error {
	c := &answerFilter{ResponseWriter: w, judge: innerError}
	r.inner.ServeHTTP(c, req)
	return c.err
}

func innerError(status int) error {
	if status >= http.StatusInternalServerError {
		return errInner
	}
	return nil
}

func (o Options) withDefaults() (Options, platform, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.ReleaseTag == "" {
		o.ReleaseTag = "latest"
	}
	if o.Disk == nil {
		o.Disk = &durable.Marks{Dir: o.Dir, Full: o.MinFreeBytes}
	}
	if o.Gate == nil {
		o.Gate = newGate(o.Dir)
	}
	if o.Platform == "" {
		o.Platform = "linux/amd64"
	}
	p, err := parsePlatform(o.Platform)
	switch {
	case err != nil:
	case o.Dir == "" || o.IntentDir == "":
		err = errors.New("directories for the registry and its intents must be given")
	case len(o.Secret) < 16:
		err = errors.New("the secret that signs uploads must have at least 16 bytes")
	case !tagName.MatchString(o.ReleaseTag):
		err = fmt.Errorf("%q is no tag", o.ReleaseTag)
	}
	return o, p, err
}

// newDistribution makes distribution's handler. It panics on every mistake in
// its configuration; here they become errors.
func newDistribution(driver *uploadDriver, secret []byte) (h http.Handler, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("set up distribution: %v", p)
		}
	}()
	registerUploadDriver()
	cfg := &configuration.Configuration{
		Storage: configuration.Storage{
			uploadDriverName: {"instance": driver},
			"delete":         {"enabled": true},
			// Its own purger is off; Run does it. The map must be map[any]any.
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
		},
	}
	cfg.HTTP.Secret = string(secret)
	cfg.HTTP.RelativeURLs = true
	cfg.Catalog.MaxEntries = 1000 // 0 would mean an empty list
	cfg.Tags.MaxTags = 1000
	// It would refuse layers that are stored elsewhere, which artifacts may have,
	// and indexes that name images which were never pushed, as those of other
	// platforms may be. image.go checks what a release needs.
	cfg.Validation.Disabled = true
	return handlers.NewApp(context.Background(), cfg), nil
}

// probeWritable makes dir and a file in it: distribution would notice only at
// the first push.
func probeWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("directory %s is not writable: %w", filepath.Clean(dir), err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
