package registry

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"renga"
)

// contentEvent is what a request does to content.
func contentEvent(kind renga.EventKind, rq request, req *http.Request) renga.ContentEvent {
	e := renga.ContentEvent{
		ID: uuid.NewString(), Kind: kind, App: rq.app, At: time.Now().UTC(), By: rq.who.account.ID,
		Content: renga.Content{
			Repository: rq.repository(), Email: rq.who.account.Email, RequestID: uuid.NewString(),
			Addr: renga.Clip(req.RemoteAddr, 100), Host: renga.Clip(req.Host, 255), Method: req.Method,
			UserAgent: renga.Clip(req.UserAgent(), 200),
		},
	}
	switch {
	case rq.kind == callUpload:
	case rq.byDigest():
		e.Digest = rq.ref
	default:
		e.Tag = rq.ref
	}
	return e
}

// tell has an event written down. Whoever is told that something was pushed or deleted
// is told so after this; if it fails, the client has to do it again.
func (r *Registry) tell(ctx context.Context, e renga.ContentEvent) error {
	if r.o.Tell == nil {
		return nil
	}
	if e.App.ID == "" { // the push made it
		app, _, err := parseRepository(e.Repository)
		if err != nil {
			return err
		}
		if e.App, err = r.dir.AppByRepository(ctx, app); err != nil && renga.KindOf(err) != renga.NotFound {
			return err
		}
	}
	if err := r.o.Tell(ctx, e); err != nil {
		r.log.Error("event of the registry is not written down", "event", e.Kind, "repository", e.Repository, "err", err)
		return renga.Errorf(renga.Unavailable, "It is done, but webhooks could not be told. Do it again.")
	}
	return nil
}

// tellPush tells of a manifest that was stored.
func (r *Registry) tellPush(put manifestPut, answer *heldAnswer) error {
	if answer.status != http.StatusCreated {
		return nil
	}
	e := contentEvent(renga.PushEvent, put.request, put.req)
	e.Digest, e.MediaType, e.Size = answer.header.Get("Docker-Content-Digest"), put.mediaType, int64(len(put.body))
	return r.tell(put.req.Context(), e)
}

// released is the event of a push that becomes a release. What of the request is not
// in the intent is not known any more after a crash.
func (p pendingPush) released() renga.ContentEvent {
	e := renga.ContentEvent{ID: p.ID, Kind: renga.PushEvent, App: renga.App{ID: p.App, Name: p.app}, At: p.At, By: p.By}
	if p.request != nil {
		e = *p.request
		e.ID, e.At = p.ID, p.At
	}
	e.Repository, e.Tag, e.Digest = p.Repository, p.Tag, p.Digest
	return e
}

// Somebody may pull a thousand times a minute, and each pull would be written down.
const (
	pullEvery   = time.Minute // one pull of one thing by one account is told so often
	mostPulls   = 120         // of one app in that time
	mostRecents = 10_000
)

// tellPull tells of a manifest that is about to be sent. The platform's own pulls are
// not told. A pull does not fail because nobody can be told.
func (r *Registry) tellPull(req *http.Request, rq request, header http.Header) {
	if r.o.Tell == nil || req.Method != http.MethodGet || rq.who.puller || rq.process == releasesPart {
		return
	}
	e := contentEvent(renga.PullEvent, rq, req)
	e.Digest, e.MediaType = header.Get("Docker-Content-Digest"), header.Get("Content-Type")
	e.Size, _ = strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if r.pulls.first(string(e.App.ID), e.Repository+" "+e.Digest+" "+string(e.By), e.At) {
		_ = r.tell(context.WithoutCancel(req.Context()), e)
	}
}

// tellMount tells of a blob that was linked from another repository.
func (r *Registry) tellMount(req *http.Request, rq request, answer *heldAnswer) error {
	if answer.status != http.StatusCreated {
		return nil
	}
	e := contentEvent(renga.MountEvent, rq, req)
	query := req.URL.Query()
	e.Digest, e.MediaType = query.Get("mount"), "application/octet-stream"
	e.Size, _ = r.blobBytes(e.Digest)
	if from := query.Get("from"); strings.HasPrefix(from, rq.call.app+"/") {
		e.From = from // another app's name is not for everybody who is told
	}
	return r.tell(req.Context(), e)
}

// recently remembers what was told in the last minute.
type recently struct {
	mu    sync.Mutex
	since time.Time
	told  map[string]bool
	perID map[string]int
}

// first tells whether something of an app is to be told.
func (c *recently) first(app, what string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) >= pullEvery || len(c.told) >= mostRecents {
		c.since, c.told, c.perID = now, map[string]bool{}, map[string]int{}
	}
	key := app + " " + what
	if c.told[key] || c.perID[app] >= mostPulls {
		return false
	}
	c.told[key] = true
	c.perID[app]++
	return true
}
