package registry

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"renga"
)

// callKind is which part of the OCI distribution API a request is for.
type callKind int

const (
	callBase      callKind = iota // /v2/
	callToken                     // /v2/token
	callCatalog                   // /v2/_catalog
	callManifest                  // /v2/<name>/manifests/<reference>
	callBlob                      // /v2/<name>/blobs/<digest>
	callUpload                    // /v2/<name>/blobs/uploads/[<id>]
	callTags                      // /v2/<name>/tags/list
	callReferrers                 // /v2/<name>/referrers/<digest>
)

// releasesPart is the second part of the repository that holds an app's
// releases. Clients may only read it.
const releasesPart renga.ProcessType = "releases"

// call is a request's path, parsed and checked.
type call struct {
	kind    callKind
	app     string            // a valid app name
	process renga.ProcessType // a valid process type, or releasesPart
	ref     string            // tag or digest, or an upload's id
}

var (
	tagName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	anyDigest = regexp.MustCompile(`^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-zA-Z=_-]{16,256}$`)
	uploadID  = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// parseCall reads a decoded URL path. Invalid names are refused with 403
// DENIED, not 400: docker retries a 400 for most of a minute.
func parseCall(path string) (call, error) {
	rest, ok := strings.CutPrefix(path, "/v2")
	switch {
	case !ok:
		return call{}, errNoSuchPath
	case rest == "" || rest == "/":
		return call{kind: callBase}, nil
	case rest == "/token":
		return call{kind: callToken}, nil
	case rest == "/_catalog":
		return call{kind: callCatalog}, nil
	}
	kind, name, ref, err := splitPath(strings.Split(strings.TrimPrefix(rest, "/"), "/"))
	if err != nil {
		return call{}, err
	}
	c := call{kind: kind, ref: ref}
	if c.app, c.process, err = parseRepository(strings.Join(name, "/")); err != nil {
		return call{}, err
	}
	return c, c.checkReference()
}

// splitPath finds, from the right, where a repository's name ends.
func splitPath(parts []string) (kind callKind, name []string, ref string, err error) {
	n := len(parts)
	at := func(i int) string {
		if n+i < 1 {
			return "" // a name needs one part at least
		}
		return parts[n+i]
	}
	switch {
	case at(-2) == "tags" && at(-1) == "list":
		return callTags, parts[:n-2], "", nil
	case at(-2) == "manifests":
		return callManifest, parts[:n-2], at(-1), nil
	case at(-2) == "referrers":
		return callReferrers, parts[:n-2], at(-1), nil
	case at(-3) == "blobs" && at(-2) == "uploads":
		return callUpload, parts[:n-3], at(-1), nil
	case at(-2) == "blobs" && at(-1) == "uploads":
		return callUpload, parts[:n-2], "", nil
	case at(-2) == "blobs":
		return callBlob, parts[:n-2], at(-1), nil
	}
	return 0, nil, "", errNoSuchPath
}

// parseRepository reads "<app>/<process type>"; "<app>" alone means its web
// process.
func parseRepository(name string) (app string, process renga.ProcessType, err error) {
	app, part, two := strings.Cut(name, "/")
	process = renga.Web
	if two {
		process = renga.ProcessType(part)
	}
	if strings.Contains(part, "/") {
		return "", "", renga.Errorf(renga.Forbidden,
			"Repository %q has more than two parts: push to <app> or <app>/<process type>.", clipText(name))
	}
	if err := renga.ValidateAppName(app); err != nil {
		return "", "", err
	}
	if process == releasesPart {
		return app, process, nil
	}
	return app, process, renga.ValidateProcessType(process)
}

func (c call) checkReference() error {
	switch {
	case c.kind == callTags:
	case c.kind == callUpload && c.ref != "" && !uploadID.MatchString(c.ref):
		return errNoUpload
	case c.kind == callUpload:
	case c.kind == callManifest && tagName.MatchString(c.ref):
	case c.kind == callManifest && !strings.Contains(c.ref, ":"):
		return errBadTag
	case !anyDigest.MatchString(c.ref):
		return errBadDigest
	}
	return nil
}

// contentRange is the first and the last byte of a part of an upload.
var contentRange = regexp.MustCompile(`^[0-9]{1,18}-[0-9]{1,18}$`)

// checkParameters checks the parameters and headers whose errors distribution
// would answer with 500.
func (c call) checkParameters(req *http.Request) error {
	last, part := req.URL.Query().Get("last"), req.Header.Get("Content-Range")
	switch {
	case c.kind == callTags && last != "" && !tagName.MatchString(last):
		return errBadTag
	case c.kind == callUpload && part != "" && !contentRange.MatchString(part):
		return errBadRange
	}
	return nil
}

// repository is "<app>/<process type>".
func (c call) repository() string { return c.app + "/" + string(c.process) }

// byDigest tells whether the reference is a digest and no tag.
func (c call) byDigest() bool { return strings.Contains(c.ref, ":") }

// path is the one spelling of the call that distribution sees.
func (c call) path() string {
	switch name := "/v2/" + c.repository(); c.kind {
	case callManifest:
		return name + "/manifests/" + c.ref
	case callBlob:
		return name + "/blobs/" + c.ref
	case callUpload:
		return name + "/blobs/uploads/" + c.ref
	case callTags:
		return name + "/tags/list"
	case callReferrers:
		return name + "/referrers/" + c.ref
	}
	return "/v2/"
}

// canonical is req with the call's own spelling of the path.
func (c call) canonical(req *http.Request) *http.Request {
	out := req.WithContext(req.Context())
	out.URL = &url.URL{Path: c.path(), RawQuery: req.URL.RawQuery}
	out.RequestURI = out.URL.RequestURI()
	return out
}

// writes tells whether the call needs the permission to push.
func (c call) writes(method string) bool {
	return c.kind == callUpload || (method != http.MethodGet && method != http.MethodHead)
}

// pulls tells whether the call is one of those that make a pull. The releases are
// not pulled: config vars are in them, if sealed.
func (c call) pulls(method string) bool {
	return !c.writes(method) && c.process != releasesPart &&
		(c.kind == callManifest || c.kind == callBlob || c.kind == callReferrers)
}

// allows tells whether the call exists for that method.
func (c call) allows(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead:
		return c.kind != callUpload || c.ref != ""
	case http.MethodPut:
		return c.kind == callManifest || (c.kind == callUpload && c.ref != "")
	case http.MethodPost:
		return c.kind == callUpload && c.ref == ""
	case http.MethodPatch:
		return c.kind == callUpload && c.ref != ""
	case http.MethodDelete:
		return (c.kind == callUpload && c.ref != "") || c.kind == callManifest || c.kind == callBlob
	}
	return false
}

// clipText shortens outside input before it is put into a message.
func clipText(s string) string { return renga.Clip(s, 60) }
